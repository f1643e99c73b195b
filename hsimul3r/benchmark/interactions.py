"""Four clean interactions made by hand, a person and a piece of box furniture each, and the noise of a reconstruction on them.

They are what the physics is measured with when no reconstruction is at hand: geometry, contacts and pose are known exactly.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.optimize import least_squares

from hsimul3r.artifacts import (
    AlignedScene,
    BodySequence,
    Contact,
    ConvexPart,
    ObjectAsset,
    Provenance,
)
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS
from hsimul3r.geometry.cameras import no_cameras
from hsimul3r.geometry.mesh import convex_part, solid, union
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.geometry.sdf import ConvexUnion, Moved
from hsimul3r.geometry.tracks import no_tracks

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Centre and half sizes [m]."""

STATURE_M = 1.75
CONTACT_GAP_M = 0.03
"""A part closer to an object than this is labelled a contact."""


def sit_on_chair() -> AlignedScene:
    """Upright on a chair, hands on the thighs' side, feet on the floor."""
    body = _place(_body(_seated(hip=82, knee=84)), {})
    seat = _lowest(body, ("buttocks", "left_thigh", "right_thigh"))
    chair = furniture("chair", chair_boxes(seat), mass_kg=7.0, position=_under_pelvis(body, back=0.02))
    return aligned_scene((body,), (chair,), {"chair": ("buttocks", "left_thigh", "right_thigh")})


def sit_on_sofa() -> AlignedScene:
    """Low and leaning back on a sofa."""
    body = _place(_body(_turned(_seated(hip=88, knee=86, ankle=12), np.array([-14.0, 0, 0]))), {})
    seat = _lowest(body, ("buttocks", "left_thigh", "right_thigh"))
    sofa = furniture("sofa", sofa_boxes(seat), mass_kg=35.0, position=_under_pelvis(body, back=0.06))
    return aligned_scene((body,), (sofa,), {"sofa": ("buttocks", "left_thigh", "right_thigh")})


def lean_on_table() -> AlignedScene:
    """Bent forward with both hands on a table."""
    height, reach = 0.74, -0.42
    targets = {"left_wrist": (0.22, reach, height + 0.045), "right_wrist": (-0.22, reach, height + 0.045)}
    body = _place(_body(_leaning()), targets)
    hands = min(_lowest(body, (hand,)) for hand in ("left_hand", "right_hand"))
    table = furniture("table", table_boxes(hands), mass_kg=18.0, position=(0.0, reach - 0.28, 0.0))
    return aligned_scene((body,), (table,), {"table": ("left_hand", "right_hand")})


def foot_on_stool() -> AlignedScene:
    """Standing on the right leg, the left foot on a low stool."""
    body = _place(_body(_stepping()), {})
    sole = _lowest(body, ("left_foot",))
    foot = _part_vertices(body, "left_foot").mean(axis=0)
    stool = furniture("stool", stool_boxes(sole), mass_kg=5.0, position=(foot[0], foot[1], 0.0))
    return aligned_scene((body,), (stool,), {"stool": ("left_foot",)})


INTERACTIONS: Mapping[str, Callable[[], AlignedScene]] = {
    "chair": sit_on_chair,
    "sofa": sit_on_sofa,
    "lean": lean_on_table,
    "stool": foot_on_stool,
}


def with_noise(scene: AlignedScene, *, joint_deg: float, root_m: float, tilt_deg: float, seed: int) -> AlignedScene:
    """The scene as an imperfect reconstruction has it: Gaussian noise per axis on every joint, the root and its tilt."""
    rng = np.random.default_rng(seed)
    bodies = []
    for body in scene.bodies:
        pose, transl = body.pose.copy(), body.transl.copy()
        turn = matrix_from_axis_angle(rng.normal(0, np.radians(tilt_deg), 3))
        pose[:, 0] = axis_angle_from_matrix(turn @ matrix_from_axis_angle(pose[:, 0]))
        pose[:, 1 : len(BODY_JOINTS)] += rng.normal(0, np.radians(joint_deg), (len(BODY_JOINTS) - 1, 3))
        transl += rng.normal(0, root_m, 3)
        bodies.append(replace(body, pose=pose, transl=transl))
    return replace(scene, bodies=tuple(bodies))


def chair_boxes(seat: float, *, missing_leg: int | None = None) -> tuple[Box, ...]:
    """A four-legged chair with a back; the sitter looks along -Y."""
    legs = _legs(0.2, 0.2, seat - 0.03, 0.02)
    kept = tuple(leg for i, leg in enumerate(legs) if i != missing_leg)
    return (*kept, ((0, 0, seat - 0.02), (0.23, 0.23, 0.02)), ((0, 0.215, seat + 0.21), (0.22, 0.015, 0.22)))


