"""Pictures of a robot's motion among its objects: capsules, left orange and right blue."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from hsimul3r.geometry.rotations import quaternion_from_matrix
from hsimul3r.retarget.measure import postures_of
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.robot import RobotDescription
from sim_envs.engine import MjSpec, mujoco

COLOURS = {"left": (0.9, 0.55, 0.2, 1.0), "right": (0.25, 0.5, 0.85, 1.0)}
OTHER = (0.5, 0.5, 0.5, 1.0)
OBJECT = (0.6, 0.75, 0.55, 0.75)
SIZE_PX = 300
SIDES_DEG = (60, 150)
"""Azimuths of the cameras."""


def strip(motion: RobotMotion, robot: RobotDescription, path: Path, *, moments: int = 6) -> None:
    """Write `moments` pictures in a row, one row for each of SIDES_DEG."""
    frames = np.linspace(0, len(motion.joint_position) - 1, moments).astype(int)
    pictures = {frame: views(motion, robot, int(frame)) for frame in frames}
    rows = [np.concatenate([pictures[frame][k] for frame in frames], axis=1) for k in range(len(SIDES_DEG))]
    Image.fromarray(np.concatenate(rows)).save(path)


def views(motion: RobotMotion, robot: RobotDescription, frame: int) -> list[UInt8[ndarray, "height width 3"]]:
    """One moment from all sides."""
    model = _spec(motion, robot, frame).compile()
    data = mujoco().MjData(model)
    mujoco().mj_forward(model, data)
    camera = mujoco().MjvCamera()
    camera.lookat[:] = [*motion.root_position[frame, :2], 0.55]
    camera.distance, camera.elevation = 2.6, -12.0
    taken = []
    with mujoco().Renderer(model, SIZE_PX, SIZE_PX) as renderer:
        for side in SIDES_DEG:
            camera.azimuth = side
            renderer.update_scene(data, camera)
            taken.append(renderer.render().copy())
    return taken


def _spec(motion: RobotMotion, robot: RobotDescription, frame: int) -> MjSpec:
    """Everything where it is in one frame; nothing moves."""
    spec, geom = mujoco().MjSpec(), mujoco().mjtGeom
    spec.worldbody.add_geom(type=geom.mjGEOM_PLANE, size=[8, 8, 0.1], rgba=[0.85, 0.87, 0.9, 1])
    for x in (-2, 2):
        spec.worldbody.add_light(pos=[x, -x, 4], dir=[-0.2 * x, 0.2 * x, -1], castshadow=False)
    at = postures_of(motion, robot)
    for i, link in enumerate(robot.bodies):
        body = spec.worldbody.add_body(pos=at.positions[frame, i], quat=quaternion_from_matrix(at.rotations[frame, i]))
        for capsule in (c for c in robot.capsules if c.body == link.name):
            colour = COLOURS.get(capsule.name.split("_")[0], OTHER)
            if np.allclose(capsule.start, capsule.end):
                body.add_geom(type=geom.mjGEOM_SPHERE, size=[capsule.radius_m, 0, 0], pos=capsule.start, rgba=colour)
            else:
                ends = [*capsule.start, *capsule.end]
                body.add_geom(type=geom.mjGEOM_CAPSULE, size=[capsule.radius_m, 0, 0], fromto=ends, rgba=colour)
    for asset in motion.assets:
        path = motion.object_paths.get(asset.name)
        T = asset.T_world_object if path is None else path[frame]
        spec.add_mesh(
            name=asset.name, uservert=asset.vertices.astype(np.float32).ravel(), userface=asset.faces.astype(np.int32).ravel(),
            inertia=mujoco().mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )  # fmt: skip
        body = spec.worldbody.add_body(pos=T[:3, 3], quat=quaternion_from_matrix(T[:3, :3]))
        body.add_geom(type=geom.mjGEOM_MESH, meshname=asset.name, rgba=OBJECT)
    return spec
