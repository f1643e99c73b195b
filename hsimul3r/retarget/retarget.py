"""From a person's motion among objects to a robot's: scale, kinematic start, heights of the objects, contacts, speeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset, Provenance
from hsimul3r.body.model import BodyModel
from hsimul3r.geometry.rotations import quaternion_from_matrix
from hsimul3r.retarget.contacts import RobotContacts, Scales, contacts_of, place_targets
from hsimul3r.retarget.distance import Floor, Solid, pairs_of, samples_of
from hsimul3r.retarget.human import Human
from hsimul3r.retarget.kinematics import Postures, chain_of, posed
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.problem import Problem, SolveConfig
from hsimul3r.retarget.robot import RobotDescription
from hsimul3r.retarget.scaling import fitted_scales, scaled_asset, scaled_poses
from hsimul3r.retarget.solve import iterate, limited, refined, start_of
from hsimul3r.retarget.targets import PlaceTargets, Targets, leg_ratio, targets_of


@dataclass(frozen=True, kw_only=True)
class RetargetConfig:
    """How a motion becomes a robot's."""

    scene_scale: float | None = None
    """Of places and objects; by default the ratio of the legs, robot over person."""
    fits_heights: bool = True
    """Let objects' heights differ from that factor where the robot's contacts want it."""
    solve: SolveConfig = field(default_factory=SolveConfig)


@dataclass(frozen=True, kw_only=True)
class HumanScene:
    """One person's motion, and what is touched in it."""

    model: BodyModel
    body: BodySequence
    assets: tuple[ObjectAsset, ...]
    contacts: tuple[Contact, ...]
    paths: Mapping[str, Float[ndarray, "frames 4 4"]] = field(default_factory=dict)
    """T_world_object of moved objects."""

    def poses(self) -> dict[str, Float[ndarray, "poses 4 4"]]:
        """Of every object: one, or one a frame."""
        return {asset.name: self.paths.get(asset.name, asset.T_world_object[None]) for asset in self.assets}


def retarget(
    scene: HumanScene, robot: RobotDescription, *, cfg: RetargetConfig, name: str, provenance: Provenance
) -> RobotMotion:
    """The robot's motion; `name` is how its description is found again. Raises `RobotLacks`."""
    own = Human.of(scene.model, scene.body)
    scale = cfg.scene_scale or leg_ratio(own, robot)
    human = own.scaled(scale)
    poses = scene.poses()
    problem = _problem(human, robot, targets_of(human, robot), cfg.solve)
    start = _start(problem)
    heights = fitted_scales(scene.contacts, poses, robot, start, scale) if cfg.fits_heights else {}
    scales = Scales(scene=scale, objects={key: heights.get(key, np.full(3, scale)) for key in poses})
    placed = {key: scaled_poses(value, scale) for key, value in poses.items()}
    assets = tuple(scaled_asset(asset, scales.of(asset.name), placed[asset.name][0]) for asset in scene.assets)
    surroundings = (Floor(), *(Solid.of(asset, placed[asset.name]) for asset in assets))
    contacts = contacts_of(scene.contacts, human, robot, surroundings, scales, poses)
    problem = replace(
        problem,
        targets=_freed(problem.targets, contacts),
        held=place_targets(contacts.held, surroundings, len(human)),
        touches=contacts.touches,
        surroundings=surroundings,
    )
    at = _solved(problem, start)
    return RobotMotion(
        provenance=provenance,
        robot=name,
        fps=human.fps,
        root_position=at.root,
        root_quaternion=_continuous(quaternion_from_matrix(at.turn)),
        joint_names=robot.joint_names,
        joint_position=at.angles,
        contacts=contacts.listed,
        assets=assets,
        object_paths={key: value for key, value in placed.items() if key in scene.paths},
        object_scales=dict(scales.objects),
        scene_scale=scale,
        person=scene.body.person,
        report={"contacts_left_out": float(contacts.left_out)},
    )


def _problem(human: Human, robot: RobotDescription, targets: Targets, cfg: SolveConfig) -> Problem:
    """Without surroundings."""
    return Problem(
        chain=chain_of(robot), samples=samples_of(robot), pairs=pairs_of(robot), fps=human.fps, targets=targets,
        held=place_targets((), (), len(human)), touches=(), surroundings=(), cfg=cfg,
    )  # fmt: skip


def _start(problem: Problem) -> Postures:
    """As asked, without surroundings, from every third frame."""
    step = problem.cfg.coarse_step
    coarse = problem.thinned(step)
    count = problem.cfg.start_iterations
    at = iterate(coarse, start_of(coarse), count, count)
    return refined(problem.chain, at, step, len(problem.held.weight))


def _solved(problem: Problem, start: Postures) -> Postures:
    """Every third frame, then all; at the end no joint is faster than it can be."""
    step, cfg, chain = problem.cfg.coarse_step, problem.cfg, problem.chain
    thin = posed(chain, start.root[::step], start.turn[::step], start.angles[::step])
    at = refined(chain, iterate(problem.thinned(step), thin, *cfg.coarse_iterations), step, len(start))
    at = iterate(problem, at, *cfg.iterations)
    return posed(chain, at.root, at.turn, limited(at.angles, chain.speed_rad_s / problem.fps))


def _freed(targets: Targets, contacts: RobotContacts) -> Targets:
    """Feet that are held need no other place."""
    weight = targets.places.weight.copy()
    for k, side in enumerate(("left", "right")):
        weight[contacts.planted[f"{side}_foot"], 1 + k] = 0.0
    places: PlaceTargets = replace(targets.places, weight=weight)
    return replace(targets, places=places)


def _continuous(quaternion: Float[ndarray, "frames 4"]) -> Float[ndarray, "frames 4"]:
    """Neighbours in the same half of the sphere."""
    turned = (quaternion[1:] * quaternion[:-1]).sum(axis=1) < 0
    sign = np.cumprod(np.where(np.concatenate([[False], turned]), -1.0, 1.0))
    return quaternion * sign[:, None]


def scene_of(
    model: BodyModel,
    body: BodySequence,
    assets: Sequence[ObjectAsset],
    contacts: Sequence[Contact],
    paths: Mapping[str, Float[ndarray, "frames 4 4"]],
) -> HumanScene:
    """The part of a scene that concerns one person."""
    return HumanScene(
        model=model, body=body, assets=tuple(assets), paths=dict(paths),
        contacts=tuple(contact for contact in contacts if contact.person == body.person),
    )  # fmt: skip
