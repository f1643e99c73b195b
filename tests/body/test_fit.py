from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.derivatives import BETAS
from hsimul3r.body.fit import first_scale, fit_bodies
from hsimul3r.body.model import embedded_body
from hsimul3r.body.outline import match_outlines
from hsimul3r.body.problem import BodyProblem, FitConfig, body_points
from hsimul3r.body.solver import minimise
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import project, transform_cameras

from . import synthetic
from .synthetic import detect, mpjpe, pa_mpjpe, person, ring_of_cameras

BODY = embedded_body()
FAST = FitConfig(iterations=20)


def joints(fitted):
    return BODY.joints(fitted.betas, fitted.pose, fitted.transl)[:22]


def stature(truth):
    return float(BODY.stature(truth.betas))


def knee_bend(points, side):
    """Positive where the knee lies in front of the line from hip to ankle, by the toes' direction."""
    at = {name: points[KEYPOINTS.index(f"{side}_{name}")] for name in ("hip", "knee", "ankle", "heel", "toe")}
    return (at["knee"] - 0.5 * (at["hip"] + at["ankle"])) @ (at["toe"] - at["heel"])


@pytest.mark.parametrize("posture", ["stand", "sit", "lean", "stool"])
def test_recovers_a_body_from_noisy_keypoints(posture):
    truth = person(posture, stature_m=1.74, yaw=0.4, at=(0.1, 0.2), seed=1)
    cameras = ring_of_cameras()
    seen = replace(detect(truth, cameras, seed=5), stature_m=stature(truth))
    fitted = fit_bodies(BODY, cameras, [seen], is_scale_fixed=False, config=FAST).bodies[0]
    assert mpjpe(joints(fitted), truth.joints()) < 0.04
    assert pa_mpjpe(joints(fitted), truth.joints()) < 0.03
    assert fitted.soles[..., 2].min() > -0.01


def test_exact_keypoints_give_the_body_back():
    truth = person("sit", stature_m=1.70, yaw=2.5, at=(0.1, 0.2), seed=0)
    cameras = ring_of_cameras()
    seen = replace(detect(truth, cameras, seed=0, noise_px=0, bias_m=0, dropped=0), stature_m=stature(truth))
    fitted = fit_bodies(BODY, cameras, [seen], is_scale_fixed=True).bodies[0]
    assert mpjpe(fitted.keypoints, truth.keypoints()) < 0.01


@pytest.mark.parametrize("size", [0.3, 4.0])
def test_scene_of_unknown_scale_becomes_metric(size):
    truth = person("stand", stature_m=1.80, yaw=0.0, at=(0.1, 0.2), seed=2)
    cameras = ring_of_cameras()
    seen = replace(detect(truth, cameras, seed=3), stature_m=stature(truth))
    small = replace(seen, skeleton=seen.skeleton * size)
    shrunk = transform_cameras(cameras, Similarity(scale=size, R=np.eye(3), t=np.zeros(3)))
    fitted = fit_bodies(BODY, shrunk, [small], is_scale_fixed=False, config=FAST)
    assert fitted.scale * size == pytest.approx(1, rel=0.02)
    assert mpjpe(joints(fitted.bodies[0]), truth.joints()) < 0.05


def test_given_stature_is_honoured_and_prior_holds_without():
    truth = person("stand", stature_m=1.80, yaw=0.0, at=(0, 0), seed=2)
    cameras = ring_of_cameras()
    seen = detect(truth, cameras, seed=3)
    given = fit_bodies(BODY, cameras, [replace(seen, stature_m=1.9)], is_scale_fixed=False, config=FAST)
    assert BODY.stature(given.bodies[0].betas) == pytest.approx(1.9, abs=0.02)
    free = fit_bodies(BODY, cameras, [seen], is_scale_fixed=False, config=FAST)
    assert BODY.stature(free.bodies[0].betas) == pytest.approx(1.7, abs=0.05)
    calibrated = fit_bodies(BODY, cameras, [seen], is_scale_fixed=True, config=FAST)
    assert calibrated.scale == 1
    assert BODY.stature(calibrated.bodies[0].betas) == pytest.approx(stature(truth), abs=0.04)


