"""A robot as the capsules that it collides with, for the eye."""

from typing import Final

import numpy as np
import trimesh

from hsimul3r.export.robot.clip import RobotClip
from hsimul3r.geometry.overlay import PaintedMesh
from hsimul3r.geometry.rotations import matrix_from_quaternion, shortest_rotation
from hsimul3r.retarget.kinematics import chain_of, posed
from hsimul3r.retarget.robot import Capsule

GREY: Final = (150, 155, 165)
RINGS: Final = (12, 12)
UP: Final = np.array([0.0, 0.0, 1.0])


def robot_surface(clip: RobotClip, frame: int) -> PaintedMesh:
    """All capsules of the robot in one frame, in the world."""
    chain = chain_of(clip.robot)
    turn = matrix_from_quaternion(clip.root_quaternion[[frame]])
    at = posed(chain, clip.root_position[[frame]], turn, clip.joint_position[[frame]])
    vertices, faces, count = [], [], 0
    for capsule in clip.robot.capsules:
        body, mesh = chain.body(capsule.body), _mesh(capsule)
        vertices.append(mesh.vertices @ at.rotations[0, body].T + at.positions[0, body])
        faces.append(mesh.faces + count)
        count += len(mesh.vertices)
    return PaintedMesh(name=clip.robot.name, vertices=np.vstack(vertices), faces=np.vstack(faces), color=GREY)


def _mesh(capsule: Capsule) -> trimesh.Trimesh:
    """In the frame of its body."""
    along = capsule.end - capsule.start
    length = float(np.linalg.norm(along))
    mesh = trimesh.creation.capsule(height=length, radius=capsule.radius_m, count=list(RINGS))
    R = shortest_rotation(UP, along / length) if length > 0 else np.eye(3)
    mesh.vertices = mesh.vertices @ R.T + (capsule.start + capsule.end) / 2
    return mesh
