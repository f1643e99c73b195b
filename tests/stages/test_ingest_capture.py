from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from hsimul3r.artifacts import Capture
from hsimul3r.errors import BadCapture
from hsimul3r.images import load_images
from hsimul3r.progress import Progress
from stages import ingest_capture
from stages.ingest_capture import IngestCaptureConfig


def photo(path: Path, width=640, height=480, seed=0, **save):
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height)).save(path, **save)


def ingest(scene: Path, out: Path, **cfg) -> Capture:
    out.mkdir(exist_ok=True)
    return ingest_capture.run(scene, cfg=IngestCaptureConfig(**cfg), out=out, progress=Progress())


@pytest.fixture
def scene(tmp_path) -> Path:
    folder = tmp_path / "scene"
    folder.mkdir()
    photo(folder / "a.jpg", 1600, 1200, seed=1)
    photo(folder / "b.png", 300, 400, seed=2)
    return folder


def notes(scene: Path, **entries):
    (scene / "capture.yaml").write_text(yaml.safe_dump(entries))


def test_photos_of_any_size_become_working_images(scene, tmp_path):
    capture = ingest(scene, tmp_path / "out")
    images = load_images(tmp_path / "out", capture)
    assert capture.size_px.tolist() == [[1280, 960], [300, 400]]
    assert [image.shape for image in images] == [(960, 1280, 3), (400, 300, 3)]
    assert np.isnan(capture.focal_px).all()


