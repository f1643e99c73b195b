"""What bears a moving person: soles that stand and other parts that are held against furniture, where and when.

Of a sole that stands the reconstruction says roughly where; that it neither slides nor tips nor sinks in is known. Labels that
were found in the motion alone have gaps, which shows where nothing bears: then a foot that rolls onto its heel or off its toes
bears before and after it stands, and so does what stays where it was held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError

from hsimul3r.artifacts import BodySequence, Contact, SimScene
from hsimul3r.body.model import BodyModel
from hsimul3r.body.segments import Segments, segments
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.tracking.bodies import body_named
from hsimul3r.tracking.chain import Chain
from hsimul3r.tracking.layout import joint_kind
from hsimul3r.tracking.problem import ContactTarget, ObjectReference, PersonReference, TrackingProblem

FLOOR = "floor"
SOLE_SIGMA_M = 0.01
TOUCH_SIGMA_M = 0.015
"""How exactly a sole stands and another part touches."""
SOLE_BONES = np.array(
    [BODY_JOINTS.index(f"{side}_{bone}") for side in ("left", "right") for bone in ("ankle", "ankle", "ankle", "foot")]
)
"""That heel, ball inside, ball outside and toe tip of `BodyModel.soles` are on."""
TREAD_M, TREAD_M_S = 0.04, 0.5
"""Points under the feet that are lower and slower than this bear, whether the foot stands or not."""
STAY_M = 0.04
"""Parts this near to where they are held bear there, before and after too."""
HAND_M, SEAT_M = 0.04, 0.08
"""Half the width of what a hand or forearm, and any other part, rests on."""


@dataclass(frozen=True, kw_only=True)
class Support:
    """Points of a person that are held in some frames."""

    bones: Int[ndarray, "points"]
    local: Float[ndarray, "points 3"]
    """In the bones' frames."""
    goal: Float[ndarray, "frames points 3"]
    is_held: Bool[ndarray, "frames"]
    sigma_m: float
    bearing: Bool[ndarray, "frames points"]
    """When each of them may bear weight, held or not; never what is held against a thing that moves."""
    area: Float[ndarray, "corners 3"]
    """Corners of what the weight may act on, from every goal."""


@dataclass(frozen=True, kw_only=True)
class Footing:
    """A person's weight and all that may bear it; nothing does of somebody whose feet nobody has looked at."""

    segments: Segments
    soles: Int[ndarray, "8"]
    """Bones of the points under both feet."""
    sole_points: Float[ndarray, "8 3"]
    supports: tuple[Support, ...]
    has_gaps: bool
    """In some frame nothing is said to touch anything."""

    def area(self, frame: int) -> Float[ndarray, "points 3"]:
        """Corners of all that bears in a frame."""
        corners = [(s.goal[frame, s.bearing[frame], None] + s.area).reshape(-1, 3) for s in self.supports]
        return np.concatenate([np.zeros((0, 3)), *corners])


def polygon(corners: Float[ndarray, "points 3"]) -> Float[ndarray, "edges 3"] | None:
    """Edges (n, d) of the corners' hull from above, inside where n . xy + d <= 0; None where they span no area."""
    try:
        return ConvexHull(corners[:, :2]).equations
    except (QhullError, ValueError):
        return None


def footings(scene: SimScene, problem: TrackingProblem) -> tuple[Footing, ...]:
    """Everybody's, in the order of the problem's people; the problem may have another frame rate than the scene."""
    model = body_named(scene.body_model)
    return tuple(_footing(model, scene, body, person, problem) for body, person in zip(scene.bodies, problem.people))


def _footing(
    model: BodyModel, scene: SimScene, body: BodySequence, person: PersonReference, problem: TrackingProblem
) -> Footing:
    rest, origin = np.zeros((len(SMPLX_JOINTS), 3)), np.zeros(3)
    soles = model.soles(body.betas, rest, origin).reshape(-1, 3) - model.joints(body.betas, rest, origin)[SOLE_BONES]
    labelled = np.zeros(problem.frames, bool)
    for contact in scene.contacts:
        labelled |= (contact.person == body.person) & _frames(contact, body, problem)
    blank = Footing(
        segments=segments(model, body.betas), soles=SOLE_BONES, sole_points=soles, supports=(), has_gaps=not labelled.all()
    )
    mine, chain = [target for target in problem.targets if target.person == person.name], Chain.of(person)
    supports = (*_standing(blank, chain, scene, body, problem, mine), *_touching(blank, mine, chain, problem))
    if not any(contact.person == body.person and contact.target == FLOOR for contact in scene.contacts):
        supports = tuple(replace(support, bearing=np.zeros_like(support.bearing)) for support in supports)
    elif blank.has_gaps:
        supports = (*supports, *_treading(blank, chain, scene, body, problem))
    return replace(blank, supports=supports)


