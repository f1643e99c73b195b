from dataclasses import replace

import cv2
import numpy as np
import pytest

from hsimul3r.benchmark.camera.develop import Phone, develop, jpeg
from hsimul3r.benchmark.camera.lighting import linear_from_srgb, srgb_from_linear
from hsimul3r.benchmark.camera.shot import Picture, View, cameras_of
from hsimul3r.geometry.cameras import project

PLAIN = Phone(softness_px=1e-3, vignette=0.0, white_balance=0.0, grain=0.0)
VIEW = View(size_px=(320, 240), focal_px=230.0, T_cam_world=np.eye(4))


def flat(view: View, grey: int) -> Picture:
    shape = view.pinhole.size_px[::-1]
    return Picture(
        image=np.full((*shape, 3), grey, np.uint8), labels=np.ones(shape, np.uint8), depth=np.full(shape, 2.5, np.float32)
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_a_stop_doubles_the_light():
    grey = float(255 * srgb_from_linear(np.array(0.2)))
    for stops in (-1.0, 0.0, 0.5, 1.0):
        photo = develop(flat(VIEW, round(grey)), replace(VIEW, exposure=stops), rng(), phone=PLAIN)
        expected = 255 * srgb_from_linear(linear_from_srgb(np.array(round(grey) / 255)) * 2.0**stops)
        assert np.abs(photo.image - float(expected)).max() <= 0.51


def test_vignette_takes_its_share_of_light_from_the_corners_only():
    photo = develop(flat(VIEW, 180), VIEW, rng(), phone=replace(PLAIN, vignette=0.3)).image / 255
    light = linear_from_srgb(photo[..., 1])
    assert light[119:121, 159:161].mean() == pytest.approx(float(linear_from_srgb(np.array(180 / 255))), rel=0.01)
    assert light[0, 0] / light[120, 160] == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("k1", [-0.12, -0.03, 0.04])
def test_what_the_pinhole_sees_lands_where_the_lens_puts_it(k1: float):
    view = replace(VIEW, k1=k1)
    x, y = np.meshgrid(np.linspace(-0.6, 0.6, 7), np.linspace(-0.45, 0.45, 5))
    points = np.column_stack([x.ravel(), y.ravel(), np.ones(x.size)]) * 2.0
    straight, bent = (project(cameras_of((v,)), 0, points) for v in (view.pinhole, view))
    picture = flat(view, 0)
    row, column = np.indices(picture.labels.shape)
    for u, v in straight:
        blob = 250 * np.exp(-((column - u) ** 2 + (row - v) ** 2) / 4.5)
        picture.image[...] = np.maximum(picture.image, blob[..., None].astype(np.uint8))
    photo = develop(picture, view, rng(), phone=PLAIN).image[..., 0].astype(float)
    assert photo.shape == (240, 320)
    for u, v in bent:
        r, c = round(v), round(u)
        part = photo[r - 6 : r + 7, c - 6 : c + 7]
        at = np.indices(part.shape).reshape(2, -1) @ part.ravel() / part.sum() + (r - 6, c - 6)
        assert np.abs(at - (v, u)).max() < 0.12


@pytest.mark.parametrize("k1", [-0.12, -0.05, 0.0, 0.04])
def test_no_corner_stays_black(k1: float):
    view = replace(VIEW, k1=k1)
    photo = develop(flat(view, 200), view, rng(), phone=PLAIN)
    assert photo.image.min() >= 199 and photo.labels.min() == 1 and photo.depth.min() == photo.depth.max() == 2.5


def test_labels_and_depth_take_the_nearest_pixel_of_the_same_place():
    view = replace(VIEW, k1=-0.1)
    picture = flat(view, 100)
    half = picture.labels.shape[1] // 2
    picture.labels[:, half:], picture.depth[:, half:] = 2, 4.0
    photo = develop(picture, view, rng(), phone=PLAIN)
    assert set(np.unique(photo.labels)) == {1, 2}
    assert ((photo.depth == 4.0) == (photo.labels == 2)).all()
    assert (photo.labels[:, 160:] == 2).all() and (photo.labels[:, :160] == 1).all()


def test_smear_spreads_a_point_along_the_movement():
    picture = flat(VIEW, 0)
    picture.image[120, 160] = 255
    light = linear_from_srgb(develop(picture, VIEW, rng(), phone=PLAIN, smear_px=(9.0, 0.0)).image[..., 0] / 255)
    columns = np.flatnonzero(light.sum(0) > 0)
    assert np.flatnonzero(light.sum(1) > 0).tolist() == [120]
    assert 9 <= np.ptp(columns) + 1 <= 11 and columns.mean() == pytest.approx(160, abs=0.5)


def test_same_seed_same_bits_and_no_metadata():
    first, again = (develop(flat(VIEW, 120), replace(VIEW, k1=-0.06), rng()).image for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert jpeg(first) == jpeg(again) and b"Exif" not in jpeg(first)
    back = cv2.imdecode(np.frombuffer(jpeg(first), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None and np.abs(back.astype(int) - first[..., ::-1]).mean() < 3


def test_noise_is_as_strong_as_said():
    photo = develop(flat(VIEW, 120), VIEW, rng(), phone=replace(PLAIN, grain=2.0)).image.astype(float)
    assert photo.mean() == pytest.approx(120, abs=0.2)
    assert 2.0 < photo.std() < 3.0
