import numpy as np
import pytest

from hsimul3r.tracking.layout import object_place, velocity_names


def test_velocity_names_follow_the_joints():
    free = [f"box:{c}" for c in ("x", "y", "z", "qw", "qx", "qy", "qz")]
    ball = [f"person0/neck:{c}" for c in ("qw", "qx", "qy", "qz")]
    names = velocity_names([*ball, *free])
    assert names == tuple(f"person0/neck:{c}" for c in ("wx", "wy", "wz")) + tuple(
        f"box:{c}" for c in ("vx", "vy", "vz", "wx", "wy", "wz")
    )


def test_objects_are_found_by_name_wherever_they_are():
    names = [f"{body}:{c}" for body in ("b", "a") for c in ("x", "y", "z", "qw", "qx", "qy", "qz")]
    np.testing.assert_array_equal(object_place("a", names), np.arange(7, 14))
    with pytest.raises(KeyError):
        object_place("c", names)