def sofa_boxes(seat: float) -> tuple[Box, ...]:
    """A block with a back and two arms."""
    arms = tuple(((x, 0.08, (seat + 0.18) / 2), (0.085, 0.34, (seat + 0.18) / 2)) for x in (-0.78, 0.78))
    back = ((0, 0.335, (seat + 0.42) / 2), (0.7, 0.085, (seat + 0.42) / 2))
    return (((0, 0.01, seat / 2), (0.7, 0.25, seat / 2)), back, *arms)


def table_boxes(height: float) -> tuple[Box, ...]:
    """A rectangular table."""
    return (*_legs(0.62, 0.32, height - 0.02, 0.025), ((0, 0, height - 0.015), (0.68, 0.38, 0.015)))


def stool_boxes(height: float) -> tuple[Box, ...]:
    """A low four-legged stool."""
    return (*_legs(0.16, 0.16, height - 0.02, 0.02), ((0, 0, height - 0.015), (0.19, 0.19, 0.015)))


def furniture(
    name: str, boxes: tuple[Box, ...], *, mass_kg: float, position: tuple[float, float, float], friction: float = 0.6
) -> ObjectAsset:
    """An object of boxes at `position`, upright, facing -Y."""
    parts = tuple(box_part(centre, half) for centre, half in boxes)
    vertices, faces = union(parts, name)
    T = np.eye(4)
    T[:3, 3] = position
    return ObjectAsset(
        name=name,
        category=name,
        family="boxes",
        parameters={},
        parts=parts,
        vertices=vertices,
        faces=faces,
        T_world_object=T,
        mass_kg=mass_kg,
        density_kg_m3=mass_kg / solid(vertices, faces).volume_m3,
        friction=friction,
    )


def box_part(centre: tuple[float, float, float], half: tuple[float, float, float]) -> ConvexPart:
    """A box along the axes."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    return convex_part(np.array(centre) + signs * np.array(half))


def aligned_scene(
    bodies: tuple[BodySequence, ...], assets: tuple[ObjectAsset, ...], parts: Mapping[str, tuple[str, ...]], *, person: int = 0
) -> AlignedScene:
    """A scene without photos; `parts` names the body parts of one person that belong on each object."""
    body = next(b for b in bodies if b.person == person)
    contacts = tuple(_contact(body, part, asset) for asset in assets for part in parts.get(asset.name, ()))
    return AlignedScene(
        provenance=Provenance(adapter="made by hand", scale_source="given", frame="world"),
        body_model=EMBEDDED,
        bodies=bodies,
        assets=assets,
        contacts=contacts,
        cameras=no_cameras(),
        tracks=no_tracks(),
        report={},
    )


def _contact(body: BodySequence, part: str, asset: ObjectAsset) -> Contact:
    skin = _part_vertices(body, part)
    near = Moved(ConvexUnion(asset.parts, surface=(asset.vertices, asset.faces)), asset.T_world_object).query(skin)
    touching = near.distance < near.distance.min() + CONTACT_GAP_M
    return Contact(
        person=body.person,
        part=part,
        target=asset.name,
        gap_m=float(near.distance.min()),
        point=near.closest[touching].mean(axis=0),
    )


def _body(pose: Float[ndarray, "55 3"], person: int = 0) -> BodySequence:
    betas = embedded_body().betas_of_stature(STATURE_M)
    return BodySequence(person=person, betas=betas, pose=pose[None], transl=np.zeros((1, 3)), fps=30.0, stature_m=STATURE_M)


def _degrees(angles: Mapping[str, tuple[float, float, float]]) -> Float[ndarray, "55 3"]:
    """A pose that stands upright and looks along -Y, with the given joints turned [deg]."""
    pose = np.zeros((len(SMPLX_JOINTS), 3))
    pose[0] = [np.pi / 2, 0, 0]
    for joint, angle in angles.items():
        pose[SMPLX_JOINTS.index(joint)] = np.radians(angle)
    return pose


def _seated(*, hip: float, knee: float, ankle: float = 0.0) -> Float[ndarray, "55 3"]:
    """Thighs turned forward by `hip` [deg], shins back by `knee`, soles as level as the hips plus `ankle`."""
    bend = {"hip": -hip, "knee": knee, "ankle": hip - knee + ankle}
    legs = {f"{side}_{joint}": (angle, 0, 0) for side in ("left", "right") for joint, angle in bend.items()}
    arms = {"left_shoulder": (0, -20, -68), "right_shoulder": (0, 20, 68), "left_elbow": (0, -45, 0), "right_elbow": (0, 45, 0)}
    return _degrees({**legs, **arms})


def _leaning() -> Float[ndarray, "55 3"]:
    arms = {"left_shoulder": (0, -50, -50), "right_shoulder": (0, 50, 50)}
    legs = {"left_hip": (-28, 0, 4), "right_hip": (-28, 0, -4)}
    return _turned(_degrees({"spine1": (12, 0, 0), **legs, **arms}), np.array([28.0, 0, 0]))


def _turned(pose: Float[ndarray, "55 3"], axis_angle_deg: Float[ndarray, "3"]) -> Float[ndarray, "55 3"]:
    """The whole body turned about the world's axes; who looks along -Y bends forward about X and to the right about -Y."""
    turned = pose.copy()
    tilt = matrix_from_axis_angle(np.radians(axis_angle_deg))
    turned[0] = axis_angle_from_matrix(tilt @ matrix_from_axis_angle(pose[0]))
    return turned