def test_people_share_the_scale():
    cameras = ring_of_cameras(distance=4.0)
    truths = [person("stand", stature_m=1.6, yaw=0.2, at=(-0.5, 0)), person("sit", stature_m=1.8, yaw=-0.5, at=(0.5, 0.2))]
    seen = [detect(truth, cameras, seed=i, number=i) for i, truth in enumerate(truths)]
    fitted = fit_bodies(BODY, cameras, seen, is_scale_fixed=False, config=FAST)
    heights = [float(BODY.stature(body.betas)) for body in fitted.bodies]
    assert [body.person for body in fitted.bodies] == [0, 1]
    assert 1.05 < heights[1] / heights[0] < 1.8 / 1.6 + 0.03
    assert fitted.scale == pytest.approx(1, abs=0.06)


def test_knees_do_not_bend_backwards_from_a_reflected_skeleton():
    truth = person("sit", stature_m=1.70, yaw=0.3, at=(0, 0), seed=0)
    cameras = ring_of_cameras()
    seen = replace(detect(truth, cameras, seed=1), stature_m=stature(truth))
    forward = np.array([np.sin(0.3), -np.cos(0.3), 0])
    reflection = np.eye(3) - 2 * np.outer(forward, forward)
    reflected = replace(seen, skeleton=seen.skeleton @ reflection.T)
    fitted = fit_bodies(BODY, cameras, [reflected], is_scale_fixed=True, config=FAST).bodies[0]
    for side in ("left", "right"):
        assert knee_bend(fitted.keypoints, side) > 0
    assert mpjpe(joints(fitted), truth.joints()) < 0.05


def test_every_fit_stays_within_the_joint_limits():
    truth = person("stand", stature_m=1.70, yaw=0.0, at=(0, 0))
    cameras = ring_of_cameras()
    seen = detect(truth, cameras, seed=1)
    scrambled = replace(seen, keypoints_px=seen.keypoints_px[:, np.random.default_rng(0).permutation(21)])
    problem = problem_of(scrambled, cameras)
    x = minimise(problem, np.zeros(len(problem.low)), iterations=15)
    assert (x >= problem.low).all()
    assert (x <= problem.high).all()


def problem_of(seen, cameras, *, outlines=(), tracked=None):
    return BodyProblem(
        body=BODY, cameras=cameras, people=(seen,), config=FitConfig(), root=np.eye(3)[None],
        sigma_px=(np.full((len(seen.view), 21), 5.0),), fixed_log_scale=None, stands=np.ones((1, 2), bool),
        tracked=(tracked or body_points(BODY),), outlines=outlines, keeps_floor=True,
    )  # fmt: skip


@pytest.mark.parametrize("uses_views", [True, False])
def test_jacobian_equals_finite_differences(uses_views):
    truth = person("lean", stature_m=1.74, yaw=0.4, at=(0.1, 0.2))
    cameras = ring_of_cameras()
    problem = replace(problem_of(detect(truth, cameras, seed=0), cameras), uses_views=uses_views)
    dofs = anatomy().natural + 0.1
    x = np.concatenate([[0.05], truth.pose[0], truth.transl + np.array([0, 0, 0.01]), dofs, 0.3 * np.ones(BETAS), [0.02]])
    rows = problem.rows(x, with_jacobian=True)
    for i in range(0, len(x), 3):
        if not uses_views and i == 0:
            continue
        step = np.zeros(len(x))
        step[i] = 1e-6
        plus, minus = (problem.rows(x + sign * step, with_jacobian=False) for sign in (1, -1))
        for row, above, below in zip(rows, plus, minus):
            numeric = (above.residual - below.residual) / 2e-6
            assert np.allclose(row.jacobian[..., i], numeric, atol=1e-4, rtol=1e-4), (row.name, i)


