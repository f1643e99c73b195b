import math

import pytest
import torch

from hsimul3r.generator.dsro.losses import KINDS, ErrorRatios, LossConfig, Velocities, bounded, dpo, literal, loss_of, reflected

STABLE = torch.tensor([True, False, True, False])
REWARD = STABLE.float()


def velocities(tuned=None, *, seed=0, weight=None):
    """Four samples of three tokens; the tuned network is the reference where nothing else is said."""
    random = torch.Generator().manual_seed(seed)
    reference, true = (torch.randn(4, 3, 5, generator=random) for _ in range(2))
    tuned = reference.clone() if tuned is None else tuned
    return Velocities(
        tuned=tuned.requires_grad_(), reference=reference, true=true, weight=torch.ones(4, 3) if weight is None else weight
    )  # fmt: skip


def gradient(loss, v):
    return torch.autograd.grad(loss, v.tuned)[0]


@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0])
def test_bounded_starts_in_the_direction_of_eq_6(beta):
    v = velocities()
    assert torch.allclose(gradient(bounded(v, STABLE, beta), v), gradient(literal(v, STABLE), v), atol=1e-7)


@pytest.mark.parametrize("b", [0.1, 0.3, 1.0])
def test_reflected_starts_in_the_direction_of_eq_6(b):
    v = velocities()
    assert torch.allclose(gradient(reflected(v, REWARD, b), v), gradient(literal(v, STABLE), v), atol=1e-6)


def test_paired_losses_start_in_the_direction_of_eq_6():
    v = velocities()
    expected = gradient(literal(v, STABLE), v)
    assert torch.allclose(gradient(loss_of(v, REWARD, LossConfig(kind="dro")), v), 2 * expected, atol=1e-7)
    dpo_beta = 8.0
    assert torch.allclose(gradient(dpo(v, dpo_beta), v), 0.5 * dpo_beta * 0.5 * 2 * expected, atol=1e-6)


def minimum_on_gaussians(cfg, *, mean_stable, mean_unstable, reference):
    """Where a step of Newton ends, which is the minimum of a square: true velocities are drawn from two Gaussians, the network
    is one number."""
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noise -= noise.mean()
    true = torch.stack([mean_stable + noise, mean_unstable + noise], dim=1).flatten()[:, None, None]
    number = torch.tensor(reference + 0.9, dtype=torch.float64, requires_grad=True)
    v = Velocities(
        tuned=number.expand_as(true), reference=torch.full_like(true, reference), true=true, weight=torch.ones(8000, 1)
    )  # fmt: skip
    slope = torch.autograd.grad(loss_of(v, torch.tensor([1.0, 0.0]).repeat(4000), cfg), number, create_graph=True)[0]
    curvature = torch.autograd.grad(slope, number)[0]
    assert curvature > 0
    return float((number - slope / curvature).detach())


@pytest.mark.parametrize("beta", [0.1, 0.3, 1.0])
def test_optimum_of_the_bounded_form(beta):
    found = minimum_on_gaussians(
        LossConfig(kind="bounded", beta=beta), mean_stable=0.7, mean_unstable=-0.5, reference=0.2
    )  # fmt: skip
    assert found == pytest.approx(0.2 + 1.2 / (1 + 2 * beta), abs=1e-4)


@pytest.mark.parametrize("b", [0.15, 0.3, 1.0])
def test_optimum_of_the_reflected_form(b):
    found = minimum_on_gaussians(LossConfig(kind="reflected", b=b), mean_stable=0.7, mean_unstable=-0.5, reference=0.2)
    assert found == pytest.approx(0.2 + 1.2 / (2 * b), abs=1e-4)


def test_a_reward_of_one_half_holds_the_reflected_form_at_the_reference():
    v = velocities(tuned=velocities().reference + 0.5)
    held = gradient(reflected(v, torch.full((4,), 0.5), 0.3), v)
    assert torch.allclose(held, gradient(0.3 * v.drift().mean(), v), atol=1e-6)


def test_grades_move_the_reflected_form_by_their_covariance_with_the_velocity():
    """Velocity and reward are the same numbers, so that the optimum is their mean square over b."""
    number = torch.zeros((), dtype=torch.float64, requires_grad=True)
    true = torch.linspace(-1, 1, 401, dtype=torch.float64)
    v = Velocities(
        tuned=number.expand(401, 1, 1), reference=torch.zeros(401, 1, 1), true=true[:, None, None], weight=torch.ones(401, 1)
    )  # fmt: skip
    slope = torch.autograd.grad(reflected(v, (1 + true) / 2, 0.4), number, create_graph=True)[0]
    curvature = torch.autograd.grad(slope, number)[0]
    assert float(-slope / curvature) == pytest.approx(float(true.square().mean()) / 0.4, abs=1e-6)


def test_optimum_of_sft_is_the_mean_of_the_stable():
    found = minimum_on_gaussians(LossConfig(kind="sft"), mean_stable=0.7, mean_unstable=-0.5, reference=0.2)
    assert found == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_literal_forms_fall_without_end(kind):
    """Along a ray on which the unstable samples' error grows faster than the stable ones'."""
    v = velocities(seed=3)
    away = torch.where(STABLE, 0.1, 1.0)[:, None, None] * torch.ones_like(v.true)
    values = []
    for far in (1.0, 1e2, 1e4):
        tuned = (v.reference + far * away).detach()
        moved = Velocities(tuned=tuned, reference=v.reference, true=v.true, weight=v.weight)
        values.append(float(loss_of(moved, REWARD, LossConfig(kind=kind))))
    falls = values[0] > values[1] > values[2] and values[2] < -1e6
    assert falls == (kind in ("literal", "dro"))


def test_dpo_at_the_reference_is_log_2():
    assert float(dpo(velocities(), 500.0).detach()) == pytest.approx(math.log(2))


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_without_weight_do_not_matter(kind):
    weight = torch.tensor([1.0, 1.0, 0.0]).expand(4, 3)
    v = velocities(weight=weight)
    assert not gradient(loss_of(v, REWARD, LossConfig(kind=kind)), v)[:, 2].any()


def test_error_ratios_tell_the_classes_apart():
    v = velocities()
    moved = v.reference + torch.where(STABLE, 0.5, -1.0)[:, None, None] * (v.true - v.reference)
    ratios = ErrorRatios()
    ratios.add(Velocities(tuned=moved, reference=v.reference, true=v.true, weight=v.weight), STABLE)
    assert ratios.stable == pytest.approx(0.25)
    assert ratios.unstable == pytest.approx(4.0)
    assert ratios.drift > 0
