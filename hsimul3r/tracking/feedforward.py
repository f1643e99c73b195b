"""What servos must be asked for so that a motion comes about: they lag behind, and they give way under load.

A servo of stiffness k and damping d about a ball joint gives k (target - angle) - d omega. For a torque tau on a joint that
turns at omega the target is angle + (d / k) omega + tau / k. With PHC's gains the lag is a tenth of a second, and the hip of a
leg that stands alone gives way by five degrees. Torques follow from the reference's accelerations and from forces at its
supports (inverse dynamics).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from hsimul3r.conventions import BODY_JOINTS, GRAVITY
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.tracking.chain import CARRIES, JOINTS, Chain
from hsimul3r.tracking.layout import HumanLayout, joint_kind, velocity_names
from hsimul3r.tracking.problem import PersonReference
from hsimul3r.tracking.simulation import Simulation
from hsimul3r.tracking.supports import Footing

SAMPLE_S = 1 / 15
"""Apart of the moments whose forces are found; accelerations are differences over it."""
SMOOTH_SAMPLES = 0.6
TURN_S = 1 / 30
"""Angular velocities are differences over twice this."""
RAYS = np.array([[0.5, 0.5, 1.0], [0.5, -0.5, 1.0], [-0.5, 0.5, 1.0], [-0.5, -0.5, 1.0]])
"""Edges of a friction pyramid."""
HAND_SHARE = 3.0
"""By how much a newton at a hand or forearm costs more than one at a foot or seat."""
EVENNESS = 0.02
"""Cost of a force [1 / N] against that of missing the weight and its moments."""
MOMENT_WEIGHT = 3.0
"""Of a newton metre against a newton."""


@dataclass(frozen=True, kw_only=True)
class Gains:
    """Of every servo, in the engine's order, as it behaves at rest."""

    stiffness: Float[ndarray, "nu"]
    """N m / rad."""
    damping: Float[ndarray, "nu"]
    """N m s / rad."""

    @classmethod
    def measured(cls, simulation: Simulation, people: tuple[str, ...]) -> "Gains":
        """By how much the torque changes with the target and with the joint's velocity; needs three simulations."""
        place = {name: i for i, name in enumerate(velocity_names(simulation.qpos_names))}
        qpos, qvel = (part[:1].repeat(3, axis=0) for part in simulation.state())
        ctrl = np.zeros((3, len(simulation.ctrl_names)))
        qvel[:] = 0.0
        for name in simulation.ctrl_names:
            joint, axis = name.rsplit("/", 1)
            qvel[2, place[f"{joint}:w{axis}"]] = PROBE
        for person in people:
            layout = HumanLayout.of(person, simulation.qpos_names, simulation.ctrl_names)
            layout.write_targets(ctrl, layout.read_pose(qpos)[1])
        ctrl[1] += PROBE
        simulation.reset(qpos, qvel)
        simulation.step(ctrl)
        still, pulled, turning = simulation.servo_torques()
        return cls(stiffness=(pulled - still) / PROBE, damping=(still - turning) / PROBE)


PROBE = 1e-3
"""rad and rad/s."""


def servo_lead(
    person: PersonReference, footing: Footing | None, layout: HumanLayout, gains: Gains, fps: float
) -> Float[ndarray, "frames 63"]:
    """What is added to the pose as target, three of each joint after the root; only the lag's where no support is known."""
    stiffness, damping = (gain[layout.servos] for gain in (gains.stiffness, gains.damping))
    lead = damping / stiffness * turning(person, fps)[:, 1:]
    if footing is not None:
        lead += torques(person, footing, fps)[:, 1:] / stiffness
    return lead.reshape(len(lead), -1)


def turning(person: PersonReference, fps: float) -> Float[ndarray, "frames 22 3"]:
    """Angular velocities of the joints about their own axes [rad/s]."""
    count, apart = len(person.pose), max(round(TURN_S * fps), 1)
    after, before = np.minimum(np.arange(count) + apart, count - 1), np.maximum(np.arange(count) - apart, 0)
    R = matrix_from_axis_angle(person.pose)
    turned = axis_angle_from_matrix(np.swapaxes(R[before], -1, -2) @ R[after])
    return turned * (fps / np.maximum(after - before, 1))[:, None, None]


