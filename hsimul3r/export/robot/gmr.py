"""GMR's motion: fps, root_pos (frames, 3), root_rot (frames, 4) xyzw, dof_pos (frames, joints) in the robot's own order,
local_body_pos (frames, links, 3) in the root's frame, link_body_list.

GMR and what follows it (TWIST) keep a pickle. Ours names nothing but numpy.ndarray, so that it depends on no version of numpy
and can be read by an unpickler that knows nothing else; the same table as npz needs no trust at all.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from hsimul3r.errors import BadRobotMotion
from hsimul3r.export.robot.checks import array_of, npz_table, rate_of, unit_quaternions
from hsimul3r.export.robot.clip import WXYZ_TO_XYZW, XYZW_TO_WXYZ, RobotClip
from hsimul3r.export.texts import texts
from hsimul3r.importers.plain import read_plain
from hsimul3r.retarget.kinematics import chain_of, posed
from hsimul3r.retarget.robot import RobotDescription


def write_gmr(clip: RobotClip, path: Path) -> None:
    """Write a .pkl, or the same table as .npz."""
    table = _table(clip)
    if path.suffix == ".npz":
        np.savez(path, allow_pickle=False, **table | {"link_body_list": texts(clip.robot.body_names)})
        return
    with path.open("wb") as file:
        _PlainPickler(file, protocol=5).dump(table | {"fps": clip.fps, "link_body_list": list(clip.robot.body_names)})


def read_gmr(path: Path, robot: RobotDescription) -> RobotClip:
    """Read a .pkl without running any of it, or an .npz. Raises `BadRobotMotion`, `BadForeignFile`, `UnsafeFile`."""
    table = npz_table(path) if path.suffix == ".npz" else read_plain(path)
    if not isinstance(table, dict):
        raise BadRobotMotion(path, f"it holds a {type(table).__name__}, not a table")
    position = array_of(path, table, "root_pos", (None, 3))
    return RobotClip(
        robot=robot,
        fps=rate_of(path, table),
        root_position=position,
        root_quaternion=unit_quaternions(path, array_of(path, table, "root_rot", (len(position), 4))[:, XYZW_TO_WXYZ]),
        joint_position=array_of(path, table, "dof_pos", (len(position), len(robot.joint_names))),
    )


def _table(clip: RobotClip) -> dict[str, Any]:
    frames = len(clip)
    upright = np.broadcast_to(np.eye(3), (frames, 3, 3))
    own = posed(chain_of(clip.robot), np.zeros((frames, 3)), upright, clip.joint_position)
    return {
        "fps": np.array(clip.fps),
        "root_pos": clip.root_position,
        "root_rot": clip.root_quaternion[:, WXYZ_TO_XYZW],
        "dof_pos": clip.joint_position,
        "local_body_pos": own.positions,
    }


class _PlainPickler(pickle.Pickler):
    """Writes an array as the call numpy.ndarray(shape, dtype, its bytes)."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not ndarray:
            return NotImplemented
        return ndarray, (obj.shape, obj.dtype.str, bytearray(np.ascontiguousarray(obj).tobytes()))
