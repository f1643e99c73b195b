import dataclasses

import numpy as np
import pytest
import yaml
from PIL import Image

from hsimul3r.artifacts import ObjectView, ObjectViews, PersonView, PointHints
from hsimul3r.config import PipelineConfig
from hsimul3r.errors import BadCapture, NoObject, WeightsNotGiven
from hsimul3r.generator.fit import FitConfig
from hsimul3r.generator.protocol import Support
from hsimul3r.geometry.masks import iou
from hsimul3r.perception.object_boxes import Sighting, cut_box, locate, predicted_box, region_of, without_doubles
from hsimul3r.pipeline import observe
from hsimul3r.progress import Progress
from hsimul3r.run_store import RunStore
from stages import generate_objects, perceive_objects
from stages.adapters.choices import SegmenterChoice
from stages.perceive_objects import cut_out_clicked, named_targets
from tests.stages.painted import boxes_of, hint, painted_scene

QUICK = FitConfig(first_generations=6, coarse_generations=15, survivors=4, adjusted=2, kept_families=1, fine_generations=30)
SILENT = Progress(None)


@pytest.fixture(scope="module")
def table():
    return painted_scene("lean")


def perceive(scene, capture, out, **settings):
    cfg = perceive_objects.PerceiveObjectsConfig(rounds=1, fit=QUICK, **settings)
    return perceive_objects.run(capture, scene.images, scene.people, scene.motion, cfg=cfg, out=out, progress=SILENT)


def named(scene, *hints):
    return dataclasses.replace(scene.capture, objects=hints)


def sightings(scene, views=(0, 1, 2, 3)):
    boxes = boxes_of(scene.masks)
    return [Sighting(view=v, box_px=boxes[v], category="table", score=0.5) for v in views]


def test_boxes_of_several_views_meet_at_the_object(table):
    located = locate(sightings(table), table.motion.cameras)
    assert len(located) == 1
    assert len(located[0].sightings) == 4
    np.testing.assert_allclose(located[0].region.xy, table.asset.T_world_object[:2, 3], atol=0.12)


def test_a_missing_view_gets_a_box_that_holds_the_object(table):
    region = region_of(sightings(table, (0, 1, 2)), table.motion.cameras)
    predicted, true = predicted_box(region, table.motion.cameras, 3), boxes_of(table.masks)[3]
    inner = np.clip(predicted, [true[0], true[1]] * 2, [true[2], true[3]] * 2)
    assert np.prod(inner[2:] - inner[:2]) > 0.8 * np.prod(true[2:] - true[:2])


def test_the_same_box_under_two_names_is_one():
    box = np.array([10.0, 10, 50, 60])
    twice = [Sighting(view=0, box_px=box + d, category=c, score=s) for d, c, s in ((0, "chair", 0.4), (2, "sofa", 0.6))]
    assert [s.category for s in without_doubles(twice)] == ["sofa"]


def test_a_box_outside_the_picture_has_nothing_left():
    assert cut_box(np.array([-50.0, 10, -5, 60]), np.array([480, 360])) is None


@pytest.mark.slow
def test_a_named_table_is_segmented_and_made_solid(table, tmp_path):
    views = perceive(table, named(table, hint(table, category="table", views=(0, 1, 2))), tmp_path)
    seen = views.objects[0]
    assert seen.name == "my_table"
    overlaps = [iou(labels == 1, mask, labels == 2) for labels, mask in zip(seen.labels, table.masks)]
    assert min(overlaps) > 0.8
    assert all((tmp_path / f"object_{v}.png").is_file() for v in range(4))
    cfg = generate_objects.GenerateObjectsConfig(fit=QUICK)
    made = generate_objects.run(views, table.motion, (), cfg=cfg, out=tmp_path, progress=SILENT).assets[0]
    assert made.category == "table"
    assert made.parameters["height"] == pytest.approx(table.asset.vertices[:, 2].max(), abs=0.03)
    np.testing.assert_allclose(made.T_world_object[:2, 3], table.asset.T_world_object[:2, 3], atol=0.05)
    assert 5 < made.mass_kg < 80
    assert (tmp_path / "my_table.glb").is_file()


