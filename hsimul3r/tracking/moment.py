"""The cost of one moment of many simulations against the reference at that time: what samples are compared by."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.losses.scene import patch_distance
from hsimul3r.tracking import costs
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.layout import velocity_names
from hsimul3r.tracking.motion import velocities
from hsimul3r.tracking.problem import ContactTarget, PersonReference, TrackingProblem
from hsimul3r.tracking.simulation import Simulation

Frame = int | Int[ndarray, "sims"]
"""Of the reference: one for all simulations, or one for each."""


@dataclass(frozen=True, kw_only=True)
class Touch:
    """An object that a person should touch: the labelled parts' columns in the contact readings, and when each is held."""

    object: str
    columns: tuple[int, ...]
    is_held: Bool[ndarray, "columns frames"]

    def force(self, force_n: Float[ndarray, "sims pairs"], frame: Frame) -> Float[ndarray, "sims"]:
        """What the parts bear together that should bear at that time."""
        return (force_n[:, self.columns] * np.atleast_2d(self.is_held[:, frame].T)).sum(axis=1)


def touches_of(person: PersonReference, problem: TrackingProblem, contact_names: tuple[str, ...]) -> tuple[Touch, ...]:
    """What a person should touch, by the labels."""
    column = {name: i for i, name in enumerate(contact_names)}
    mine: dict[str, list[ContactTarget]] = {}
    for target in problem.targets:
        if target.person == person.name:
            mine.setdefault(target.object, []).append(target)
    return tuple(
        Touch(object=name, columns=tuple(column[t.pair] for t in targets), is_held=np.stack([t.is_held for t in targets]))
        for name, targets in mine.items()
    )