def test_exif_rotation_is_respected(scene, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(scene / "c.jpg", 400, 300, seed=3, exif=exif)
    capture = ingest(scene, tmp_path / "out")
    assert capture.size_px[2].tolist() == [300, 400]


def test_exif_focal_is_a_prior_in_working_pixels(scene, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 27
    photo(scene / "c.jpg", 2560, 1920, seed=3, exif=exif)
    capture = ingest(scene, tmp_path / "out")
    assert capture.focal_px[2] == pytest.approx(27 / 36 * 1280)
    assert not capture.is_focal_given


def test_given_focal_boxes_and_masks_are_scaled_to_working_pixels(scene, tmp_path):
    mask = np.zeros((1200, 1600), np.uint8)
    mask[300:600, 400:800] = 255
    (scene / "masks").mkdir()
    Image.fromarray(mask).save(scene / "masks/a.png")
    chair = {"name": "chair", "boxes": {"a.jpg": [400, 300, 800, 600]}, "masks": {"a.jpg": "masks/a.png"}}
    notes(scene, focal_px=1250, stature_m=1.8, objects=[chair])
    capture = ingest(scene, tmp_path / "out")
    hint = capture.objects[0]
    assert capture.is_focal_given
    assert capture.stature_m == 1.8
    assert capture.focal_px.tolist() == [1000, 1250]
    assert hint.boxes_px[0].tolist() == [320, 240, 640, 480]
    assert np.isnan(hint.boxes_px[1]).all()
    assert hint.masks[0][300, 400]
    assert not hint.masks[0][100, 100]
    assert hint.masks[1] is None


def test_clicks_become_working_pixels(scene, tmp_path):
    notes(scene, objects=[{"name": "chair", "clicks": {"a.jpg": [[400, 300, True], [800, 1200, False]]}}])
    clicks = ingest(scene, tmp_path / "out").objects[0].clicks
    assert clicks[0].points_px.tolist() == [[320, 240], [640, 960]]
    assert clicks[0].is_inside.tolist() == [True, False] and clicks[0].is_inside.dtype == bool
    assert clicks[1] is None


def test_a_click_outside_an_object_refines_its_box(scene, tmp_path):
    notes(scene, objects=[{"name": "chair", "boxes": BOX, "clicks": {"a.jpg": [[90, 90, False]]}}])
    assert not ingest(scene, tmp_path / "out").objects[0].clicks[0].is_inside.any()


def clicks_on(photo, *points):
    return {"objects": [{"name": "chair", "clicks": {photo: list(points)}}]}


def test_natural_order(tmp_path):
    for i in (10, 9, 1):
        photo(tmp_path / f"view{i}.jpg", seed=i)
    assert ingest(tmp_path, tmp_path / "out").sources == ("view1.jpg", "view9.jpg", "view10.jpg")


def broken(scene):
    whole = (scene / "a.jpg").read_bytes()
    (scene / "a.jpg").write_bytes(whole[: len(whole) // 2])


def not_an_image(scene):
    (scene / "a.jpg").write_text("hello")


def one_image(scene):
    (scene / "a.jpg").unlink()


def empty(scene):
    (scene / "a.jpg").unlink()
    (scene / "b.png").unlink()


def identical(scene):
    with Image.open(scene / "a.jpg") as image:
        image.save(scene / "c.png")


def tiny(scene):
    photo(scene / "a.jpg", 64, 64)


def too_many(scene):
    for i in range(17):
        photo(scene / f"more{i}.png", 200, 200, seed=i + 5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken, "a.jpg.*cannot be read"), (not_an_image, "a.jpg.*cannot be read"), (one_image, "at least two"),
        (empty, "no photo"), (identical, "identical to"), (tiny, "only 64 x 64"), (too_many, "19 photos"),
    ],
)  # fmt: skip
def test_a_bad_folder_is_one_clear_error(scene, tmp_path, spoil, message):
    spoil(scene)
    with pytest.raises(BadCapture, match=message):
        ingest(scene, tmp_path / "out")


BOX = {"a.jpg": [0, 0, 100, 100]}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"stature_m": 0}, "stature of 0"), ({"stature_m": "tall"}, "stature of tall"), ({"stature_m": 170}, "in metres"),
        ({"stature": 1.7}, "unknown entries"), ({"focal_px": 0}, "focal_px of 0"), ({"focal_px": [1, 2, 3]}, "list of 2"),
        ({"objects": [{"name": "chair", "boxes": {"a.jpg": [0, 0, 9999, 10]}}]}, "does not lie inside the picture"),
        ({"objects": [{"name": "chair", "boxes": {"a.jpg": [50, 0, 20, 10]}}]}, "does not lie inside the picture"),
        ({"objects": [{"name": "chair", "boxes": {"a.jpg": [1, 2, 3]}}]}, "box"),
        ({"objects": [{"name": "chair", "boxes": {"z.jpg": [0, 0, 10, 10]}}]}, "names the photo 'z.jpg'"),
        ({"objects": [{"name": "piano", "boxes": BOX}]}, "category 'piano'"),
        ({"objects": [{"name": "chair", "masks": {"a.jpg": "../../etc/passwd"}}]}, "outside the capture's folder"),
        (clicks_on("a.jpg", [1601, 5, True]), r"click \[1601, 5, True\] does not lie inside the picture"),
        (clicks_on("a.jpg", [5, -1, True]), "does not lie inside the picture.*1600 x 1200"),
        (clicks_on("a.jpg", [5, 5]), "x, y, true or false"), (clicks_on("a.jpg", [5, "5", True]), "x, y, true or false"),
        (clicks_on("a.jpg", [5, 5, "yes"]), "x, y, true or false"), (clicks_on("a.jpg"), "clicks"),
        (clicks_on("a.jpg", [float("nan"), 5, True]), "does not lie inside"), (clicks_on("a.jpg", 5), "click 5"),
        (clicks_on("a.jpg", [5, 5, False]), "no click lies inside it"), (clicks_on("z.jpg", [5, 5, True]), "the photo 'z.jpg'"),
        ({"objects": {"name": "chair"}}, "not a list"), ({"objects": [{"boxes": BOX}]}, "object entry"),
    ],
)  # fmt: skip
def test_bad_notes_are_one_clear_error(scene, tmp_path, entries, message):
    notes(scene, **entries)
    with pytest.raises(BadCapture, match=message):
        ingest(scene, tmp_path / "out")


def test_yaml_that_is_no_yaml_is_one_clear_error(scene, tmp_path):
    (scene / "capture.yaml").write_text("objects: [")
    with pytest.raises(BadCapture, match="not valid YAML"):
        ingest(scene, tmp_path / "out")


def test_the_command_lines_stature_wins(scene, tmp_path):
    notes(scene, stature_m=1.6)
    assert ingest(scene, tmp_path / "out", stature_m=1.9).stature_m == 1.9


def test_a_file_as_scene_is_one_clear_error(scene, tmp_path):
    with pytest.raises(BadCapture, match="not a folder"):
        ingest(scene / "a.jpg", tmp_path / "out")