def torques(person: PersonReference, footing: Footing, fps: float) -> Float[ndarray, "frames 22 3"]:
    """What the joints must give, in their own frames [N m]; bones are points with mass. Zero where nothing is known to bear."""
    chain, segments = Chain.of(person), footing.segments
    frames = np.arange(0, len(person.pose), max(round(SAMPLE_S * fps), 1))
    parts = chain.points(np.arange(JOINTS), segments.centre)
    masses = segments.share * person.mass_kg
    loads = masses[:, None] * (accelerations(parts, frames, fps) + np.array([0.0, 0.0, GRAVITY]))
    found = np.zeros((len(frames), JOINTS, 3))
    for i, frame in enumerate(frames):
        bearing = [s.bearing[frame] for s in footing.supports]
        if not any(points.any() for points in bearing):
            continue
        bones = np.concatenate([s.bones[points] for s, points in zip(footing.supports, bearing)])
        local = np.concatenate([s.local[points] for s, points in zip(footing.supports, bearing)])
        places = chain.at(np.array([frame])).points(bones, local)[0]
        force = bearing_forces(places, _costs(bones), parts[frame], loads[i])
        own, borne = (points[None] - chain.p[frame][:, None] for points in (parts[frame], places))
        torque = (CARRIES[..., None] * np.cross(own, loads[i][None])).sum(axis=1)
        torque -= (CARRIES[:, bones, None] * np.cross(borne, force[None])).sum(axis=1)
        found[i] = np.einsum("jyx,jy->jx", chain.R[frame], torque)
    smooth = gaussian_filter1d(found, SMOOTH_SAMPLES, axis=0, mode="nearest").reshape(len(frames), -1)
    every = np.arange(len(person.pose))
    return np.stack([np.interp(every, frames, column) for column in smooth.T], axis=1).reshape(-1, JOINTS, 3)


def accelerations(
    parts: Float[ndarray, "frames 22 3"], frames: Int[ndarray, "some"], fps: float
) -> Float[ndarray, "some 22 3"]:
    """Second differences over `SAMPLE_S`; zero at both ends, where there is none."""
    apart = max(round(SAMPLE_S * fps), 1)
    inside = (frames >= apart) & (frames + apart < len(parts))
    found = np.zeros((len(frames), *parts.shape[1:]))
    at = frames[inside]
    found[inside] = (parts[at + apart] - 2 * parts[at] + parts[at - apart]) * (fps / apart) ** 2
    return found


def bearing_forces(
    places: Float[ndarray, "points 3"],
    cost: Float[ndarray, "points"],
    parts: Float[ndarray, "bones 3"],
    loads: Float[ndarray, "bones 3"],
) -> Float[ndarray, "points 3"]:
    """Forces within their friction pyramids that carry the loads as well as they can, spread as evenly as they can be."""
    centre = loads[:, 2] @ parts / loads[:, 2].sum()
    arms = places - centre
    by_ray = np.concatenate([np.broadcast_to(RAYS, (len(places), 4, 3)), np.cross(arms[:, None], RAYS[None])], axis=2)
    wanted = np.concatenate([loads.sum(axis=0), np.cross(parts - centre, loads).sum(axis=0)])
    weight = np.repeat([1.0, MOMENT_WEIGHT], 3)
    rows = np.vstack([weight[:, None] * by_ray.reshape(-1, 6).T, EVENNESS * np.diag(np.repeat(cost, len(RAYS)))])
    shares, _ = nnls(rows, np.concatenate([weight * wanted, np.zeros(len(RAYS) * len(places))]))
    return shares.reshape(-1, len(RAYS)) @ RAYS


def _costs(bones: Int[ndarray, "points"]) -> Float[ndarray, "points"]:
    is_hand = [joint_kind(BODY_JOINTS[bone]) in ("wrist", "elbow") for bone in bones]
    return np.where(is_hand, HAND_SHARE, 1.0)
