import numpy as np
import pytest

from hsimul3r.artifacts import BodySequence
from hsimul3r.benchmark.interactions import box_part, sit_on_chair
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS
from hsimul3r.geometry.mesh import solid
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.tracking.layout import HumanLayout, velocity_names
from sim_envs.humanoid import HumanoidConfig, bone_of_vertex, bones_of, capsule_of, spread_points
from sim_envs.scene_builder import SceneParts, body_shape, build_spec, ctrl_names, qpos_names, qvel_names

CFG = HumanoidConfig()


def person(pose=None, stature_m=1.75) -> BodySequence:
    pose = np.zeros((1, 55, 3)) if pose is None else pose
    betas = embedded_body().betas_of_stature(stature_m)
    return BodySequence(person=0, betas=betas, pose=pose, transl=np.array([[0, 0, 1.0]]), fps=30.0, stature_m=stature_m)


def model_of(body: BodySequence, **cfg):
    parts = SceneParts(body_model=EMBEDDED, bodies=(body,), humans=("person0",), assets=(), humanoid=HumanoidConfig(**cfg))
    return build_spec(parts).compile()


@pytest.fixture(scope="module")
def shape():
    return body_shape(EMBEDDED, embedded_body().betas_of_stature(1.75))


def test_mass_is_volume_times_density(shape):
    bones = bones_of(shape, CFG)
    assert sum(bone.mass_kg for bone in bones) == pytest.approx(985.0 * solid(shape.vertices, shape.faces).volume_m3)
    assert 50 < sum(bone.mass_kg for bone in bones) < 85
    assert all(bone.mass_kg > 0 and len(bone.hull.vertices) <= 32 for bone in bones)


def test_a_taller_person_is_heavier_in_the_engine():
    short, tall = (float(model_of(person(stature_m=height)).body_subtreemass[1]) for height in (1.6, 1.85))
    assert short < tall


def test_every_bone_joint_and_servo_has_its_name():
    model = model_of(person())
    assert [model.body(f"person0/{joint}").name for joint in BODY_JOINTS]
    assert model.nq == 7 + 21 * 4 and model.nu == 63
    assert set(ctrl_names(model)) == {f"person0/{joint}/{axis}" for joint in BODY_JOINTS[1:] for axis in "xyz"}
    assert qvel_names(model) == velocity_names(qpos_names(model))


def test_inertia_is_the_solid_hull_s(shape):
    model = model_of(person())
    for bone in bones_of(shape, CFG):
        body = solid(bone.hull.vertices, bone.hull.faces)
        expected = np.sort(np.linalg.eigvalsh(body.inertia)) * bone.mass_kg / body.volume_m3
        np.testing.assert_allclose(np.sort(model.body(f"person0/{bone.name}").inertia), expected, rtol=1e-6)


def test_pose_round_trip_is_exact():
    rng = np.random.default_rng(0)
    model = model_of(person())
    layout = HumanLayout.of("person0", qpos_names(model), ctrl_names(model))
    pose, root = rng.normal(0, 0.7, (5, 22, 3)), rng.normal(size=(5, 3))
    qpos = np.zeros((5, model.nq))
    layout.write_pose(qpos, root, pose)
    back_root, back = layout.read_pose(qpos)
    np.testing.assert_allclose(back_root, root, atol=1e-12)
    np.testing.assert_allclose(back, pose, atol=1e-9)


def test_bones_are_where_forward_kinematics_puts_the_joints():
    import mujoco

    rng = np.random.default_rng(1)
    pose = np.zeros((1, 55, 3))
    pose[0, :22] = rng.normal(0, 0.5, (22, 3))
    body = person(pose)
    model = model_of(body)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    frames = embedded_body().fk(body.betas, pose[0], body.transl[0])
    for joint in BODY_JOINTS:
        place = data.body(f"person0/{joint}")
        np.testing.assert_allclose(place.xpos, frames[SMPLX_JOINTS.index(joint), :3, 3], atol=1e-9)
        np.testing.assert_allclose(place.xmat.reshape(3, 3), frames[SMPLX_JOINTS.index(joint), :3, :3], atol=1e-9)


