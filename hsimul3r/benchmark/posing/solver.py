"""Poses a body against an object so that named contacts close, nothing penetrates and the weight is carried.

Gradient descent on body joints, root and hands' twist from a key pose, in the object's frame:

    L = sum_j w_j |theta_j - key_j|^2  +  contact: mean over the k nearest points of a part of (d - gap)^2
        +  penetration: sum of relu(-d)^2 over the skin, for the object, the floor and the thighs under the hands
        +  the same for four points under each foot that stands  +  |p_j - anchor_j|^2 of named joints
        +  |centre of mass - target|^2 (horizontal)

Distances to convex pieces are max over half-spaces, the object's the min over pieces.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.scene import PosedBody, PoseGoal, Touch
from hsimul3r.body.model import SmplxFormatBody, rodrigues
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS
from hsimul3r.geometry.sdf import half_spaces

KEY_WEIGHT = 0.02
CONTACT_WEIGHT = 100.0
PENETRATION_WEIGHT = 1000.0
SOLE_WEIGHT = 60.0
ANCHOR_WEIGHT = 15.0
BALANCE_WEIGHT = 2.0
ALLOWED_DEPTH_M = 0.001
FEET = ("left_foot", "right_foot")
KEY_SHARES = {"wrist": 0.08, "ankle": 0.05, "hip": 0.3, "shoulder": 0.4, "elbow": 0.4, "spine": 4.0, "neck": 4.0, "collar": 4.0}
"""How firmly the key pose holds joints whose names contain a word (1 for the others): hands and feet follow their contacts."""


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """What stays fixed during the descent, as tensors."""

    body: SmplxFormatBody
    betas: Tensor
    faces: Tensor
    pieces: tuple[Tensor, ...]
    fingers: Tensor
    goal: PoseGoal
    touches: tuple[tuple[Touch, Tensor], ...]
    thighs: Float[Tensor, "2"]
    top: float


def pose_body(body: SmplxFormatBody, furniture: Furniture, goal: PoseGoal, *, steps: int = 500) -> PosedBody:
    """The body of `goal` in the object's frame, contacts closed."""
    scene = _prepare(body, furniture, goal)
    key = torch.as_tensor(goal.key)
    pose = key[: len(BODY_JOINTS)].clone().requires_grad_(True)
    root = torch.as_tensor(np.asarray(goal.root_m, float)).clone().requires_grad_(True)
    optimiser = torch.optim.Adam([{"params": [pose], "lr": 0.012}, {"params": [root], "lr": 0.006}])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=2e-4)
    for step in range(steps):
        optimiser.zero_grad()
        loss = _loss(scene, pose, root, key, hardness=min(1.0, 2 * step / steps) ** 2)
        loss.backward()
        optimiser.step()
        schedule.step()
    full = np.concatenate([pose.detach().numpy(), goal.key[len(BODY_JOINTS) :]])
    rest = body.joints(goal.betas, np.zeros((55, 3)), np.zeros(3))[0]
    return PosedBody(betas=np.asarray(goal.betas, float), pose=full, transl=root.detach().numpy() - rest)


def _prepare(body: SmplxFormatBody, furniture: Furniture, goal: PoseGoal) -> _Scene:
    owner = {name: torch.as_tensor(index) for name, index in body.parts.items()}
    touches = tuple((touch, owner[touch.part]) for touch in goal.touches)
    return _Scene(
        body=body,
        betas=torch.as_tensor(goal.betas, dtype=torch.float64),
        faces=torch.as_tensor(body.faces),
        pieces=tuple(torch.as_tensor(half_spaces(piece.shape)) for piece in furniture.pieces),
        fingers=rodrigues(torch.as_tensor(goal.key[len(BODY_JOINTS) :])),
        goal=goal,
        touches=touches,
        thighs=_thigh_radii(body, goal.betas),
        top=furniture.support_height_m,
    )


def _loss(scene: _Scene, pose: Tensor, root: Tensor, key: Tensor, *, hardness: float) -> Tensor:
    """The sum above; `hardness` grows from 0 to 1, so that limbs reach the right side of a surface before it bars the way."""
    vertices, joints, soles = _skin(scene, pose, root)
    solid = {"floor": vertices[:, 2], "object": _object_distance(scene, vertices)}
    distance, below = solid | {"top": vertices[:, 2] - scene.top}, {"floor": soles[..., 2], "top": soles[..., 2] - scene.top}
    loss = KEY_WEIGHT * (_key_weights() * (pose - key[: len(BODY_JOINTS)]) ** 2).sum()
    for touch, index in scene.touches:
        nearest = distance[touch.target][index].topk(touch.count, largest=False).values
        loss = loss + CONTACT_WEIGHT * ((nearest - touch.gap_m) ** 2).mean()
        if touch.part in FEET:
            loss = loss + SOLE_WEIGHT * (below[touch.target][FEET.index(touch.part)] ** 2).mean()
    for values in solid.values():
        loss = loss + hardness * PENETRATION_WEIGHT * (torch.relu(-values - ALLOWED_DEPTH_M) ** 2).sum()
    loss = loss + _hands_on_thighs(scene, vertices, joints) + _anchors(scene.goal.anchors_m, joints)
    if scene.goal.balance_m is not None:
        target = torch.as_tensor(np.asarray(scene.goal.balance_m, float))
        loss = loss + BALANCE_WEIGHT * ((_centre_of_mass(vertices, scene.faces)[:2] - target) ** 2).sum()
    return loss