def test_given_masks_are_kept_but_for_what_people_hide(table, tmp_path):
    seen = perceive(table, named(table, hint(table, category="table", has_masks=True)), tmp_path).objects[0]
    for labels, mask in zip(seen.labels, table.masks):
        np.testing.assert_array_equal(labels[labels != 2] == 1, mask[labels != 2])


class Painted:
    """Cuts out the thing under a click, and notes how it was asked."""

    licences = ("none",)

    def __init__(self, masks, images):
        self.masks, self.images, self.asked = masks, images, []

    def segment(self, image, boxes_px, clicks=None):
        self.asked.append((boxes_px, clicks))
        mask = next(m for m, known in zip(self.masks, self.images) if known is image)
        x, y = clicks.points_px[0][clicks.is_inside[0]][0].astype(int)
        return (mask if mask[y, x] else np.zeros_like(mask))[None]


def clicked(scene, views, *, points=None):
    """A table that has clicks alone, in the middle of its mask."""
    clicks = [None] * 4
    for v in views:
        y, x = (np.median(pixels) for pixels in np.nonzero(scene.masks[v]))
        at = np.array([[x, y]]) if points is None else points
        clicks[v] = PointHints(points_px=at, is_inside=np.ones(len(at), bool))
    blank = dataclasses.replace(hint(scene, category="table", views=()), clicks=tuple(clicks))
    return dataclasses.replace(named(scene, blank), sources=("a.jpg", "b.jpg", "c.jpg", "d.jpg"))


def test_clicked_things_get_masks_and_boxes_in_all_views(table):
    segmenter = Painted(table.masks, table.images)
    capture = cut_out_clicked(clicked(table, (0, 2)), table.images, table.people, segmenter)
    masks = capture.objects[0].masks
    assert [mask is None for mask in masks] == [False, True, False, True]
    assert all(np.array_equal(masks[v], table.masks[v]) for v in (0, 2))
    assert [boxes for boxes, _ in segmenter.asked] == [None, None]
    (target,) = named_targets(capture, table.motion)
    np.testing.assert_array_equal(target.boxes_px[[0, 2]], boxes_of(table.masks)[[0, 2]])
    assert np.isfinite(target.boxes_px).all()


def test_a_person_s_torso_is_outside_where_the_picture_shows_it(table):
    middle = np.array([np.median(pixels) for pixels in np.nonzero(table.people.masks[0])][::-1])
    sure = PersonView(
        view=0, person=0, keypoints_px=np.tile(middle, (21, 1)), confidence=np.ones(21), skeleton_m=np.zeros((21, 3)),
        box_px=np.zeros(4), agreement=1.0,
    )  # fmt: skip
    hidden = dataclasses.replace(sure, keypoints_px=np.zeros((21, 2)))
    unsure = dataclasses.replace(sure, confidence=np.full(21, 0.1))
    people = dataclasses.replace(
        table.people, views=(sure, hidden, unsure, dataclasses.replace(sure, view=1, confidence=np.zeros(21)))
    )
    segmenter = Painted(table.masks, table.images)
    cut_out_clicked(clicked(table, (0, 1)), table.images, people, segmenter)
    (_, first), (_, second) = segmenter.asked
    assert first.is_inside.tolist() == [[True, False]] and second.is_inside.tolist() == [[True]]
    np.testing.assert_array_equal(first.points_px[0, 1], middle)


def test_clicks_that_select_nothing_and_clicks_without_a_segmenter_are_refused(table, tmp_path):
    corner = clicked(table, (1,), points=np.array([[1.0, 1.0]]))
    with pytest.raises(BadCapture, match=r"clicks on object 'my table' in photo 'b.jpg' select nothing"):
        cut_out_clicked(corner, table.images, table.people, Painted(table.masks, table.images))
    with pytest.raises(BadCapture, match=r"'b.jpg' need a segmenter. Choose one: --object-views.segmenter.kind sam2"):
        perceive(table, corner, tmp_path)


