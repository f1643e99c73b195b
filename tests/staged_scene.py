"""A staged scene for tests, made without the optimisation that stages the benchmark's cases."""

import numpy as np

from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.posing.keyposes import KeyPose
from hsimul3r.benchmark.scene import Staged, StagedObject
from hsimul3r.body.model import embedded_body


def scene(*, frames: int = 1, way_m: float = 0.0, yaw_deg: float = 0.0) -> Staged:
    """Somebody who stands beside a chair and, in a motion, moves by `way_m` along X."""
    T = np.eye(4)
    T[:2, 3] = 0.6, 0.3
    pose = KeyPose(yaw=yaw_deg).axis_angles()
    lowest = embedded_body().vertices(np.zeros(10), pose, np.zeros(3))[:, 2].min()
    path = np.column_stack([np.linspace(0, way_m, frames), np.zeros(frames), np.full(frames, -lowest)])
    return Staged(
        objects=(StagedObject(name="chair", furniture=build_furniture("dining_chair"), T_world_object=T[None]),),
        betas=np.zeros(10),
        pose=np.tile(pose, (frames, 1, 1)),
        transl=path,
        fps=30.0,
        contacts=(),
    )
