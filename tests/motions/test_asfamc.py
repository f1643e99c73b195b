"""Acclaim's format: places in closed form, one clear error for each broken file."""

import numpy as np
import pytest

from hsimul3r.errors import BadMotion
from hsimul3r.motions.asfamc import INCH_M, read_amc, read_asf

ASF = """# a comment
:version 1.10
:units
  length 0.5
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  orientation 0 0 0
:bonedata
  begin
    name upper
    direction 0 -1 0
    length 2
    axis 0 0 90 XYZ
    dof rx
  end
  begin
    name lower
    direction 0 -1 0
    length 1
    axis 0 0 0 XYZ
    dof ry rz
  end
:hierarchy
  begin
    root upper
    upper lower
  end
"""
AMC = ":FULLY-SPECIFIED\n:DEGREES\n1\nroot 1 2 3 0 0 0\nupper 0\nlower 0 0\n2\nroot 1 2 3 0 90 0\nupper 90\nlower 0 90\n"
UNIT = INCH_M / 0.5


@pytest.fixture
def files(tmp_path):
    def write(asf: str = ASF, amc: str = AMC):
        (tmp_path / "a.asf").write_text(asf)
        (tmp_path / "a.amc").write_text(amc)
        return tmp_path / "a.asf", tmp_path / "a.amc"

    return write


def read(paths, **options):
    return read_amc(paths[1], read_asf(paths[0]), rate=30, **options)


def test_the_rest_pose_hangs_below_the_root_in_metres_with_z_up(files):
    motion = read(files())
    np.testing.assert_allclose(motion.ends["root"][0], np.array([1, -3, 2]) * UNIT)
    np.testing.assert_allclose(motion.ends["lower"][0], np.array([1, -3, 2 - 3]) * UNIT, atol=1e-12)


def test_a_bone_turns_about_its_own_axes_after_its_parents(files):
    """The upper bone's own X axis is the file's Y axis: it turns in place. The lower one turns by 90 degrees about Z, to +X of
    the upper bone's frame, which has turned by 180 degrees about the vertical in all."""
    motion = read(files())
    upper = np.array([1, -3, 0]) * UNIT
    np.testing.assert_allclose(motion.ends["upper"][1], upper, atol=1e-12)
    np.testing.assert_allclose(motion.ends["lower"][1], upper + np.array([-1, 0, 0]) * UNIT, atol=1e-12)


def test_frames_are_thinned_to_the_rate_asked_for(files):
    motion = read(files(), fps=15)
    assert (motion.frames, motion.fps) == (1, 15.0)


@pytest.mark.parametrize(
    ("asf", "amc", "words"),
    [
        (ASF.replace("length 2", "size 2"), AMC, "bone 'upper' has no length"),
        (ASF.replace("  length 0.5\n", ""), AMC, ":units has no length"),
        (ASF.replace("length 0.5", "length 0"), AMC, "length is 0"),
        (ASF.replace("direction 0 -1 0", "direction 0 x 0", 1), AMC, "are not numbers"),
        (ASF.replace("upper lower\n", ""), AMC, "bone 'lower' is not in the :hierarchy"),
        (ASF.replace("root upper", "lower upper"), AMC, "does not lead to the root"),
        (ASF.replace("0 0 90 XYZ", "0 0 90 ZYX"), AMC, "the order ZYX"),
        (ASF.split(":bonedata")[0], AMC, "it has no :bonedata"),
        (ASF, AMC.replace(":DEGREES", ":RADIANS"), "in radians"),
        (ASF, AMC.replace("upper 90\n", ""), "frame 2 has nothing for 'upper'"),
        (ASF, AMC.replace("lower 0 90", "lower 0"), "frame 2 has 1 values for 'lower', not 2"),
        (ASF, AMC.replace("upper 90", "upper nan"), "finite numbers"),
        (ASF, ":DEGREES\n", "it holds no frames"),
    ],
)
def test_a_broken_file_is_one_clear_error(files, asf, amc, words):
    with pytest.raises(BadMotion, match=words):
        read(files(asf, amc))


def test_a_file_that_is_not_text_is_one_clear_error(files):
    paths = files()
    paths[1].write_bytes(bytes(range(256)))
    with pytest.raises(BadMotion, match="cannot be read"):
        read(paths)
