"""What every physics backend must get right, in closed form; `check(backend)` raises `AssertionError` with what fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from hsimul3r.artifacts import ObjectAsset, Provenance, SimScene
from hsimul3r.benchmark.interactions import furniture, sit_on_chair
from hsimul3r.body.model import EMBEDDED
from hsimul3r.conventions import BODY_JOINTS, GRAVITY
from hsimul3r.errors import UnsupportedParameter
from hsimul3r.geometry.rotations import axis_angle_from_quaternion
from hsimul3r.tracking.layout import FREE_COMPONENTS, HumanLayout, human_name, object_place
from hsimul3r.tracking.simulation import Parameter
from sim_envs.contract import JUDGE, PLAN, SimBackend
from sim_envs.humanoid import torque_limit
from sim_envs.scene_builder import SceneParts, describe

MASS_KG, HALF_M = 4.0, 0.1
SINGLE = 1e-6
"""What an engine in single precision may be off."""


def check(backend: SimBackend) -> None:
    """Run the whole suite."""
    for requirement in REQUIREMENTS:
        requirement(backend)


def falls_freely(backend: SimBackend) -> None:
    """A block in the air falls by g t^2 / 2, to the error of a first-order integrator (g t dt / 2) and single precision."""
    drop, seconds = 2.0, 0.4
    for timing in (PLAN, JUDGE):
        batch = backend.load(blocks_scene(drop), count=1, timing=timing, threads=1)
        steps = round(seconds / timing.timestep_s)
        batch.step(np.zeros((1, 0)), steps)
        height = batch.state()[0][0, object_place("block0", batch.qpos_names)[2]]
        fallen, time_s = drop - height, steps * timing.timestep_s
        expected = GRAVITY * time_s**2 / 2
        assert abs(fallen - expected) <= GRAVITY * time_s * timing.timestep_s / 2 + SINGLE, (fallen, expected)


def rests_at_its_weight(backend: SimBackend) -> None:
    """A block on the floor stays, and so does one on top of another."""
    batch = backend.load(blocks_scene(HALF_M), count=1, timing=JUDGE, threads=1)
    start = batch.state()[0].copy()
    batch.step(np.zeros((1, 0)), 480)
    qpos, qvel = batch.state()
    assert np.abs(qpos - start).max() < 1e-3 and np.abs(qvel).max() < 1e-3, "a resting block moves"
    scene = blocks_scene(HALF_M, 3 * HALF_M)
    stack = backend.load(scene, count=1, timing=JUDGE, threads=1)
    stack.step(np.zeros((1, 0)), 480)
    assert np.abs(stack.state()[1]).max() < 1e-3, "a block on a block does not rest"


def bears_a_sitter(backend: SimBackend) -> None:
    """The forces of a chair on who sits on it without touching the floor add up to the sitter's weight."""
    scene = hovering_sitter()
    batch = backend.load(scene, count=1, timing=JUDGE, threads=1)
    ctrl = np.zeros((1, len(batch.ctrl_names)))
    HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names).write_targets(ctrl, scene.bodies[0].pose[:1, :22])
    batch.step(ctrl, round(2.0 / JUDGE.timestep_s), is_exact=True)
    weight = scene.human_mass_kg[0] * GRAVITY
    assert not batch.capped_steps().any(), "the solver stopped short of its solution"
    vertical = float(batch.contacts().force_n.sum())
    assert abs(vertical / weight - 1) < 0.05, f"the seat bears {vertical:.1f} N of {weight:.1f} N"


def is_reproducible(backend: SimBackend) -> None:
    """Bit-identical at one and two threads and in a batch of any size, where the backend claims it."""
    if not backend.capabilities.is_bit_reproducible:
        return
    scene = seated_scene()
    ends = []
    for count, threads in ((1, 1), (5, 1), (5, 2)):
        batch = backend.load(scene, count=count, timing=JUDGE, threads=threads)
        batch.step(np.zeros((count, len(batch.ctrl_names))), 60)
        ends += list(batch.state()[0])
    assert all(np.array_equal(end, ends[0]) for end in ends), "the result depends on threads or on the batch"