@dataclass(frozen=True, kw_only=True)
class MomentCost:
    """The cost of one moment of many simulations, per person; objects count for the people who should touch them."""

    problem: TrackingProblem
    weights: CostWeights
    joints: tuple[str, ...]
    touches: tuple[tuple[Touch, ...], ...]
    """Per person: what should bear the person."""
    concerns: Float[ndarray, "people objects"]
    """1 where an object counts for a person."""
    dofs: tuple[ndarray, ...]
    """Per person: the entries of qvel of the person and of the objects."""
    qvel: Float[ndarray, "frames nv"]
    """Of the reference."""
    roots: Int[ndarray, "people 2"]
    """The entries of qvel of everybody's horizontal velocity."""
    pairs: tuple[tuple[int, ...], ...]
    """Per person: all columns of the person in the contact readings."""

    @classmethod
    def of(cls, problem: TrackingProblem, simulation: Simulation, weights: CostWeights) -> Self:
        """Find everything by name, once."""
        owners = np.array([name.split(":")[0].split("/")[0] for name in velocity_names(simulation.qpos_names)])
        objects = [reference.name for reference in problem.objects]
        touches = tuple(touches_of(person, problem, simulation.contact_names) for person in problem.people)
        wanted = np.array([[name in {touch.object for touch in mine} for name in objects] for mine in touches])
        wanted = wanted.reshape(len(touches), len(objects))
        place = {name: i for i, name in enumerate(simulation.qvel_names)}
        concerns = np.where(wanted.any(axis=0), wanted, True)
        return cls(
            problem=problem,
            weights=weights,
            joints=tuple(f"{person.name}/{joint}" for person in problem.people for joint in BODY_JOINTS),
            touches=touches,
            concerns=concerns.astype(float),
            dofs=tuple(np.flatnonzero(np.isin(owners, [person.name, *objects])) for person in problem.people),
            qvel=velocities(problem, simulation.qvel_names),
            roots=np.array([[place[f"{person.name}/root:{c}"] for c in ("vx", "vy")] for person in problem.people], int),
            pairs=tuple(
                tuple(i for i, name in enumerate(simulation.contact_names) if name.startswith(f"{person.name}/"))
                for person in problem.people
            ),
        )

    def __call__(self, simulation: Simulation, frame: Frame = 0) -> Float[ndarray, "sims people"]:
        """Tracking, root, objects, Eq. 5, contact and penetration."""
        w, people = self.weights, self.problem.people
        frame = np.minimum(frame, self.problem.frames - 1)
        position, quat = simulation.body_poses(self.joints)
        x = position.reshape(simulation.count, len(people), len(BODY_JOINTS), 3)
        q = quat.reshape(simulation.count, len(people), len(BODY_JOINTS), 4)
        _, qvel = simulation.state()
        total = self._objects(simulation, frame) @ self.concerns.T
        total += self._scene(simulation, frame)
        force = simulation.contacts().force_n
        total += w.penetration * costs.penetration(simulation.penetration_m())[:, None]
        for i, (person, touches) in enumerate(zip(people, self.touches)):
            total[:, i] += w.position * costs.position_error(x[:, i], person.joints[frame])
            total[:, i] += w.rotation * costs.rotation_error(q[:, i], person.quats[frame])
            total[:, i] += w.root * costs.root_error(x[:, i, 0], person.joints[frame, 0])
            total[:, i] += w.velocity * costs.velocity_error(qvel[:, self.dofs[i]], self.qvel[frame][..., self.dofs[i]])
            total[:, i] += w.squeeze * costs.squeeze(force[:, self.pairs[i]], person.mass_kg)
            total[:, i] += w.missing_contact * self._missing(force, touches, person.mass_kg, frame)
        return total

    def end_velocity(self, simulation: Simulation) -> Float[ndarray, "sims people"]:
        """How far from rest people and objects are."""
        _, qvel = simulation.state()
        return self.weights.end_velocity * np.stack([costs.speed(qvel[:, dofs]) for dofs in self.dofs], axis=1)

    def tipping(self, simulation: Simulation, frame: int) -> Float[ndarray, "sims people"]:
        """Squared way [m^2] that people are about to fall and the reference is not."""
        frame, people = min(frame, self.problem.frames - 1), self.problem.people
        position, _ = simulation.body_poses([f"{person.name}/{BODY_JOINTS[0]}" for person in people])
        _, qvel = simulation.state()
        goal = np.array([person.joints[frame, 0, :2] for person in people])
        return costs.tipping(position[..., :2] - goal, qvel[:, self.roots] - self.qvel[frame][self.roots])

    def _objects(self, simulation: Simulation, frame: Frame) -> Float[ndarray, "sims objects"]:
        position, quat = simulation.body_poses([reference.name for reference in self.problem.objects])
        columns = [
            self.weights.object_drift * costs.object_drift(position[:, i], reference.position[frame])
            + self.weights.object_tilt * costs.object_tilt(quat[:, i], reference.quat[frame])
            for i, reference in enumerate(self.problem.objects)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((simulation.count, 0))

    def _missing(
        self, force: Float[ndarray, "sims pairs"], touches: tuple[Touch, ...], mass_kg: float, frame: Frame
    ) -> Float[ndarray, "sims"]:
        if not touches:
            return np.zeros(len(force))
        borne = np.stack([touch.force(force, frame) for touch in touches], axis=1)
        is_held = np.stack([np.atleast_1d(touch.is_held[:, frame].any(axis=0)) for touch in touches], axis=1)
        return costs.missing_contact(borne, is_held, mass_kg)

    def _scene(self, simulation: Simulation, frame: Frame) -> Float[ndarray, "sims people"]:
        columns = []
        for person in self.problem.people:
            targets = [target for target in self.problem.targets if target.person == person.name]
            keypoints = _fixed_points(simulation, [t.body for t in targets], [t.keypoint for t in targets])
            centres = _fixed_points(simulation, [t.object for t in targets], [t.patch_centre for t in targets])
            spread = np.array([t.patch_spread for t in targets])
            is_held = np.array([t.is_held[frame] for t in targets]).T
            columns.append(patch_distance(keypoints, centres, spread, is_held))
        return self.weights.scene * np.stack(columns, axis=1)


def _fixed_points(simulation: Simulation, bodies: list[str], local: list[ndarray]) -> Float[ndarray, "sims points 3"]:
    if not bodies:
        return np.zeros((simulation.count, 0, 3))
    return costs.points_of(*simulation.body_poses(bodies), np.array(local))
