"""Whether a case is a stable interaction: its truth geometry in the engine, held by sampling control and judged (Sec. 3.4).

The verdict decides whether a case is in the benchmark. A pose must be a stable interaction (type 4). Of a motion the objects
must stand by themselves, and its first and last pose must hold where the person rests there; tracking what lies between is not
judged here.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsimul3r.artifacts import AlignedScene, BodySequence, Contact, ObjectAsset, Provenance, Rollout, SimScene, StabilityVerdict
from hsimul3r.benchmark.interactions import aligned_scene
from hsimul3r.benchmark.scene import Staged
from hsimul3r.benchmark.truth import Truth, TruthContact, TruthObject, contacts_at, truth_of
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.cameras import no_cameras
from hsimul3r.geometry.mesh import solid
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import DEVIATION, PENETRATION, UNLABELLED
from hsimul3r.tracking.static_cem import StaticCemConfig
from stages import build_sim_scene, judge_stability, track_motion

REST_SPEED_M_S = 0.05
"""A person whose joints all move slower than this rests."""
SEARCH = StaticCemConfig(
    samples=48, max_iterations=12, check_every=1, pose_share=0.2, root_m=0.01, root_rad=0.01, lean_rad=0.05, horizon_s=2.0
)
"""The pose is known, so only the balance is sought: a narrow search, seldom over 5 CPU seconds."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One frame under gravity: with the person where the person rests, else the objects alone."""

    frame: int
    is_at_rest: bool
    iterations: int
    """Of the search; 0 where the plain servos hold the pose."""
    verdict: StabilityVerdict

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the criteria that do not hold."""
        return tuple(c.name for c in self.verdict.criteria if not c.holds)


@dataclass(frozen=True, kw_only=True)
class Stability:
    """What the engine makes of a case."""

    moments: tuple[Moment, ...]
    is_stable: bool
    reason: str

    @property
    def figures(self) -> dict[str, float]:
        """How hard it was to hold, and how far the person was then from the truth and inside an object."""
        criteria = [c for moment in self.moments for c in moment.verdict.criteria]
        held = {name: [1000 * c.value for c in criteria if c.name == name] for name in (DEVIATION, PENETRATION)}
        return {
            "search_iterations": float(max(moment.iterations for moment in self.moments)),
            "held_deviation_mm": max(held[DEVIATION]),
            "held_penetration_mm": max(held[PENETRATION]),
        }

    def record(self) -> dict[str, object]:
        """Every figure, for JSON."""
        return {"is_stable": self.is_stable, "reason": self.reason, "moments": [_record(moment) for moment in self.moments]}


def truth_without_pictures(staged: Staged) -> Truth:
    """What is true of a case before anybody takes its picture."""
    return truth_of(staged, cameras=no_cameras(), frames=np.zeros(0, int), labels=(), depth=())


def judge_truth(truth: Truth, *, seed: int) -> Stability:
    """Hold and judge the moments of a case that are meant to be static."""
    is_motion = len(truth.body.pose) > 1
    moments = tuple(judge_moment(truth, frame, seed=seed) for frame in moments_of(truth))
    wrong = [moment for moment in moments if not _holds(moment, is_motion)]
    in_contact = [moment for moment in moments if not moment.failed]
    judged = (*wrong, *in_contact, *moments)[0]
    reason = judged.verdict.reason if wrong or in_contact else "Stable: the objects stand, and so does the person beside them."
    return Stability(moments=moments, is_stable=not wrong, reason=reason)


def moments_of(truth: Truth) -> tuple[int, ...]:
    """Frames to judge: the first always, the last of a motion where the person rests there."""
    last = len(truth.body.pose) - 1
    return (0, last) if last > 0 and rests(truth, last) else (0,)


def rests(truth: Truth, frame: int) -> bool:
    """True where the person does not move in that frame; a pose always rests."""
    joints = truth.body.joints
    if len(joints) == 1:
        return True
    start = min(max(frame - 1, 0), len(joints) - 2)
    step = np.linalg.norm(joints[start + 1] - joints[start], axis=-1)
    return bool(step.max() * truth.body.fps < REST_SPEED_M_S)


def judge_moment(truth: Truth, frame: int, *, seed: int) -> Moment:
    """The verdict on one frame."""
    scene, is_at_rest = sim_scene_of(scene_of(truth, frame)), rests(truth, frame)
    rollout, verdict = hold(scene if is_at_rest else judge_stability.objects_alone(scene), seed=seed)
    return Moment(frame=frame, is_at_rest=is_at_rest, iterations=round(rollout.report.get("iterations", 0.0)), verdict=verdict)


def scene_of(truth: Truth, frame: int = 0) -> AlignedScene:
    """One moment of a case as if it had been reconstructed without error; its contacts are the labels."""
    return _scene(truth, slice(frame, frame + 1), tuple(replace(c, first=0, last=0) for c in contacts_at(truth, frame)))


def motion_scene(truth: Truth) -> AlignedScene:
    """All frames of a case as if they had been reconstructed without error: its contacts in their frames, and the paths of
    the things that move. The furniture stands where it is in the first frame."""
    paths = {item.name: item.T_world_object for item in truth.objects if len(item.T_world_object) > 1}
    return replace(_scene(truth, slice(None), truth.contacts), object_paths=paths)


def _scene(truth: Truth, frames: slice, contacts: tuple[TruthContact, ...]) -> AlignedScene:
    body = truth.body
    person = BodySequence(
        person=0,
        betas=body.betas,
        pose=body.pose[frames],
        transl=body.transl[frames],
        fps=body.fps,
        stature_m=float(embedded_body().stature(body.betas)),
    )
    scene = aligned_scene((person,), tuple(_asset(item, frames.start or 0) for item in truth.objects), {})
    labels = tuple(
        Contact(person=0, part=c.part, target=c.target, gap_m=c.gap_m, point=c.point, first=c.first, last=c.last)
        for c in contacts
    )
    provenance = Provenance(adapter="truth of the benchmark", scale_source="given", frame="world")
    return replace(scene, provenance=provenance, contacts=labels)


def sim_scene_of(scene: AlignedScene) -> SimScene:
    """The engine's scene; its files are not kept."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = build_sim_scene.BuildSimSceneConfig()
        return build_sim_scene.run(scene, cfg=cfg, out=Path(folder), progress=Progress())