def names_are_the_scene_s(backend: SimBackend) -> None:
    """The scene's names for its state are the engine's; every bone, servo and contact pair can be found."""
    scene = seated_scene()
    batch = backend.load(scene, count=2, timing=JUDGE, threads=1)
    assert batch.qpos_names == scene.qpos_names, "qpos is named otherwise"
    mass = sum(scene.human_mass_kg) + sum(asset.mass_kg for asset in scene.assets)
    assert abs(batch.total_mass_kg() - mass) < 1e-6, "the mass is not the scene's"
    np.testing.assert_allclose(batch.state()[0], np.tile(scene.qpos, (2, 1)), atol=SINGLE)
    layout = HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names)
    position, quat = batch.body_poses(layout.body_names())
    root, pose = layout.read_pose(scene.qpos)
    np.testing.assert_allclose(position[0, 0], root, atol=SINGLE)
    np.testing.assert_allclose(axis_angle_from_quaternion(quat[0, 0]), pose[0], atol=SINGLE)
    assert quat.shape == (2, len(BODY_JOINTS), 4)
    assert f"{human_name(0)}/buttocks/chair" in batch.contact_names
    assert {f"chair:{component}" for component in FREE_COMPONENTS} <= set(batch.qpos_names)


def parameters_act_per_simulation(backend: SimBackend) -> None:
    """Gravity and forces set for one simulation act on it alone."""
    batch = backend.load(blocks_scene(2.0), count=3, timing=JUDGE, threads=1)
    gravity = np.tile([0.0, 0.0, -GRAVITY], (3, 1))
    gravity[1] = 0.0
    force = np.zeros((3, 3))
    if "gravity_m_s2" in backend.capabilities.parameters:
        batch.set_parameter("gravity_m_s2", gravity)
    else:
        force[1] = [0.0, 0.0, MASS_KG * GRAVITY]
    force[2] = [0.0, 0.0, MASS_KG * GRAVITY]
    batch.set_parameter("force_n", force, body="block0")
    batch.reset(batch.state()[0])
    batch.step(np.zeros((3, 0)), 60)
    height = batch.state()[0][:, object_place("block0", batch.qpos_names)[2]]
    assert height[0] < 1.9 and np.abs(height[1:] - 2.0).max() < 1e-5, height


def heavier_and_rougher_bodies(backend: SimBackend) -> None:
    """Pushed with 0.65 of its weight a block as rough as 0.8 stays, whatever its mass, and a smooth one slides on the floor."""
    batch = backend.load(blocks_scene(HALF_M), count=3, timing=JUDGE, threads=1)
    mass = np.array([MASS_KG, MASS_KG, 5 * MASS_KG])
    batch.set_parameter("friction", np.array([0.8, 0.0, 0.8]), body="block0")
    batch.set_parameter("mass_kg", mass, body="block0")
    batch.set_parameter("force_n", 0.65 * GRAVITY * mass[:, None] * [1.0, 0.0, 0.0], body="block0")
    batch.step(np.zeros((3, 0)), 240)
    moved = np.abs(batch.state()[0][:, object_place("block0", batch.qpos_names)[0]])
    assert moved[0] < 0.02 and moved[2] < 0.02 and moved[1] > 0.3, moved


def refuses_what_it_cannot_set(backend: SimBackend) -> None:
    """A parameter that is not among its capabilities raises `UnsupportedParameter`, and so does one nobody knows."""
    batch = backend.load(blocks_scene(HALF_M), count=1, timing=JUDGE, threads=1)
    wanted: tuple[Any, ...] = (*get_args(Parameter), "viscosity")
    for name in wanted:
        if name in backend.capabilities.parameters:
            continue
        try:
            batch.set_parameter(name, np.ones(1), body="block0")
        except UnsupportedParameter:
            continue
        raise AssertionError(f"'{name}' is set without a word")


def servos_report_their_torque(backend: SimBackend) -> None:
    """A weak servo gives all it has against a far target; all servos keep within their limits."""
    scene = replace(seated_scene(), torques="human")
    batch = backend.load(scene, count=1, timing=JUDGE, threads=1)
    ctrl = np.zeros((1, len(batch.ctrl_names)))
    layout = HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names)
    layout.write_targets(ctrl, scene.bodies[0].pose[:1, :22])
    wrist = batch.ctrl_names.index(f"{human_name(0)}/left_wrist/x")
    ctrl[0, wrist] += 1.0
    batch.step(ctrl, 1, is_exact=True)
    torque = np.abs(batch.servo_torques()[0])
    limits = {joint: torque_limit(joint, "human", scene.human_mass_kg[0]) for joint in BODY_JOINTS[1:]}
    for name, value in zip(batch.ctrl_names, torque):
        assert value <= limits[name.split("/")[1]] * (1 + 1e-6), f"{name} gives {value:.1f} N m"
    assert torque[wrist] > 0.99 * limits["left_wrist"], f"the wrist gives {torque[wrist]:.1f} N m"


