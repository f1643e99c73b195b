"""The puppet is the embedded body, and its derivatives are those of its points."""

import numpy as np
import pytest

from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.posing.puppet import Figure, Posture, Puppet, parameters
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.mesh import solid

KEY = KeyPose(
    left_leg=Leg(hip=80, abduct=10, knee=70), right_leg=Leg(hip=40, knee=20), left_arm=Arm(flex=30, elbow=60, pronate=70),
    spine=12, twist=8, head_left=15,
).axis_angles()  # fmt: skip
BETAS = np.array([1.2, -0.7, 0.4, 0.3, 0, 0, 0, 0, 0, 0])


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return Puppet.of(BETAS, KEY)


@pytest.fixture(scope="module")
def figure(puppet) -> Figure:
    return puppet.pose(puppet.posture(KEY, np.array([0.1, 0.2, 0.9])))


def slope(puppet: Puppet, posture: Posture, value) -> np.ndarray:
    """Central differences of a function of the figure."""
    columns = []
    for k in range(parameters()):
        step = np.eye(parameters())[k] * 1e-6
        ahead, behind = (value(puppet.pose(posture.moved(sign * step))) for sign in (1, -1))
        columns.append((ahead - behind) / 2e-6)
    return np.stack(columns, axis=-1)


def test_puppet_has_the_skin_and_soles_of_the_body(puppet, figure):
    posed, body = puppet.posed_body(figure.posture), embedded_body()
    np.testing.assert_allclose(figure.skin, body.vertices(BETAS, posed.pose, posed.transl), atol=1e-9)
    left = figure.points[puppet.sole_index("left")]
    np.testing.assert_allclose(left, body.soles(BETAS, posed.pose, posed.transl)[0], atol=1e-9)
    np.testing.assert_allclose(figure.joint("left_knee"), figure.points[puppet.joint_index("left_knee")], atol=1e-9)


def test_key_pose_inside_the_limits_is_kept(puppet, figure):
    limits, dofs = anatomy(), figure.posture.dofs
    assert (dofs >= limits.low).all() and (dofs <= limits.high).all()
    np.testing.assert_allclose(puppet.posed_body(figure.posture).pose, KEY, atol=1e-9)


def test_derivative_along_normals_of_means_of_points(puppet, figure):
    rng = np.random.default_rng(0)
    index, weight, normals = rng.integers(0, 1200, (12, 3)), rng.dirichlet(np.ones(3), 12), rng.normal(size=(12, 3))

    def value(at: Figure) -> np.ndarray:
        return np.einsum("rkx,rk,rx->r", at.points[index], weight, normals)

    np.testing.assert_allclose(figure.along(index, normals, weight), slope(puppet, figure.posture, value), atol=1e-7)


def test_derivative_of_centre_of_mass(puppet, figure):
    centre, by = figure.centre_of_mass()
    np.testing.assert_allclose(centre, solid(figure.skin, embedded_body().faces).centroid, atol=1e-12)
    np.testing.assert_allclose(by, slope(puppet, figure.posture, lambda at: at.centre_of_mass()[0]), atol=1e-7)


def test_derivative_of_a_direction(puppet, figure):
    head = BODY_JOINTS.index("head")
    by = figure.direction_by("head", figure.R[head] @ [0, 0, 1])
    np.testing.assert_allclose(by, slope(puppet, figure.posture, lambda at: at.R[head] @ [0, 0, 1]), atol=1e-7)
