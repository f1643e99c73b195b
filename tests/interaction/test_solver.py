"""The alignment's energy against finite differences."""

import numpy as np
import pytest

from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.sdf import ConvexUnion
from hsimul3r.interaction.detect import decide_contacts
from hsimul3r.interaction.kinematics import BodyChain
from hsimul3r.interaction.solver import AlignmentWeights, Placement, SolidObject, _Problem
from interaction import toys


@pytest.fixture(scope="module", params=[0.06, -0.05], ids=["apart", "sunk"])
def problem_and_placement(request):
    human = toys.body(toys.SIT)
    asset = toys.chair(toys.lowest_of(human, "buttocks") - request.param)
    chain = BodyChain(embedded_body(), human.betas, tuple(AlignmentWeights().joint_sigma_rad))
    state = chain.state(human.pose[0], human.transl[0])
    item = SolidObject(solid=ConvexUnion(asset.parts), corners=asset.vertices[:8], T_world_object=asset.T_world_object,
                       views=np.arange(4))  # fmt: skip
    pairs = decide_contacts([chain], [state], [asset], seed=0)
    problem = _Problem([chain], [state], [item], pairs, toys.cameras(), AlignmentWeights())
    placement = Placement(bodies=(state,), offsets=np.zeros((1, 3)))
    placement = problem.moved(placement, 0.01 * np.random.default_rng(3).standard_normal(problem.size))
    problem.close_gates(placement)
    return problem, placement


def energy(problem, placement):
    return sum(term.energy() for term in problem.terms(placement))


@pytest.mark.parametrize("seed", range(4))
def test_slope_of_the_energy_is_its_derivative(problem_and_placement, seed):
    problem, placement = problem_and_placement
    direction = np.random.default_rng(seed).standard_normal(problem.size)
    slope = sum(direction @ (term.jacobian.T @ term.slope()) for term in problem.terms(placement))
    step = 1e-7
    plus, minus = (energy(problem, problem.moved(placement, sign * step * direction)) for sign in (1, -1))
    assert slope == pytest.approx((plus - minus) / (2 * step), rel=0.02)


@pytest.mark.parametrize("columns", [slice(0, 3), slice(-3, None)], ids=["root", "object"])
def test_every_rigid_motion_has_its_derivative(problem_and_placement, columns):
    problem, placement = problem_and_placement
    gradient = sum(term.jacobian.T @ term.slope() for term in problem.terms(placement))[columns]
    numeric = []
    for i in np.arange(problem.size)[columns]:
        delta = np.zeros(problem.size)
        delta[i] = 1e-7
        plus, minus = (energy(problem, problem.moved(placement, sign * delta)) for sign in (1, -1))
        numeric.append((plus - minus) / 2e-7)
    np.testing.assert_allclose(gradient, numeric, rtol=0.02, atol=2.0)