def resets_only_some(backend: SimBackend) -> None:
    """A partial reset starts the listed simulations anew, by their row, and changes nothing of the others."""
    scene = seated_scene()
    batch = backend.load(scene, count=3, timing=JUDGE, threads=1)
    ctrl = np.zeros((3, len(batch.ctrl_names)))
    batch.step(ctrl, 20)
    before, readings = batch.state(), batch.contacts()
    raised = scene.qpos[None] + np.where([name.endswith(":z") for name in scene.qpos_names], 0.1, 0.0)
    batch.reset(np.concatenate([raised, scene.qpos[None]]), only=np.array([2, 0]))
    qpos, qvel = batch.state()
    np.testing.assert_allclose(qpos[[2, 0]], np.concatenate([raised, scene.qpos[None]]), atol=1e-6)
    assert not qvel[[0, 2]].any(), "a simulation that starts anew moves"
    assert np.array_equal(qpos[1], before[0][1]) and np.array_equal(qvel[1], before[1][1]), "another simulation changed"
    assert np.array_equal(batch.contacts().force_n[1], readings.force_n[1]), "contacts of another simulation changed"
    batch.reset(np.zeros((0, qpos.shape[1])), only=np.zeros(0, int))
    batch.step(ctrl, 20)
    undisturbed = backend.load(scene, count=1, timing=JUDGE, threads=1)
    for _ in range(2):
        undisturbed.step(ctrl[:1], 20)
    difference = np.abs(batch.state()[0][1] - undisturbed.state()[0][0]).max()
    limit = 0.0 if backend.capabilities.is_bit_reproducible else 1e-4
    assert difference <= limit, f"a partial reset moved another simulation by {difference}"


def owns_up_to_divergence(backend: SimBackend) -> None:
    """A simulation that blows up is reported, its neighbours are not, and a reset clears it."""
    batch = backend.load(blocks_scene(2.0), count=2, timing=JUDGE, threads=1)
    qpos, qvel = batch.state()
    qvel[1] = 1e12
    batch.reset(qpos, qvel)
    batch.step(np.zeros((2, 0)), 2)
    assert batch.has_diverged().tolist() == [False, True]
    batch.reset(qpos)
    batch.step(np.zeros((2, 0)), 2)
    assert not batch.has_diverged().any()


REQUIREMENTS: tuple[Callable[[SimBackend], None], ...] = (
    falls_freely,
    rests_at_its_weight,
    bears_a_sitter,
    is_reproducible,
    names_are_the_scene_s,
    parameters_act_per_simulation,
    heavier_and_rougher_bodies,
    refuses_what_it_cannot_set,
    servos_report_their_torque,
    resets_only_some,
    owns_up_to_divergence,
)


def block(name: str, height: float) -> ObjectAsset:
    """A cube of 20 cm whose centre is at `height`."""
    half = (HALF_M, HALF_M, HALF_M)
    return furniture(name, (((0.0, 0.0, 0.0), half),), mass_kg=MASS_KG, position=(0.0, 0.0, height))


def blocks_scene(*heights: float) -> SimScene:
    """Cubes above one another, nobody there."""
    return scene_of(
        SceneParts(
            body_model=EMBEDDED, bodies=(), humans=(), assets=tuple(block(f"block{i}", h) for i, h in enumerate(heights))
        )
    )


def seated_scene() -> SimScene:
    """A person on a chair."""
    aligned = sit_on_chair()
    parts = SceneParts(body_model=aligned.body_model, bodies=aligned.bodies, humans=(human_name(0),), assets=aligned.assets)
    return replace(scene_of(parts), contacts=aligned.contacts)


def hovering_sitter() -> SimScene:
    """A person on a box so high that the feet hang."""
    aligned = sit_on_chair()
    body, chair = aligned.bodies[0], aligned.assets[0]
    lift, seat_part = 0.3, 4
    seat = float(chair.parts[seat_part].vertices[:, 2].max()) + lift
    lifted = replace(body, transl=body.transl + np.array([0.0, 0.0, lift]))
    x, y = chair.T_world_object[:2, 3]
    box = furniture("box", (((0.0, 0.05, seat / 2), (0.4, 0.28, seat / 2)),), mass_kg=200.0, position=(x, y, 0.0))
    return scene_of(SceneParts(body_model=aligned.body_model, bodies=(lifted,), humans=(human_name(0),), assets=(box,)))


def scene_of(parts: SceneParts) -> SimScene:
    """A scene for the engine, as `stages.build_sim_scene` makes it but without files."""
    model = describe(parts)
    return SimScene(
        provenance=Provenance(adapter="conformance", scale_source="given", frame="world"),
        mjcf="",
        body_model=parts.body_model,
        bodies=parts.bodies,
        assets=parts.assets,
        contacts=(),
        humans=parts.humans,
        humanoid=parts.humanoid.geometry,
        torques=parts.humanoid.torques,
        human_mass_kg=model.human_mass_kg,
        joint_names=model.joint_names,
        qpos_names=model.qpos_names,
        qpos=model.qpos,
        report={},
    )
