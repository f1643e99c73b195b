"""The cost of one moment of many simulated robots against the motion, a `hsimul3r.tracking.window.Moment`."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.losses.scene import patch_distance
from hsimul3r.retarget.check.problem import ROBOT_NAME, RobotProblem
from hsimul3r.tracking import costs
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.simulation import Simulation

ROOT_HEIGHT_M = 0.7


@dataclass(frozen=True, kw_only=True)
class RobotMoment:
    """Every term is a function of `hsimul3r.tracking.costs`; results are (simulations, 1), as for one person."""

    problem: RobotProblem
    weights: CostWeights
    links: tuple[str, ...]
    columns: Int[ndarray, "targets"]
    """Of the labelled contacts in the contact readings."""
    names: tuple[str, ...]
    """Of what is to be touched: objects and the floor."""
    of_name: Bool[ndarray, "names targets"]
    is_held: Bool[ndarray, "targets frames"]
    qvel: Float[ndarray, "frames nv"]
    root_velocity: Int[ndarray, "2"]
    """Places of the root's horizontal velocity."""

    @classmethod
    def of(cls, problem: RobotProblem, simulation: Simulation, weights: CostWeights) -> Self:
        """Find everything by name, once."""
        column = {name: i for i, name in enumerate(simulation.contact_names)}
        names = tuple(dict.fromkeys(target.target for target in problem.targets))
        held = [target.is_held for target in problem.targets]
        return cls(
            problem=problem,
            weights=weights,
            links=tuple(f"{ROBOT_NAME}/{name}" for name in problem.robot.body_names),
            columns=np.array([column[target.pair] for target in problem.targets], int),
            names=names,
            of_name=np.array([[t.target == name for t in problem.targets] for name in names], bool).reshape(
                len(names), len(held)
            ),
            is_held=np.array(held, bool).reshape(len(held), problem.frames),
            qvel=problem.qvel(simulation.qvel_names),
            root_velocity=np.array([simulation.qvel_names.index(f"{ROBOT_NAME}/root:{c}") for c in ("vx", "vy")]),
        )

    def __call__(self, simulation: Simulation, frame: int = 0) -> Float[ndarray, "sims 1"]:
        """Links, root, velocities, objects, contacts in their places, contacts borne, penetration."""
        w, motion = self.weights, self.problem.motion
        frame = min(frame, self.problem.frames - 1)
        position, quat = simulation.body_poses(self.links)
        _, qvel = simulation.state()
        total = w.position * costs.position_error(position, motion.position[frame])
        total += w.rotation * costs.rotation_error(quat, motion.quaternion[frame])
        total += w.root * costs.root_error(position[:, 0], motion.position[frame, 0])
        total += w.velocity * costs.velocity_error(qvel, self.qvel[frame])
        total += w.penetration * costs.penetration(simulation.penetration_m())
        total += self._objects(simulation, frame) + w.scene * self._places(simulation, frame)
        total += w.missing_contact * self._missing(simulation, frame)
        return total[:, None]

    def end_velocity(self, simulation: Simulation) -> Float[ndarray, "sims 1"]:
        """How far from rest robot and objects are."""
        return self.weights.end_velocity * costs.speed(simulation.state()[1])[:, None]

    def tipping(self, simulation: Simulation, frame: int) -> Float[ndarray, "sims 1"]:
        """How far the robot is on its way to fall where the reference is not."""
        frame = min(frame, self.problem.frames - 1)
        position, _ = simulation.body_poses(self.links[:1])
        velocity = simulation.state()[1][:, self.root_velocity] - self.qvel[frame, self.root_velocity]
        away = position[:, 0, :2] - self.problem.motion.position[frame, 0, :2]
        return costs.tipping(away, velocity, ROOT_HEIGHT_M)[:, None]

    def _objects(self, simulation: Simulation, frame: int) -> Float[ndarray, "sims"]:
        objects = self.problem.objects
        position, quat = simulation.body_poses([item.name for item in objects])
        total = np.zeros(simulation.count)
        for i, item in enumerate(objects):
            total += self.weights.object_drift * costs.object_drift(position[:, i], item.position[frame])
            total += self.weights.object_tilt * costs.object_tilt(quat[:, i], item.quat[frame])
        return total

    def _places(self, simulation: Simulation, frame: int) -> Float[ndarray, "sims"]:
        """Eq. 5 with the contact's place as the patch."""
        held = [target for target in self.problem.targets if target.is_held[frame]]
        if not held:
            return np.zeros(simulation.count)
        links = simulation.body_poses([f"{ROBOT_NAME}/{target.link}" for target in held])
        keypoints = costs.points_of(*links, np.array([target.keypoint for target in held]))
        names = {item.name for item in self.problem.objects}
        places = np.tile([target.place for target in held], (simulation.count, 1, 1))
        on = [i for i, target in enumerate(held) if target.target in names]
        if on:
            moved = simulation.body_poses([held[i].target for i in on])
            places[:, on] = costs.points_of(*moved, np.array([held[i].place for i in on]))
        return patch_distance(keypoints, places, np.zeros(len(held)))

    def _missing(self, simulation: Simulation, frame: int) -> Float[ndarray, "sims"]:
        if not self.names:
            return np.zeros(simulation.count)
        force = simulation.contacts().force_n[:, self.columns] * self.is_held[:, frame]
        wanted = np.any(self.of_name & self.is_held[:, frame][None], axis=1)
        return costs.missing_contact(force @ self.of_name.T, wanted.reshape(1, -1), self.problem.robot.mass_kg)
