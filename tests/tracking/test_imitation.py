"""Skeleton, reference, observation and closed loop of policies, on a real simulation."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import SimScene
from hsimul3r.benchmark.interactions import aligned_scene, sit_on_chair
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import MixedLayouts, NotOnePerson
from hsimul3r.geometry.rotations import matrix_from_quaternion, rotation_about_z
from hsimul3r.tracking.motion import velocities
from hsimul3r.tracking.observation import ObservationLayout, heading, observe, scene_distance, scene_moment
from hsimul3r.tracking.policy import PolicySpec, actions_for, commands, follow_policy, reference_for
from hsimul3r.tracking.problem import tracking_problem
from hsimul3r.tracking.recording import Plan, RecordConfig, record
from hsimul3r.tracking.reference import disturbed, named_contacts
from hsimul3r.tracking.simulation import Simulation
from sim_envs import backend
from sim_envs.contract import JUDGE

COUNT = 3


@pytest.fixture(scope="module")
def chair(simulated) -> SimScene:
    return simulated(sit_on_chair())


@pytest.fixture(scope="module")
def worlds(chair) -> Simulation:
    return backend("mujoco_cpu").load(chair, count=COUNT, timing=JUDGE, threads=1)


def layout(scene: SimScene) -> ObservationLayout:
    return ObservationLayout(fps=30.0, objects=("chair",), contacts=tuple(named_contacts(tracking_problem(scene))))


def sitting_down(scene: SimScene, frames: int = 31) -> SimScene:
    """The sitter, let down from half a metre above in a second."""
    body = scene.bodies[0]
    lift = np.linspace(0.5, 0.0, frames)[:, None] * [0.0, 0.0, 1.0]
    moving = replace(body, pose=np.repeat(body.pose, frames, axis=0), transl=body.transl + lift, fps=30.0)
    moving.pose[:, 16, 2] += np.linspace(0.6, 0.0, frames)
    contacts = tuple(replace(contact, first=20) for contact in scene.contacts)
    return replace(scene, bodies=(moving,), contacts=contacts)


def moving(worlds: Simulation, scene: SimScene) -> None:
    rng = np.random.default_rng(0)
    qpos = np.tile(scene.qpos, (COUNT, 1))
    worlds.reset(qpos, rng.normal(size=(COUNT, len(worlds.qvel_names))))
    worlds.step(np.zeros((COUNT, len(worlds.ctrl_names))), 3, is_exact=True)


def test_forward_kinematics_is_the_engine_s(worlds, chair):
    reference = reference_for(tracking_problem(chair), worlds, layout(chair))
    moving(worlds, chair)
    position, quat = worlds.body_poses(reference.skeleton.layout.body_names())
    body = scene_moment(worlds, reference).body
    np.testing.assert_allclose(body.position, position, atol=1e-9)
    np.testing.assert_allclose(body.rotation, matrix_from_quaternion(quat), atol=1e-9)


def test_velocities_are_the_positions_derivatives(worlds, chair):
    reference = reference_for(tracking_problem(chair), worlds, layout(chair))
    moving(worlds, chair)
    qpos, qvel = worlds.state()
    dt, skeleton = 1e-6, reference.skeleton
    moved = qpos.copy()
    moved[:, skeleton.layout.root[:3]] += dt * qvel[:, skeleton.root[:3]]
    turned = disturbed(moved, skeleton.layout, dt * qvel[:, skeleton.balls], np.zeros((COUNT, 3)))
    now = skeleton.motion(qpos, qvel)
    spin = now.spin[:, 0] * dt
    root = np.einsum("nij,nj->ni", now.rotation[:, 0].swapaxes(1, 2), spin)
    later = skeleton.motion(_root_turned(turned, skeleton.layout, root), qvel)
    np.testing.assert_allclose((later.position - now.position) / dt, now.velocity, atol=1e-4)
    R = later.rotation @ now.rotation.swapaxes(-1, -2)
    rate = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], axis=-1) / (2 * dt)
    np.testing.assert_allclose(rate, now.spin, atol=1e-4)


def _root_turned(qpos, skeleton_layout, axis_angle):
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_quat(qpos[:, skeleton_layout.root[3:]], scalar_first=True) * Rotation.from_rotvec(axis_angle)
    qpos = qpos.copy()
    qpos[:, skeleton_layout.root[3:]] = turned.as_quat(scalar_first=True)
    return qpos


def test_the_reference_moves_by_its_own_velocities(worlds, chair):
    scene = sitting_down(chair)
    reference = reference_for(tracking_problem(scene), worlds, layout(scene))
    assert reference.frames == 31
    z = worlds.qvel_names.index("person0/root:vz")
    np.testing.assert_allclose(reference.qvel[:-1, z], -0.5, atol=1e-9)
    assert not reference.qvel[-1].any()
    np.testing.assert_allclose(reference.body.velocity[:-1, 0], np.tile([0, 0, -0.5], (30, 1)), atol=1e-9)
    np.testing.assert_allclose(
        np.diff(reference.body.position[:, 20], axis=0) * 30, reference.body.velocity[:-1, 20], atol=0.02
    )
    faster = velocities(replace(tracking_problem(scene), fps=60.0), worlds.qvel_names)
    np.testing.assert_allclose(faster, 2 * reference.qvel, atol=1e-9)


def test_at_the_reference_nothing_is_off(worlds, chair):
    mine = layout(chair)
    reference = reference_for(tracking_problem(chair), worlds, mine)
    worlds.reset(np.tile(chair.qpos, (COUNT, 1)))
    seen = observe(scene_moment(worlds, reference), reference, np.zeros(COUNT, int), mine)
    assert seen.shape == (COUNT, mine.size) and seen.dtype == np.float32
    parts = dict(zip(mine.parts(), np.split(seen[0], np.cumsum(list(mine.parts().values()))[:-1])))
    for name in ("reference+1/off", "reference+1/velocity_off", "body/velocities", "chair/off", "chair/velocity"):
        np.testing.assert_allclose(parts[name], 0.0, atol=1e-5, err_msg=name)
    identity = np.tile(np.eye(3)[:, :2].ravel(), len(BODY_JOINTS))
    np.testing.assert_allclose(parts["reference+1/turn"], identity, atol=1e-5)
    assert parts["body/height"] == pytest.approx(reference.body.position[0, 0, 2])
    assert all(parts[f"{name}/is_held"] == 1.0 for name in mine.contacts)


def test_observations_do_not_know_where_north_is(simulated):
    seen = []
    for yaw, shift in ((0.0, 0.0), (2.1, 5.0)):
        T = np.eye(4)
        T[:3, :3], T[0, 3] = rotation_about_z(yaw), shift
        scene = simulated(_carried(sit_on_chair(), T))
        batch = backend("mujoco_cpu").load(scene, count=1, timing=JUDGE, threads=1)
        mine = layout(scene)
        reference = reference_for(tracking_problem(scene), batch, mine)
        start = disturbed(scene.qpos[None], reference.skeleton.layout, np.full((1, 21, 3), 0.1), np.zeros((1, 3)))
        batch.reset(start)
        seen.append(observe(scene_moment(batch, reference), reference, np.zeros(1, int), mine))
    np.testing.assert_allclose(seen[0], seen[1], atol=2e-4)


def _carried(aligned, T):
    """A scene turned about the vertical and moved."""
    from hsimul3r.body.model import embedded_body
    from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle

    body, asset = aligned.bodies[0], aligned.assets[0]
    pose = body.pose.copy()
    pose[:, 0] = axis_angle_from_matrix(T[:3, :3] @ matrix_from_axis_angle(pose[:, 0]))
    rest = embedded_body().joints(body.betas, np.zeros((55, 3)), np.zeros(3))[0]
    transl = (rest + body.transl) @ T[:3, :3].T + T[:3, 3] - rest
    moved = replace(asset, T_world_object=T @ asset.T_world_object)
    labelled = {asset.name: tuple(contact.part for contact in aligned.contacts if contact.target == asset.name)}
    return aligned_scene((replace(body, pose=pose, transl=transl),), (moved,), labelled)


def test_heading_stands_upright_and_looks_ahead():
    R_world_heading = rotation_about_z(0.7)
    upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    lying = rotation_about_z(0.0) @ np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    for pose in (upright, lying):
        np.testing.assert_allclose(heading((R_world_heading @ pose)[None])[0], R_world_heading.T, atol=1e-12)


def test_contacts_are_held_from_the_frame_on_that_the_label_says(worlds, chair):
    scene = sitting_down(chair)
    mine = layout(scene)
    reference = reference_for(tracking_problem(scene), worlds, mine)
    worlds.reset(reference.qpos[[0, 20, 30]])
    moment, frame = scene_moment(worlds, reference), np.array([0, 20, 99])
    distance = scene_distance(moment, reference, frame)
    assert distance[0] == 0.0 and distance[1] > distance[2] > 0.0
    seen = observe(moment, reference, frame, mine)
    assert seen[0, -4:].tolist() == [0.0] * 4 and seen[1, -1] == 1.0


def test_actions_are_offsets_of_the_next_frame_s_pose(worlds, chair):
    scene = sitting_down(chair)
    reference = reference_for(tracking_problem(scene), worlds, layout(scene))
    spec = PolicySpec(layout=layout(scene), action_rad=0.05, reach_rad=0.4)
    actions = np.random.default_rng(0).uniform(-8, 8, size=(COUNT, 63))
    frame = np.array([0, 5, 200])
    ctrl = commands(actions, reference, frame, spec)
    np.testing.assert_allclose(actions_for(ctrl, reference, frame, spec), actions, atol=1e-12)
    np.testing.assert_array_equal(commands(0 * actions, reference, frame, spec), reference.ctrl[[1, 6, 30]])
    np.testing.assert_array_equal(commands(9 * np.ones((1, 63)), reference, frame[:1], spec), reference.ctrl[[1]] + 0.4)


def test_a_closed_loop_replays_bit_by_bit(worlds, chair):
    problem, cfg = tracking_problem(chair), RecordConfig(duration_s=0.5)
    weights = np.random.default_rng(1).normal(size=(layout(chair).size, 63)) * 0.01
    seen = []

    def act(observation):
        seen.append(observation)
        return observation @ weights

    spec = PolicySpec(layout=layout(chair), action_rad=0.1, reach_rad=0.4)
    plans = follow_policy(problem, worlds, act, spec, cfg, [Plan(qpos=chair.qpos, ctrl=np.zeros((1, 63)))] * COUNT)
    end = worlds.state()[0]
    assert len(seen) == 15 and plans[0].ctrl.shape == (30, len(worlds.ctrl_names))
    assert not np.array_equal(seen[0], seen[5])
    np.testing.assert_array_equal(record(worlds, problem, plans, cfg).qpos[-1], end)


def test_other_objects_and_two_people_are_refused(worlds, chair):
    problem = tracking_problem(chair)
    with pytest.raises(MixedLayouts, match="objects are chair, not sofa"):
        reference_for(problem, worlds, replace(layout(chair), objects=("sofa",)))
    with pytest.raises(MixedLayouts, match="contact person0/"):
        reference_for(problem, worlds, replace(layout(chair), contacts=()))
    with pytest.raises(NotOnePerson):
        reference_for(replace(problem, people=problem.people * 2), worlds, layout(chair))