def _standing(
    feet: Footing, chain: Chain, scene: SimScene, body: BodySequence, problem: TrackingProblem, targets: list[ContactTarget]
) -> Iterator[Support]:
    """Feet on the floor, and on furniture that stays where it is."""
    for contact in scene.contacts:
        if contact.person != body.person or not contact.part.endswith("_foot"):
            continue
        is_held = _frames(contact, body, problem)
        if not is_held.any():
            continue
        side = _sole(contact)
        bones, local = feet.soles[side], feet.sole_points[side]
        goal = chain.points(bones, local)[is_held].mean(axis=0)
        if contact.target == FLOOR:
            goal[:, 2] = 0.0
        else:
            target = next((t for t in targets if _is_same(t, contact, is_held)), None)
            if target is None or _moves(target, problem):
                continue
            goal[:, :2] += (_goals(target, problem)[0] - _places(target, chain)[is_held].mean(axis=0))[:2]
            goal[:, 2] = contact.point[2]
        goals = np.tile(goal, (problem.frames, 1, 1))
        bearing = np.repeat(is_held[:, None], len(bones), axis=1)
        if contact.target != FLOOR and feet.has_gaps:
            bearing |= _stays(chain.points(bones, local), goals)
        yield Support(
            bones=bones, local=local, goal=goals, is_held=is_held, sigma_m=SOLE_SIGMA_M, bearing=bearing, area=np.zeros((1, 3))
        )  # fmt: skip


def _sole(contact: Contact) -> slice:
    """The points under a contact's foot, of those under both."""
    return slice(0, 4) if contact.part.startswith("left") else slice(4, 8)


def _treading(feet: Footing, chain: Chain, scene: SimScene, body: BodySequence, problem: TrackingProblem) -> Iterator[Support]:
    """What of the feet is on the floor while they do not stand there."""
    x = chain.points(feet.soles, feet.sole_points)
    speed = np.linalg.norm(np.gradient(x, 1 / problem.fps, axis=0), axis=-1) if problem.frames > 1 else np.zeros(x.shape[:2])
    bearing = (x[..., 2] < TREAD_M) & (speed < TREAD_M_S)
    for contact in scene.contacts:
        if contact.person == body.person and contact.target == FLOOR and contact.part.endswith("_foot"):
            bearing[_frames(contact, body, problem), _sole(contact)] = False
    if bearing.any():
        yield Support(
            bones=feet.soles, local=feet.sole_points, goal=x * [1.0, 1.0, 0.0], is_held=np.zeros(problem.frames, bool),
            sigma_m=SOLE_SIGMA_M, bearing=bearing, area=np.zeros((1, 3)),
        )  # fmt: skip


def _touching(feet: Footing, targets: list[ContactTarget], chain: Chain, problem: TrackingProblem) -> Iterator[Support]:
    """All that is held against furniture but standing feet."""
    for target in targets:
        moves = _moves(target, problem)
        if target.pair.split("/")[1].endswith("_foot") and not moves:
            continue
        bone = _bone(target)
        half = HAND_M if joint_kind(BODY_JOINTS[bone]) in ("wrist", "elbow") else SEAT_M
        goals = _goals(target, problem)[:, None]
        bearing = target.is_held[:, None] | (_stays(_places(target, chain)[:, None], goals) & feet.has_gaps)
        yield Support(
            bones=np.array([bone]), local=target.keypoint[None], goal=goals, is_held=target.is_held, sigma_m=TOUCH_SIGMA_M,
            bearing=bearing & (not moves),
            area=half * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]),
        )  # fmt: skip


def _frames(contact: Contact, body: BodySequence, problem: TrackingProblem) -> Bool[ndarray, "frames"]:
    """When a contact is held, at the problem's rate."""
    frame = np.floor(np.arange(problem.frames) / problem.fps * body.fps + 1e-9)
    return (frame >= contact.first) & (frame <= (np.inf if contact.last is None else contact.last))


def _is_same(target: ContactTarget, contact: Contact, is_held: Bool[ndarray, "frames"]) -> bool:
    return target.pair.split("/", 1)[1] == f"{contact.part}/{contact.target}" and bool((target.is_held == is_held).all())


def _object(target: ContactTarget, problem: TrackingProblem) -> ObjectReference:
    return next(item for item in problem.objects if item.name == target.object)


def _moves(target: ContactTarget, problem: TrackingProblem) -> bool:
    item = _object(target, problem)
    return bool(max(np.ptp(item.position, axis=0).max(), np.ptp(item.quat, axis=0).max()) > 1e-6)


def _goals(target: ContactTarget, problem: TrackingProblem) -> Float[ndarray, "frames 3"]:
    """The middle of the patch in the world."""
    item = _object(target, problem)
    return item.position + matrix_from_quaternion(item.quat) @ target.patch_centre


def _stays(x: Float[ndarray, "frames points 3"], goal: Float[ndarray, "frames points 3"]) -> Bool[ndarray, "frames points"]:
    """Where points are as near to their goals as parts are that have not left."""
    return np.linalg.norm(x - goal, axis=-1) < STAY_M


def _places(target: ContactTarget, chain: Chain) -> Float[ndarray, "frames 3"]:
    return chain.points(np.array([_bone(target)]), target.keypoint[None])[:, 0]


def _bone(target: ContactTarget) -> int:
    return BODY_JOINTS.index(target.body.removeprefix(f"{target.person}/"))
