"""Sec. 3.4 in numbers: when objects stand by themselves, when a scene has settled, and when a contact is real.

The same functions certify a candidate inside the optimiser and give the final verdict.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import Criterion, Rollout
from hsimul3r.conventions import GRAVITY
from hsimul3r.tracking.costs import up_axis
from hsimul3r.tracking.layout import velocity_names
from hsimul3r.tracking.motion import rests_at_end
from hsimul3r.tracking.problem import ContactTarget, ObjectReference, TrackingProblem


@dataclass(frozen=True, kw_only=True)
class GravityThresholds:
    """When objects alone stand under gravity, tilted ground and side pushes."""

    tilt_deg: float = 15.0
    drift_m: float = 0.05
    speed: float = 0.1
    """Root mean square over an object's six velocities [m/s, rad/s]."""


@dataclass(frozen=True, kw_only=True)
class InteractionThresholds:
    """When a simulated scene has settled and its contacts are real; a motion is judged over its whole length."""

    window_s: float = 0.5
    """The final part of a rollout, in which a pose is judged and a motion that ends at rest must have settled."""
    tilt_deg: float = 15.0
    drift_m: float = 0.20
    speed: float = 0.1
    """Root mean square over a person's or an object's velocities [m/s, rad/s]."""
    contact_share: float = 0.8
    """Of the window's frames, for a motion of the frames in which the contact is held, with a plausible force."""
    least_force: float = 0.02
    greatest_force: float = 10.0
    """Body weights."""
    penetration_m: float = 0.03
    deviation_m: float = 0.25
    """Mean distance of a person's joints from the reconstruction, of a motion at every time."""
    turn_deg: float = 15.0
    """Of an object in a motion, from its path, about any axis."""
    start_s: float = 0.5
    """Of a motion, in which an overlap of the first frame may decay before penetration counts."""


DEVIATION = "deviation from the reconstruction [m]"
PENETRATION = "penetration [m]"
UNLABELLED = "labelled contacts with objects"
"""Name of the criterion that fails where no body part was found to touch an object."""

Test = Literal["gravity", "settled", "contact"]


def at_most(test: Test, name: str, value: float, threshold: float) -> Criterion:
    """A quantity that must not exceed its threshold (and must be a number)."""
    return Criterion(
        test=test, name=name, value=value, threshold=threshold, holds=value <= threshold, margin=(threshold - value) / threshold
    )


def at_least(test: Test, name: str, value: float, threshold: float) -> Criterion:
    """A quantity that must reach its threshold."""
    return Criterion(
        test=test, name=name, value=value, threshold=threshold, holds=value >= threshold, margin=(value - threshold) / threshold
    )


def gravity_criteria(
    reference: ObjectReference,
    qpos: Float[ndarray, "probes 7"],
    qvel: Float[ndarray, "probes 6"],
    probes: Sequence[str],
    limits: GravityThresholds,
) -> Iterator[Criterion]:
    """One object's final state under each probe: plain gravity, tilted ground, pushes."""
    for probe, place, velocity in zip(probes, qpos, qvel):
        what = f"{reference.name}, {probe}"
        drift = float(np.linalg.norm(place[:3] - reference.position[0]))
        yield at_most("gravity", f"tilt of {what} [deg]", tilt_deg(place[3:], reference.quat[0]), limits.tilt_deg)
        yield at_most("gravity", f"drift of {what} [m]", drift, limits.drift_m)
        yield at_most("gravity", f"speed of {what}", float(np.sqrt((velocity**2).mean())), limits.speed)


def interaction_criteria(rollout: Rollout, problem: TrackingProblem, limits: InteractionThresholds) -> tuple[Criterion, ...]:
    """Everything that a rollout must satisfy beside the objects' own stability; a motion's problem has the rollout's rate."""
    if problem.frames == 1:
        frames = slice(max(len(rollout.qpos) - round(limits.window_s * rollout.fps), 0), None)
        after_start, settled = frames, (*_at_rest(rollout, problem, frames, limits), *_still(rollout, frames, limits))
    else:
        frames, after_start = slice(None), slice(min(round(limits.start_s * rollout.fps), len(rollout.qpos) - 1), None)
        settled = (*_on_path(rollout, problem, limits), *_still_at_end(rollout, problem, limits))
    return (
        at_most("settled", "break-downs of the simulation", rollout.report.get("divergences", 0.0), 0.5),
        *settled,
        *_contacts(rollout, problem, frames, limits),
        *_peaks(rollout, problem, after_start, limits),
        at_most("contact", PENETRATION, float(rollout.penetration_m[after_start].max()), limits.penetration_m),
        at_most("contact", DEVIATION, float(rollout.body_deviation_m[frames].max()), limits.deviation_m),
    )


def tilt_deg(quat: Float[ndarray, "4"], reference: Float[ndarray, "4"]) -> float:
    """Angle between an object's up axis and its reference."""
    return float(np.degrees(np.arccos(np.clip(up_axis(quat) @ up_axis(reference), -1.0, 1.0))))