def test_a_run_whose_clicks_nobody_can_use_stops_before_its_first_model(tmp_path, monkeypatch):
    photos = tmp_path / "scene"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (200, 240, 3), dtype=np.uint8)).save(photos / name)
    notes = {"objects": [{"name": "stool", "clicks": {"b.png": [[50, 60, True]]}}]}
    (photos / "capture.yaml").write_text(yaml.safe_dump(notes))
    monkeypatch.setenv("HSIMUL3R_WEIGHTS", str(tmp_path))
    sam2 = perceive_objects.PerceiveObjectsConfig(segmenter=SegmenterChoice(kind="sam2"))
    with RunStore(tmp_path / "run") as store:
        with pytest.raises(BadCapture, match=r"'b.png' need a segmenter. Choose one: --object-views.segmenter.kind sam2"):
            observe(photos, store, PipelineConfig())
        with pytest.raises(WeightsNotGiven, match="sam2"):
            observe(photos, store, PipelineConfig(object_views=sam2))
        assert (store.folder / "00_capture").is_dir() and not (store.folder / "10_people").exists()


def perceive_carrying(scene, height_m, score):
    """Views of the painted table where a sitter's seat is said to be `height_m` above the floor."""
    place = scene.asset.T_world_object[:3, 3]
    target = perceive_objects.Target(
        name="thing", category="table", score=score, boxes_px=boxes_of(scene.masks), masks=(None,) * len(scene.images),
        must_carry=Support(kind="seat", point=np.array([place[0], place[1], height_m])),
    )  # fmt: skip
    cfg = perceive_objects.PerceiveObjectsConfig(rounds=1, fit=QUICK)
    nothing = (None,) * len(scene.images)
    return perceive_objects.Perceiver(scene.images, scene.people.masks, scene.motion, (), nothing, cfg).perceive(target)


@pytest.mark.slow
def test_a_table_before_a_sitter_is_kept_and_the_seat_left_to_the_posture(table):
    views = perceive_carrying(table, table.asset.vertices[:, 2].max() - 0.3, score=1.0)
    assert [view.name for view in views] == ["thing", "thing_seat"]
    assert min(iou(labels == 1, mask, labels == 2) for labels, mask in zip(views[0].labels, table.masks)) > 0.7
    assert all((labels == 2).all() for labels in views[1].labels)


@pytest.mark.slow
def test_masks_that_agree_are_kept_though_the_seat_seems_higher(table):
    views = perceive_carrying(table, table.asset.vertices[:, 2].max() + 0.12, score=1.0)
    assert len(views) == 1
    assert min(iou(labels == 1, mask, labels == 2) for labels, mask in zip(views[0].labels, table.masks)) > 0.7


@pytest.mark.slow
def test_what_only_a_body_demands_must_carry_it(table):
    with pytest.raises(NoObject, match="seat"):
        perceive_carrying(table, table.asset.vertices[:, 2].max() + 0.12, score=0.0)


def test_an_object_found_twice_counts_once(table):
    def view(masks):
        labels = tuple(mask.astype(np.uint8) for mask in masks)
        return ObjectView(name="one", category="table", score=1.0, boxes_px=boxes_of(table.masks), labels=labels)

    moved = [np.roll(mask, 200, axis=1) for mask in table.masks]
    assert perceive_objects.mask_overlap(view(table.masks), view(table.masks)) == 1.0
    assert perceive_objects.mask_overlap(view(table.masks), view(moved)) < 0.3


def test_a_box_outside_the_picture_is_refused(table, tmp_path):
    outside = hint(table, category="table")
    outside = dataclasses.replace(outside, boxes_px=outside.boxes_px + 5000.0)
    with pytest.raises(BadCapture, match="outside"):
        perceive(table, named(table, outside), tmp_path)


def test_empty_masks_are_refused(table, tmp_path):
    empty = tuple(np.zeros_like(mask) for mask in table.masks)
    nothing = dataclasses.replace(hint(table, category="table"), masks=empty)
    with pytest.raises(NoObject, match="mask"):
        perceive(table, named(table, nothing), tmp_path)


def test_objects_need_a_view_with_a_camera(table, tmp_path):
    lost = dataclasses.replace(table.motion.cameras, is_registered=np.zeros(4, bool))
    scene = dataclasses.replace(table, motion=dataclasses.replace(table.motion, cameras=lost))
    with pytest.raises(NoObject, match="camera"):
        perceive(scene, named(table, hint(table, category="table")), tmp_path)


def test_no_objects_to_generate_is_an_error(table, tmp_path):
    nothing = ObjectViews(provenance=table.motion.provenance, objects=())
    with pytest.raises(NoObject):
        generate_objects.run(
            nothing, table.motion, (), cfg=generate_objects.GenerateObjectsConfig(), out=tmp_path, progress=SILENT
        )  # fmt: skip
