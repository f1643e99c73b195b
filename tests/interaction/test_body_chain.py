import numpy as np
import pytest

from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.mesh import vertex_normals
from hsimul3r.interaction.kinematics import BodyChain

MOVABLE = ("pelvis", "spine1", "left_hip", "left_knee", "right_shoulder", "right_elbow", "right_wrist")


@pytest.fixture
def chain_and_state():
    rng = np.random.default_rng(0)
    chain = BodyChain(embedded_body(), rng.normal(size=10), MOVABLE)
    return chain, chain.state(0.3 * rng.standard_normal((55, 3)), rng.standard_normal(3))


def test_state_is_the_body_models_own_skin(chain_and_state):
    _, state = chain_and_state
    model = embedded_body()
    betas = np.random.default_rng(0).normal(size=10)
    np.testing.assert_allclose(state.vertices, model.vertices(betas, state.pose, state.transl), atol=1e-9)
    np.testing.assert_allclose(state.joints, model.joints(betas, state.pose, state.transl), atol=1e-9)


@pytest.mark.parametrize("m", range(len(MOVABLE)))
def test_levers_match_finite_differences(chain_and_state, m):
    chain, state = chain_and_state
    step, direction = 1e-6, np.array([0.3, -0.5, 0.8])
    turns = np.zeros((len(MOVABLE), 3))
    turns[m] = step * direction
    plus, minus = chain.moved(state, np.zeros(3), turns), chain.moved(state, np.zeros(3), -turns)
    np.testing.assert_allclose(
        (plus.vertices - minus.vertices) / (2 * step), np.cross(direction, state.skin_arms[m]), atol=1e-6
    )
    np.testing.assert_allclose((plus.joints - minus.joints) / (2 * step), np.cross(direction, state.joint_arms[m]), atol=1e-6)


def test_corrections_measure_the_turn(chain_and_state):
    chain, state = chain_and_state
    turns = 1e-4 * np.random.default_rng(1).standard_normal((len(MOVABLE), 3))
    np.testing.assert_allclose(chain.corrections(chain.moved(state, np.ones(3), turns), state), turns, atol=1e-7)


def test_normals_of_the_body_point_outwards(chain_and_state):
    chain, state = chain_and_state
    head = np.argmax(state.vertices @ (state.joints[15] - state.joints[12]))
    normal = vertex_normals(state.vertices, chain.faces)[head]
    assert normal @ (state.joints[15] - state.joints[12]) > 0
