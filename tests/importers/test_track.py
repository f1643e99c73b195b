"""A person is chosen by name or by length, gaps are filled along a screw's turn, and what is lost for long is refused."""

import numpy as np
import pytest

from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.clip import ImportedClip, ImportedPerson
from hsimul3r.importers.track import chosen_person, part_of, without_gaps


def turning(frames, name="a"):
    """Somebody who turns by 0.1 about the vertical and walks 0.02 m in every frame."""
    at = np.asarray(frames)
    pose = np.zeros((len(at), 55, 3))
    pose[:, 0, 1], pose[:, 4, 0] = 0.1 * at, 0.05 * at
    return ImportedPerson(name=name, pose=pose, root=np.outer(at, [0.02, 0, 0]), betas=np.zeros(10), frames=at)


def clip(*people):
    return ImportedClip(tool="wham", body="smpl", up="+y", people=people)


def test_the_longest_is_chosen_unless_a_name_is_given(tmp_path):
    both = clip(turning(range(3)), turning(range(5), "b"))
    assert chosen_person(both, None, tmp_path).name == "b" and chosen_person(both, "a", tmp_path).name == "a"
    with pytest.raises(BadForeignFile, match=r"no person 'c', but 'a' \(3 frames\), 'b' \(5 frames\)"):
        chosen_person(both, "c", tmp_path)
    with pytest.raises(BadForeignFile, match="no person"):
        chosen_person(clip(), None, tmp_path)


def test_gaps_are_filled_by_the_motion_between(tmp_path):
    filled = without_gaps(turning([4, 5, 8, 9]), 2, tmp_path)
    whole = turning(range(4, 10))
    np.testing.assert_array_equal(filled.frames, whole.frames)
    np.testing.assert_allclose(filled.pose, whole.pose, atol=1e-12)
    np.testing.assert_allclose(filled.root, whole.root, atol=1e-12)


def test_who_is_lost_for_long_is_an_error_unless_the_part_avoids_it(tmp_path):
    person = turning([4, 5, 6, 10, 11])
    with pytest.raises(BadForeignFile, match="lost for 3 frames after frame 6"):
        without_gaps(person, 2, tmp_path)
    assert without_gaps(part_of(person, 6, None), 2, tmp_path).frames.tolist() == [10, 11]
    assert part_of(person, 0, 2).frames.tolist() == [4, 5, 6]


def test_frames_out_of_order_are_put_in_order():
    assert part_of(turning([2, 0, 1]), 0, None).root[:, 0].tolist() == [0.0, 0.02, 0.04]
