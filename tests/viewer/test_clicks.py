import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from run_fixture import write_run

from hsimul3r.capture_notes import read_notes
from hsimul3r.viewer import serve
from hsimul3r.viewer.clicks import MIDDLE, OUTSIDE, PANEL_SHARE, WIDTH_M, clicked_pixel, eye_before, place_of_pixel

SIZE = (160, 120)
EYE = np.array([0.7, -3.0, 5.5])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("runs") / "sit_chair", size_px=SIZE, frames=2)
    scene = tmp_path_factory.mktemp("scene")
    for v in range(4):
        shutil.copy(folder / "00_capture" / f"view_{v:02d}.png", scene / f"photo {v}.jpg")
    (folder / "source").write_text(str(scene))
    return folder


def ray_to(pixel):
    return SimpleNamespace(ray_origin=tuple(EYE), ray_direction=tuple(place_of_pixel(np.array(pixel), SIZE) - EYE))


def test_corners_of_a_photo_hang_upright():
    left_top, right_bottom = (place_of_pixel(np.array(at), SIZE) for at in ([-0.5, -0.5], [159.5, 119.5]))
    np.testing.assert_allclose(left_top, MIDDLE + 0.5 * WIDTH_M * np.array([-1, 0, 0.75]))
    np.testing.assert_allclose(right_bottom, MIDDLE + 0.5 * WIDTH_M * np.array([1, 0, -0.75]))


@pytest.mark.parametrize("size", [(160, 120), (120, 160), (90, 400)])
@pytest.mark.parametrize("aspect", [1.5, 0.8, 2.4])
def test_the_whole_photo_is_seen_beside_the_panel(size, aspect):
    eye, target = eye_before(size, np.radians(75), aspect)
    half = np.tan(np.radians(75) / 2)
    corners = [place_of_pixel(np.array(at) - 0.5, size) for at in ([0, 0], list(size))]
    x, y = np.transpose([((c - eye)[0], (c - eye)[2]) / (target - eye)[1] / half / [aspect, 1] for c in corners])
    assert x.min() >= -1 and x.max() <= 1 - 2 * PANEL_SHARE and np.abs(y).max() <= 1
    assert max((x.max() - x.min()) / (2 - 2 * PANEL_SHARE), np.ptp(y) / 2) > 0.85


def test_a_ray_meets_its_pixel_and_nothing_beside_the_photo():
    event = ray_to([12.0, 97.0])
    np.testing.assert_allclose(clicked_pixel(event.ray_origin, event.ray_direction, SIZE), [12, 97])
    assert clicked_pixel(EYE, ray_to([170.0, 50.0]).ray_direction, SIZE) is None
    assert clicked_pixel(EYE, np.array([1.0, 0, 0]), SIZE) is None


def test_clicks_are_shown_undone_and_saved_in_the_photo_s_own_pixels(run):
    viewer = serve.open_viewer(run, port=0, host="127.0.0.1")
    try:
        panel = viewer.clicks
        panel.save()
        assert "click on it first" in panel.words.content and not (panel.folder / "capture.yaml").exists()
        panel.photo.value = "photo 1.jpg"
        panel.show()
        np.testing.assert_allclose(panel.picture.position, MIDDLE)
        panel.clicked(ray_to([40.0, 60.0]))
        panel.side.value = OUTSIDE
        panel.clicked(ray_to([10.0, 20.0]))
        panel.clicked(ray_to([90.0, 20.0]))
        panel.undo()
        np.testing.assert_allclose(panel.marks[1].balls[0].position, place_of_pixel(np.array([40.0, 60.0]), SIZE))
        panel.name.value, panel.category.value = "my chair", "armchair"
        panel.save()
        assert panel.words.content.startswith("Saved")
        panel.photo.value = "none"
        panel.show()
        assert panel.picture is None and not any(ball.visible for ball in panel.marks[1].balls)
    finally:
        viewer.server.stop()
    clicks = {"photo 1.jpg": [[120, 180, True], [30, 60, False]]}
    assert read_notes(panel.folder)["objects"] == [{"name": "my chair", "category": "armchair", "clicks": clicks}]


def test_a_capture_that_is_wrong_is_said_and_kept(run):
    viewer = serve.open_viewer(run, port=0, host="127.0.0.1")
    try:
        panel = viewer.clicks
        (panel.folder / "capture.yaml").write_text("objects: [")
        panel.photo.value = "photo 0.jpg"
        panel.show()
        panel.clicked(ray_to([40.0, 60.0]))
        panel.save()
        assert panel.words.content.startswith("Not saved") and (panel.folder / "capture.yaml").read_text() == "objects: ["
    finally:
        viewer.server.stop()


def test_without_the_photos_folder_there_is_nothing_to_point_at(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "source").write_text(str(tmp_path / "gone"))
    viewer = serve.open_viewer(copy, port=0, host="127.0.0.1")
    viewer.server.stop()
    assert viewer.clicks is None
