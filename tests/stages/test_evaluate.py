"""A run that is the truth has no error; a run that is off by a known amount has that error."""

from dataclasses import replace

import numpy as np
import pytest
from interaction import toys

from hsimul3r.artifacts import AlignedScene, Contact, Criterion, StabilityVerdict
from hsimul3r.benchmark.truth import Truth, TruthBody, TruthContact, TruthObject, save_truth
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.errors import DamagedArtifact
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import depth, project, transform_cameras, transform_points
from hsimul3r.geometry.rotations import rotation_about_z
from hsimul3r.geometry.silhouette import rasterize_depth
from stages.evaluate import evaluate_run, markdown_table, over_seeds

HUMAN = toys.body(toys.SIT)
CHAIR = toys.chair(toys.lowest_of(HUMAN, "buttocks"))
CONTACTS = (Contact(person=0, part="buttocks", target="chair", gap_m=0.0, point=np.zeros(3)),
            Contact(person=0, part="left_foot", target="floor", gap_m=0.0, point=np.zeros(3)))  # fmt: skip
CONTACTS_TRUE = tuple(TruthContact(part=c.part, target=c.target, gap_m=c.gap_m, point=c.point) for c in CONTACTS)
PENETRATION = ("sp3d_percent", "penetration_max_mm", "penetration_mean_mm", "vertices_inside_percent")


def silhouette(cameras, view, vertices, faces):
    width, height = cameras.size_px[view]
    drawn, _ = rasterize_depth(project(cameras, view, vertices), depth(cameras, view, vertices), faces,
                               height=int(height), width=int(width))  # fmt: skip
    return np.isfinite(drawn)


@pytest.fixture(scope="module")
def truth_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    model, cameras = embedded_body(), toys.cameras()
    placed = (HUMAN.betas, HUMAN.pose[0], HUMAN.transl[0])
    skin = model.vertices(*placed)
    people = [silhouette(cameras, v, skin, model.faces) for v in range(4)]
    chairs = [silhouette(cameras, v, CHAIR.vertices, CHAIR.faces) for v in range(4)]
    item = TruthObject(name="chair", category="box", vertices=CHAIR.vertices, faces=CHAIR.faces, pieces=CHAIR.parts,
                       T_world_object=CHAIR.T_world_object[None], density_kg_m3=100.0, friction=0.8,
                       support_height_m=toys.lowest_of(HUMAN, "buttocks"))  # fmt: skip
    body = TruthBody(betas=HUMAN.betas, pose=HUMAN.pose[:1], transl=HUMAN.transl[:1],
                     joints=model.joints(*placed)[None], fps=30.0)  # fmt: skip
    labels = tuple(np.where(p, 1, np.where(c, 2, 0)).astype(np.uint8) for c, p in zip(chairs, people))
    save_truth(Truth(cameras=cameras, frames=np.zeros(4, int), body=body, objects=(item,), contacts=CONTACTS_TRUE,
                     labels=labels, depth=(None,) * 4), folder)  # fmt: skip
    return folder


def write_run(folder, *, human=HUMAN, chair=CHAIR, cameras=None, contacts=CONTACTS):
    motion, _, _ = toys.inputs([human], [chair])
    cameras = cameras or motion.cameras
    motion = replace(motion, cameras=cameras)
    report = {f"{name}_{when}": 3.0 for name in PENETRATION for when in ("before", "after")}
    scene = AlignedScene(provenance=motion.provenance, body_model=EMBEDDED, bodies=(human,), assets=(chair,),
                         contacts=contacts, cameras=cameras, tracks=motion.tracks, report=report)  # fmt: skip
    for name, artifact in (("40_humans", motion), ("60_aligned", scene)):
        (folder / name).mkdir()
        artifact.save(folder / name)


def test_the_truth_has_no_error(tmp_path, truth_folder):
    write_run(tmp_path)
    figures = evaluate_run(tmp_path, truth_folder)
    for name in ("cameras/rotation_max_deg", "cameras/position_max_cm", "cameras/focal_percent", "body/fitted_w_mpjpe_mm",
                 "body/aligned_pa_mpjpe_mm", "body/stature_error_cm", "object/support_height_error_cm",
                 "object/top_height_error_cm"):  # fmt: skip
        assert figures[name] == pytest.approx(0, abs=1e-3), name
    assert figures["object/silhouette_iou_min"] == pytest.approx(1, abs=0.002)
    assert figures["object/iou_3d"] > 0.95, "voxel centres on a face are in one solid and not in the other"
    for name in ("object/f5cm_percent", "object/midi_f_percent", "contact/precision_percent", "cameras/rra5_percent"):
        assert figures[name] == pytest.approx(100), name
    assert figures["cameras/registered"] == 4
    assert figures["contact/sp3d_percent_before"] == 3