def _object_distance(scene: _Scene, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    return torch.stack([(points @ planes[:, :3].T - planes[:, 3]).amax(-1) for planes in scene.pieces]).amin(0)


def _skin(scene: _Scene, pose: Tensor, root: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, joints and points under the feet (2, 4, 3), with the pelvis joint at `root`."""
    rotations = torch.cat([rodrigues(pose), scene.fingers])
    rest = scene.body.skeleton.template[0] + scene.body.skeleton.shapes[0] @ scene.betas
    R, joints, offsets = scene.body.skeleton.transforms(scene.betas, rotations, root - rest)
    soles = scene.body.sole_points.posed(scene.betas, R, offsets).reshape(2, 4, 3)
    return scene.body.skin.posed(scene.betas, R, offsets), joints, soles


def _key_weights() -> Float[Tensor, "joints 1"]:
    shares = [next((share for word, share in KEY_SHARES.items() if word in name), 1.0) for name in BODY_JOINTS]
    return torch.tensor(shares, dtype=torch.float64)[:, None]


def _anchors(anchors: Mapping[str, tuple[float, float, float]], joints: Tensor) -> Tensor:
    """Named joints near given places; a nan coordinate is free."""
    total = joints.new_zeros(())
    for name, place in anchors.items():
        offset = joints[SMPLX_JOINTS.index(name)] - joints.new_tensor(place)
        total = total + ANCHOR_WEIGHT * torch.nan_to_num(offset).square().sum()
    return total


def _hands_on_thighs(scene: _Scene, vertices: Tensor, joints: Tensor) -> Tensor:
    """Hands of `goal.hands_on_thighs` lie on the thighs (cones around hip-knee); every other hand only stays out of them."""
    total = vertices.new_zeros(())
    for side in ("left", "right"):
        hip, knee = (joints[SMPLX_JOINTS.index(f"{side}_{name}")] for name in ("hip", "knee"))
        for hand_side in ("left", "right"):
            hand = vertices[torch.as_tensor(scene.body.parts[f"{hand_side}_hand"])]
            along = ((hand - hip) @ (knee - hip) / (knee - hip).square().sum()).clamp(0, 1)
            axis = hip + along[:, None] * (knee - hip)
            gap = (hand - axis).norm(dim=1) - (scene.thighs[0] + along * (scene.thighs[1] - scene.thighs[0]))
            total = total + PENETRATION_WEIGHT * (torch.relu(0.008 - gap) ** 2).sum()
            if hand_side == side and side in scene.goal.hands_on_thighs:
                total = total + CONTACT_WEIGHT * (gap.topk(40, largest=False).values ** 2).mean()
    return total


def _thigh_radii(body: SmplxFormatBody, betas: ndarray) -> Float[Tensor, "2"]:
    """Radius of the front of the thigh at hip and knee, by a line through the T-pose's skin."""
    rest, still = np.zeros((55, 3)), np.zeros(3)
    joints, skin = body.joints(betas, rest, still), body.vertices(betas, rest, still)[body.parts["left_thigh"]]
    hip, knee = joints[SMPLX_JOINTS.index("left_hip")], joints[SMPLX_JOINTS.index("left_knee")]
    along = (skin - hip) @ (knee - hip) / np.sum((knee - hip) ** 2)
    radius = np.linalg.norm(skin - hip - along[:, None] * (knee - hip), axis=1)
    is_front = (skin[:, 2] > hip[2]) & (along > 0.3)
    slope, start = np.polyfit(along[is_front], radius[is_front], 1)
    return torch.tensor([start, start + slope])


def _centre_of_mass(vertices: Tensor, faces: Tensor) -> Float[Tensor, "3"]:
    """Centroid of the volume inside the skin."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    volume = (a * torch.linalg.cross(b, c)).sum(1)
    return (volume[:, None] * (a + b + c)).sum(0) / (4 * volume.sum())