def hold(scene: SimScene, *, seed: int) -> tuple[Rollout, StabilityVerdict]:
    """Hold the scene with sampling control and judge it, on one thread."""
    tracking = track_motion.TrackMotionConfig(controller="static", threads=1, seed=seed, search=SEARCH)
    rollout = track_motion.run(scene, cfg=tracking, out=Path(), progress=Progress())
    judging = judge_stability.JudgeStabilityConfig(threads=1)
    return rollout, judge_stability.run(scene, rollout, cfg=judging, out=Path(), progress=Progress())


def _asset(item: TruthObject, frame: int) -> ObjectAsset:
    return ObjectAsset(
        name=item.name,
        category=item.category,
        family="truth",
        parameters={},
        parts=item.pieces,
        vertices=item.vertices,
        faces=item.faces,
        T_world_object=item.pose(frame),
        mass_kg=item.density_kg_m3 * solid(item.vertices, item.faces).volume_m3,
        density_kg_m3=item.density_kg_m3,
        friction=item.friction,
    )


def _holds(moment: Moment, is_motion: bool) -> bool:
    """A pose must be a stable interaction; at the ends of a motion nothing need be touched."""
    return moment.failed in ((), (UNLABELLED,)) if is_motion else moment.verdict.is_stable


def _record(moment: Moment) -> dict[str, object]:
    verdict = moment.verdict
    return {
        "frame": moment.frame,
        "is_at_rest": moment.is_at_rest,
        "search_iterations": moment.iterations,
        "is_stable": verdict.is_stable,
        "feedback_type": verdict.feedback_type,
        "reason": verdict.reason,
        "criteria": [
            {"test": c.test, "name": c.name, "value": c.value, "threshold": c.threshold, "holds": c.holds}
            for c in verdict.criteria
        ],
    }