def test_another_world_frame_is_no_error(tmp_path, truth_folder):
    """Everything turned by 40 degrees about the vertical and shifted: the same reconstruction."""
    world = Similarity(scale=1.0, R=rotation_about_z(0.7), t=np.array([1.0, -2, 0]))
    cameras = transform_cameras(toys.cameras(), world)
    moved = toys.body(toys.SIT, yaw=0.7)
    moved = toys.sequence(moved.pose[0], moved.transl[0] + world.t + (world.apply(_pelvis(HUMAN)) - world.t) * [1, 1, 0]
                          - _pelvis(moved) * [1, 1, 0])  # fmt: skip
    chair = replace(CHAIR, T_world_object=world.matrix() @ CHAIR.T_world_object)
    write_run(tmp_path, human=moved, chair=chair, cameras=cameras)
    figures = evaluate_run(tmp_path, truth_folder)
    assert figures["body/aligned_w_mpjpe_mm"] == pytest.approx(0, abs=0.1)
    assert figures["object/chamfer_cm"] < 1
    assert figures["object/silhouette_iou_min"] > 0.99


def test_known_shifts_are_measured(tmp_path, truth_folder):
    raised = transform_points(np.eye(4), CHAIR.vertices) * [1, 1, 1.1]
    parts = tuple(replace(part, vertices=part.vertices * [1, 1, 1.1]) for part in CHAIR.parts)
    write_run(
        tmp_path, human=toys.raised(HUMAN, 0.03), chair=replace(CHAIR, vertices=raised, parts=parts), contacts=CONTACTS[:1]
    )
    figures = evaluate_run(tmp_path, truth_folder)
    seat = toys.lowest_of(HUMAN, "buttocks")
    assert figures["body/fitted_w_mpjpe_mm"] == pytest.approx(30, abs=0.01)
    assert figures["body/fitted_pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert figures["object/support_height_error_cm"] == pytest.approx(10 * seat, abs=0.01)
    assert figures["contact/recall_percent"] == 50
    assert figures["object/silhouette_iou_mean"] < 0.95


def test_an_object_that_is_elsewhere_is_not_found(tmp_path, truth_folder):
    away = CHAIR.T_world_object.copy()
    away[0, 3] += 1.5
    write_run(tmp_path, chair=replace(CHAIR, T_world_object=away))
    figures = evaluate_run(tmp_path, truth_folder)
    assert (figures["object/found_percent"], figures["object/f5cm_percent"], figures["object/count"]) == (0, 0, 1)
    assert "object/chamfer_cm" not in figures
    assert figures["contact/recall_percent"] == 50, "the contact with an object that is not the true one is wrong"


def test_verdicts_are_included_where_they_exist(tmp_path, truth_folder):
    write_run(tmp_path)
    criterion = Criterion(test="contact", name="force", value=400.0, threshold=20.0, holds=True, margin=19.0)
    verdict = StabilityVerdict(provenance=toys.inputs([HUMAN], [CHAIR])[0].provenance, controller="pd", is_stable=True,
                               feedback_type=4, stands_under_gravity=True, is_settled=True, holds_contact=True,
                               criteria=(criterion,), reason="sits")  # fmt: skip
    (tmp_path / "85_verdict_pd").mkdir()
    verdict.save(tmp_path / "85_verdict_pd")
    figures = evaluate_run(tmp_path, truth_folder)
    assert (figures["verdict/pd_stable"], figures["verdict/pd_stands_under_gravity"]) == ("yes", "yes")
    assert "verdict/static_stable" not in figures


def test_damaged_run_is_named(tmp_path, truth_folder):
    write_run(tmp_path)
    (tmp_path / "40_humans" / "artifact.json").write_text("{")
    with pytest.raises(DamagedArtifact, match="40_humans"):
        evaluate_run(tmp_path, truth_folder)


def test_table_has_a_row_per_figure_and_a_column_per_run():
    table = markdown_table({"a": {"x": 1.23456, "why": "no | yes"}, "b": {"x": 2.0}})
    assert table.splitlines() == ["| figure | a | b |", "|---|---|---|", "| x | 1.235 | 2 |", "| why | no / yes |  |"]


def test_seeds_are_combined_with_their_spread():
    combined = over_seeds([{"x": 1.0, "stable": "yes"}, {"x": 3.0, "stable": "no"}, {"x": 2.0, "stable": "yes", "y": 5.0}])
    assert combined == {"x": "2 [1, 3]", "stable": "yes; no", "y": "5 [5, 5]"}


def _pelvis(human):
    return embedded_body().joints(human.betas, human.pose[0], human.transl[0])[0]