def turn_deg(quat: Float[ndarray, "*batch 4"], reference: Float[ndarray, "*batch 4"]) -> Float[ndarray, "*batch"]:
    """Angle between two orientations."""
    cosine = np.clip(np.abs((quat * reference).sum(axis=-1)), 0.0, 1.0)
    return np.degrees(2 * np.arccos(cosine))


@dataclass(frozen=True, kw_only=True)
class LabelledContact:
    """What a person and an object that it should touch do to each other, over the labelled parts together."""

    force_n: Float[ndarray, "frames"]
    """Of the parts that are held at the time."""
    is_held: Bool[ndarray, "frames"]
    """Where any of the parts should touch."""


def labelled_contacts(rollout: Rollout, problem: TrackingProblem) -> dict[tuple[str, str], LabelledContact]:
    """By person and object."""
    column = {name: i for i, name in enumerate(rollout.contact_names)}
    frame = np.minimum(np.arange(len(rollout.qpos)), problem.frames - 1)
    targets: dict[tuple[str, str], list[ContactTarget]] = defaultdict(list)
    for target in problem.targets:
        targets[target.person, target.object].append(target)
    found = {}
    for pair, mine in targets.items():
        names = list(dict.fromkeys(target.pair for target in mine))
        held = np.array([np.any([t.is_held[frame] for t in mine if t.pair == name], axis=0) for name in names])
        force = rollout.contact_force_n[:, [column[name] for name in names]].T
        if held.any():
            found[pair] = LabelledContact(force_n=(force * held).sum(axis=0), is_held=held.max(axis=0))
    return found


def _at_rest(rollout: Rollout, problem: TrackingProblem, window: slice, limits: InteractionThresholds) -> Iterator[Criterion]:
    for reference, position, quat in zip(
        problem.objects, rollout.object_pos[window].swapaxes(0, 1), rollout.object_quat[window].swapaxes(0, 1)
    ):
        drift = float(np.linalg.norm(position - reference.position[-1], axis=1).max())
        tilt = max(tilt_deg(q, reference.quat[-1]) for q in quat)
        yield at_most("settled", f"tilt of {reference.name} [deg]", tilt, limits.tilt_deg)
        yield at_most("settled", f"drift of {reference.name} [m]", drift, limits.drift_m)


def _on_path(rollout: Rollout, problem: TrackingProblem, limits: InteractionThresholds) -> Iterator[Criterion]:
    frame = np.minimum(np.arange(len(rollout.qpos)), problem.frames - 1)
    for i, reference in enumerate(problem.objects):
        turn = turn_deg(rollout.object_quat[:, i], reference.quat[frame]).max()
        drift = np.linalg.norm(rollout.object_pos[:, i] - reference.position[frame], axis=1).max()
        yield at_most("settled", f"turn of {reference.name} from its path [deg]", float(turn), limits.turn_deg)
        yield at_most("settled", f"distance of {reference.name} from its path [m]", float(drift), limits.drift_m)


def _still_at_end(rollout: Rollout, problem: TrackingProblem, limits: InteractionThresholds) -> Iterator[Criterion]:
    if rests_at_end(problem) and len(rollout.qpos) > problem.frames:
        window = slice(max(len(rollout.qpos) - round(limits.window_s * rollout.fps), 0), None)
        yield from _still(rollout, window, limits)


def _still(rollout: Rollout, window: slice, limits: InteractionThresholds) -> Iterator[Criterion]:
    owners = np.array([name.split(":")[0].split("/")[0] for name in velocity_names(rollout.qpos_names)])
    for owner in dict.fromkeys(owners.tolist()):
        velocity = rollout.qvel[window][:, owners == owner]
        yield at_most("settled", f"speed of {owner}", float(np.sqrt((velocity**2).mean())), limits.speed)


def _contacts(rollout: Rollout, problem: TrackingProblem, frames: slice, limits: InteractionThresholds) -> Iterator[Criterion]:
    weight = {person.name: person.mass_kg * GRAVITY for person in problem.people}
    contacts = labelled_contacts(rollout, problem)
    if not contacts and problem.objects:
        yield at_least("contact", UNLABELLED, 0.0, 1.0)
    for (person, name), contact in contacts.items():
        ratio = contact.force_n[frames][contact.is_held[frames]] / weight[person]
        share = float(((ratio >= limits.least_force) & (ratio <= limits.greatest_force)).mean())
        yield at_least("contact", f"time {person} touches {name} [share]", share, limits.contact_share)


def _peaks(rollout: Rollout, problem: TrackingProblem, frames: slice, limits: InteractionThresholds) -> Iterator[Criterion]:
    """Labelled or not: a limb that is wedged in an object bears more than anybody weighs."""
    weight = {person.name: person.mass_kg * GRAVITY for person in problem.people}
    total: dict[tuple[str, str], ndarray] = defaultdict(lambda: np.zeros(len(rollout.qpos)))
    for column, pair in enumerate(rollout.contact_names):
        person, _, name = pair.split("/", 2)
        total[person, name] += rollout.contact_force_n[:, column]
    for (person, name), force in total.items():
        peak = float(force[frames].max()) / weight[person]
        yield at_most("settled", f"peak force of {person} on {name} [body weights]", peak, limits.greatest_force)