def test_servos_hold_the_pose_they_are_asked_for():
    """At the target the servos push with nothing, off it towards it, per axis of the rotation vector."""
    import mujoco

    model = model_of(person())
    data = mujoco.MjData(model)
    layout = HumanLayout.of("person0", qpos_names(model), ctrl_names(model))
    pose = np.zeros((22, 3))
    pose[4] = [0.8, 0.1, -0.05]
    layout.write_pose(data.qpos, np.zeros(3), pose)
    layout.write_targets(data.ctrl, pose)
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(data.actuator_force, 0.0, atol=1e-9)
    data.ctrl[layout.servos[3, 0]] += 0.1
    mujoco.mj_forward(model, data)
    stiffness = 800 * float(model.body_subtreemass[1]) / 77.0
    assert data.actuator("person0/left_knee/x").force[0] == pytest.approx(0.1 * stiffness)


def test_limits_widen_for_a_reconstruction_beyond_them():
    pose = np.zeros((1, 55, 3))
    pose[0, SMPLX_JOINTS.index("left_ankle"), 0] = np.radians(80)
    model = model_of(person(pose))
    assert model.joint("person0/left_ankle").range[1] == pytest.approx(np.radians(85))
    assert model.joint("person0/right_ankle").range[1] == pytest.approx(np.radians(60))


def test_neighbours_do_not_collide_but_hands_and_thighs_do():
    model = model_of(person())
    excluded = {frozenset((model.body(int(s) >> 16).name, model.body(int(s) & 0xFFFF).name)) for s in model.exclude_signature}
    assert frozenset(("person0/left_hip", "person0/left_knee")) in excluded
    assert frozenset(("person0/left_hip", "person0/right_hip")) in excluded
    assert frozenset(("person0/left_wrist", "person0/left_hip")) not in excluded
    assert frozenset(("person0/left_ankle", "person0/right_ankle")) not in excluded


def test_capsule_has_the_hull_s_length_and_volume():
    hull = box_part((0.1, 0.2, 0.3), (0.03, 0.04, 0.25))
    start, end, radius = capsule_of(hull)
    length = np.linalg.norm(end - start)
    assert length + 2 * radius == pytest.approx(0.5, abs=1e-3)
    assert np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3 == pytest.approx(0.06 * 0.08 * 0.5, rel=1e-2)
    np.testing.assert_allclose((start + end) / 2, [0.1, 0.2, 0.3], atol=1e-9)


def test_capsules_carry_the_same_mass():
    aligned = sit_on_chair()
    masses = [float(model_of(aligned.bodies[0], geometry=kind).body_subtreemass[1]) for kind in ("hull", "capsule")]
    assert masses[0] == pytest.approx(masses[1])


def test_spread_points_keeps_the_extremes():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(400, 3))
    kept = spread_points(points, 32)
    assert len(kept) == 32
    np.testing.assert_allclose(kept.min(0), points.min(0))
    np.testing.assert_allclose(kept.max(0), points.max(0))


def test_fingers_belong_to_the_hand():
    weights = np.zeros((2, 55))
    weights[0, SMPLX_JOINTS.index("left_index3")] = 1.0
    weights[1, SMPLX_JOINTS.index("jaw")] = 1.0
    assert bone_of_vertex(weights).tolist() == [BODY_JOINTS.index("left_wrist"), BODY_JOINTS.index("head")]


def test_rotations_of_the_root_turn_the_body():
    pose = np.zeros((1, 55, 3))
    pose[0, 0] = [0.3, 0.2, 0.9]
    model = model_of(person(pose))
    key = model.key_qpos[0]
    layout = HumanLayout.of("person0", qpos_names(model), ctrl_names(model))
    np.testing.assert_allclose(
        matrix_from_axis_angle(layout.read_pose(key)[1][0]), matrix_from_axis_angle(pose[0, 0]), atol=1e-12
    )
