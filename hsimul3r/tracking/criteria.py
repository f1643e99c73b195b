"""Sec. 3.4 in numbers: when objects stand by themselves, when a scene has settled, and when a contact is real.

The same functions certify a candidate inside the optimiser and give the final verdict.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Criterion, Rollout
from hsimul3r.conventions import GRAVITY
from hsimul3r.tracking.costs import up_axis
from hsimul3r.tracking.layout import velocity_names
from hsimul3r.tracking.problem import ObjectReference, TrackingProblem


@dataclass(frozen=True, kw_only=True)
class GravityThresholds:
    """When objects alone stand under gravity, tilted ground and side pushes."""

    tilt_deg: float = 15.0
    drift_m: float = 0.05
    speed: float = 0.1
    """Root mean square over an object's six velocities [m/s, rad/s]."""


@dataclass(frozen=True, kw_only=True)
class InteractionThresholds:
    """When a simulated scene has settled and its contacts are real."""

    window_s: float = 0.5
    """The final part of the rollout that is judged."""
    tilt_deg: float = 15.0
    drift_m: float = 0.20
    speed: float = 0.1
    """Root mean square over a person's or an object's velocities [m/s, rad/s]."""
    contact_share: float = 0.8
    """Of the window's frames in which a labelled contact must bear a plausible force."""
    least_force: float = 0.02
    greatest_force: float = 10.0
    """Body weights."""
    penetration_m: float = 0.03
    deviation_m: float = 0.25
    """Mean distance of a person's joints from the reconstruction."""


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
    """Everything that a rollout must satisfy beside the objects' own stability."""
    window = slice(max(len(rollout.qpos) - round(limits.window_s * rollout.fps), 0), None)
    return (
        at_most("settled", "break-downs of the simulation", rollout.report.get("divergences", 0.0), 0.5),
        *_settled(rollout, problem, window, limits),
        *_contacts(rollout, problem, window, limits),
        at_most("contact", PENETRATION, float(rollout.penetration_m[window].max()), limits.penetration_m),
        at_most(
            "contact",
            DEVIATION,
            float(rollout.body_deviation_m[window].max()),
            limits.deviation_m,
        ),
    )


def tilt_deg(quat: Float[ndarray, "4"], reference: Float[ndarray, "4"]) -> float:
    """Angle between an object's up axis and its reference."""
    return float(np.degrees(np.arccos(np.clip(up_axis(quat) @ up_axis(reference), -1.0, 1.0))))


def labelled_force(rollout: Rollout, problem: TrackingProblem) -> dict[tuple[str, str], Float[ndarray, "frames"]]:
    """Force between each person and each object that it should touch, over the labelled parts together."""
    column = {name: i for i, name in enumerate(rollout.contact_names)}
    total: dict[tuple[str, str], ndarray] = defaultdict(lambda: np.zeros(len(rollout.qpos)))
    for target in problem.targets:
        total[target.person, target.object] += rollout.contact_force_n[:, column[target.pair]]
    return dict(total)


def _settled(rollout: Rollout, problem: TrackingProblem, window: slice, limits: InteractionThresholds) -> Iterator[Criterion]:
    for reference, position, quat in zip(
        problem.objects, rollout.object_pos[window].swapaxes(0, 1), rollout.object_quat[window].swapaxes(0, 1)
    ):
        drift = float(np.linalg.norm(position - reference.position[-1], axis=1).max())
        tilt = max(tilt_deg(q, reference.quat[-1]) for q in quat)
        yield at_most("settled", f"tilt of {reference.name} [deg]", tilt, limits.tilt_deg)
        yield at_most("settled", f"drift of {reference.name} [m]", drift, limits.drift_m)
    owners = np.array([name.split(":")[0].split("/")[0] for name in velocity_names(rollout.qpos_names)])
    for owner in dict.fromkeys(owners.tolist()):
        velocity = rollout.qvel[window][:, owners == owner]
        yield at_most("settled", f"speed of {owner}", float(np.sqrt((velocity**2).mean())), limits.speed)


def _contacts(rollout: Rollout, problem: TrackingProblem, window: slice, limits: InteractionThresholds) -> Iterator[Criterion]:
    weight = {person.name: person.mass_kg * GRAVITY for person in problem.people}
    forces = labelled_force(rollout, problem)
    if not forces:
        yield at_least("contact", UNLABELLED, 0.0, 1.0)
    for (person, name), force in forces.items():
        ratio = force[window] / weight[person]
        share = float(((ratio >= limits.least_force) & (ratio <= limits.greatest_force)).mean())
        yield at_least("contact", f"time {person} touches {name} [share]", share, limits.contact_share)
        peak = float(ratio.max())
        yield at_most("settled", f"peak force of {person} on {name} [body weights]", peak, limits.greatest_force)
