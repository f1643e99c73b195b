import numpy as np
import pytest

from hsimul3r.tracking.starts import StartConfig, StartSampler

FPS, FRAMES = 30.0, 60


def sampler(**changes) -> StartSampler:
    return StartSampler(FRAMES, FPS, StartConfig(**{"bin_s": 0.5, "first_share": 0.0, **changes}))


def test_starts_are_even_before_anything_is_known():
    frames = sampler().draw(np.random.default_rng(0), 6000)
    assert frames.min() == 0 and frames.max() == FRAMES - 1
    counts = np.bincount(frames // 15, minlength=4)
    np.testing.assert_allclose(counts / 6000, 0.25, atol=0.03)


def test_parts_that_fail_are_drawn_more_often():
    mine = sampler(memory=0.9, uniform_share=0.2)
    for _ in range(200):
        mine.learn(np.array([0, 15, 30, 45]), np.array([False, False, True, False]))
    np.testing.assert_allclose(mine.failure_rate, [0, 0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(mine.chances(), [0.05, 0.05, 0.85, 0.05], atol=1e-6)


def test_one_outcome_moves_the_rate_by_what_memory_leaves():
    mine = sampler(memory=0.9)
    mine.learn(np.array([3]), np.array([True]))
    assert mine.failure_rate[0] == pytest.approx(0.9 * 0.5 + 0.1)
    mine.learn(np.array([16, 17]), np.array([True, False]))
    assert mine.failure_rate[1] == pytest.approx(0.5)


def test_the_beginning_has_its_share():
    frames = sampler(first_share=0.5).draw(np.random.default_rng(0), 4000)
    assert (frames == 0).mean() == pytest.approx(0.5, abs=0.03)


def test_a_single_moment_starts_at_itself():
    assert StartSampler(1, FPS, StartConfig()).draw(np.random.default_rng(0), 5).tolist() == [0] * 5