def test_outlines_improve_the_body():
    truth = person("stand", stature_m=1.74, yaw=0.4, at=(0.1, 0.2), seed=1)
    cameras = ring_of_cameras()
    seen = replace(detect(truth, cameras, seed=5), stature_m=stature(truth))
    masks = synthetic.silhouettes(truth, cameras)
    config = replace(FAST, clothing_m=0.0)
    without = fit_bodies(BODY, cameras, [seen], is_scale_fixed=True, config=config).bodies[0]
    with_masks = fit_bodies(BODY, cameras, [seen], is_scale_fixed=True, masks=masks, config=config).bodies[0]
    assert pa_mpjpe(joints(with_masks), truth.joints()) < 0.8 * pa_mpjpe(joints(without), truth.joints())


def test_outline_matches_point_from_the_body_to_the_mask():
    truth = person("stand", stature_m=1.74, yaw=0.4, at=(0.1, 0.2))
    cameras = ring_of_cameras()
    masks = synthetic.silhouettes(truth, cameras)
    moved = BODY.vertices(truth.betas, truth.pose, truth.transl + np.array([0, 0, 0.03]))
    views = np.arange(4)
    matches = match_outlines([moved], BODY.faces, cameras, masks, seen=[views], reach_m=0.06)[0]
    crown = matches.vertex == np.argmax(moved[:, 2])
    assert crown.any()
    assert matches.is_inside[crown].all()
    lifted = 1050 / matches.depth_m[crown] * 0.03
    for view, edge, expected in zip(matches.view[crown], matches.edge_px[crown], lifted):
        top = project(cameras, int(view), moved[np.argmax(moved[:, 2])])
        assert edge[1] - top[1] == pytest.approx(expected, abs=2.5)


def test_hidden_skin_is_not_pulled_inwards():
    truth = person("stand", stature_m=1.74, yaw=0.0, at=(0, 0), seed=1)
    cameras = ring_of_cameras()
    seen = replace(detect(truth, cameras, seed=5, noise_px=1, bias_m=0.0), stature_m=stature(truth))
    masks = synthetic.silhouettes(truth, cameras)
    low = [KEYPOINTS.index(f"{side}_{kind}") for side in ("left", "right") for kind in ("ankle", "heel", "toe")]
    confidence = seen.confidence.copy()
    confidence[:, low] = 0.15
    for mask in masks:
        rows = np.flatnonzero(mask.any(1))
        mask[rows[-1] - 25 :] = False
    hidden = replace(seen, confidence=confidence)
    fitted = fit_bodies(BODY, cameras, [hidden], is_scale_fixed=True, masks=masks, config=replace(FAST, clothing_m=0.0)).bodies[
        0
    ]
    assert mpjpe(fitted.keypoints[low], truth.keypoints()[low]) < 0.05


def test_first_scale_is_the_ratio_of_the_bones():
    truth = person("sit", stature_m=1.70, yaw=0.0, at=(0, 0), seed=0)
    seen = replace(detect(truth, ring_of_cameras(), seed=0, noise_px=0, bias_m=0, dropped=0), stature_m=stature(truth))
    half = replace(seen, skeleton=truth.keypoints() / 2)
    assert first_scale(BODY, [half], FitConfig()) == pytest.approx(2, rel=0.03)
    assert np.isnan(first_scale(BODY, [replace(seen, skeleton=np.full((21, 3), np.nan))], FitConfig()))


def test_the_same_input_gives_the_same_result():
    truth = person("sit", stature_m=1.70, yaw=0.0, at=(0, 0), seed=0)
    cameras = ring_of_cameras()
    seen = detect(truth, cameras, seed=0)
    a, b = (fit_bodies(BODY, cameras, [seen], is_scale_fixed=False, config=FAST) for _ in range(2))
    assert a.scale == b.scale
    assert np.array_equal(a.bodies[0].pose, b.bodies[0].pose)