def _stepping() -> Float[ndarray, "55 3"]:
    arms = {"left_shoulder": (0, 0, -65), "right_shoulder": (0, 0, 65)}
    shift = 6.0
    legs = {"left_hip": (-70, 0, 6), "left_knee": (75, 0, 0), "left_ankle": (-5, 0, shift), "right_ankle": (0, 0, shift)}
    return _turned(_degrees({**legs, **arms}), np.array([0.0, -shift, 0.0]))


def _place(body: BodySequence, targets: Mapping[str, tuple[float, float, float]]) -> BodySequence:
    """Stand the lowest sole on the floor and, where wrists have targets, bend the arms and the trunk to reach them."""
    body = _on_floor(body)
    if not targets:
        return body
    model, joints = embedded_body(), [SMPLX_JOINTS.index(name) for name in targets]
    wanted = np.array(list(targets.values()))
    moving = [SMPLX_JOINTS.index(name) for name in ("spine1", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow")]
    start = body.pose[0]

    def posed(x: ndarray) -> Float[ndarray, "55 3"]:
        pose = start.copy()
        pose[moving] += x.reshape(-1, 3)
        return pose

    def residual(x: ndarray) -> ndarray:
        gap = model.joints(body.betas, posed(x), body.transl[0])[joints] - wanted
        return np.concatenate([10 * gap.ravel(), 0.1 * x])

    solved = least_squares(residual, np.zeros(3 * len(moving)))
    return _on_floor(_flat_hands(replace(body, pose=posed(solved.x)[None])))


def _flat_hands(body: BodySequence) -> BodySequence:
    """Turn the wrists so that the palms face down and the fingers point along the forearm's heading."""
    pose = body.pose[0].copy()
    frames = embedded_body().fk(body.betas, pose, body.transl[0])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        elbow, wrist = SMPLX_JOINTS.index(f"{side}_elbow"), SMPLX_JOINTS.index(f"{side}_wrist")
        along = frames[wrist, :3, 3] - frames[elbow, :3, 3]
        heading = np.array([along[0], along[1], 0]) / np.hypot(along[0], along[1])
        up = np.array([0.0, 0.0, 1.0])
        R_world_hand = np.column_stack([sign * heading, up, np.cross(sign * heading, up)])
        pose[wrist] = axis_angle_from_matrix(frames[elbow, :3, :3].T @ R_world_hand)
    return replace(body, pose=pose[None])


def _on_floor(body: BodySequence) -> BodySequence:
    soles = embedded_body().soles(body.betas, body.pose[0], body.transl[0])
    return replace(body, transl=body.transl - [0, 0, soles[..., 2].min()])


def _part_vertices(body: BodySequence, part: str) -> Float[ndarray, "part 3"]:
    model = embedded_body()
    return model.vertices(body.betas, body.pose[0], body.transl[0])[model.parts[part]]


def _lowest(body: BodySequence, parts: tuple[str, ...]) -> float:
    """Height of the lowest point of some parts."""
    return min(float(_part_vertices(body, part)[:, 2].min()) for part in parts)


def _under_pelvis(body: BodySequence, *, back: float) -> tuple[float, float, float]:
    """Spot on the floor for a seat whose back touches the sitter's, `back` further away."""
    hips = _part_vertices(body, "buttocks")
    return float(body.transl[0, 0]), float(hips[:, 1].max()) - 0.2 + back, 0.0


def _legs(x: float, y: float, height: float, half: float) -> tuple[Box, ...]:
    return tuple(((sx * x, sy * y, height / 2), (half, half, height / 2)) for sx in (-1, 1) for sy in (-1, 1))
