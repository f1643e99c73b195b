from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hsimul3r.artifacts import Capture, People, PersonView, Provenance
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import BadBody, NoOverlap, NoPerson, WeightsNotGiven
from hsimul3r.progress import Progress
from stages import calibrate_cameras, perceive_people
from stages.adapters.choices import PhotoChoice, open_photo_model
from stages.adapters.photo_rig import refocused, rig_of
from stages.adapters.sat_hmr import PhotoOfPeople
from stages.adapters.smpl_people import SmplPerson

SIZE = np.array([[640, 480]])
SMPL = SimpleNamespace(**{name: getattr(embedded_body(), name) for name in ("faces", "weights", "vertices", "joints")})
"""The embedded body in the place of the user's SMPL: the same joints, so that what comes out is known."""


def capture(**known):
    plain = Capture(
        provenance=Provenance(adapter="test"), name="test", folder="test", images=("0.png",), sources=("0.jpg",), size_px=SIZE,
        original_size_px=SIZE, focal_px=np.array([np.nan]), is_focal_given=False, stature_m=None, objects=(),
    )  # fmt: skip
    return replace(plain, **known)


def seen(person, box):
    return PersonView(
        view=0, person=person, keypoints_px=np.zeros((21, 2)), confidence=np.ones(21), skeleton_m=np.zeros((21, 3)),
        box_px=np.array(box, float), agreement=1.0,
    )  # fmt: skip


def someone(box, depth, score):
    pose = np.zeros((24, 3))
    pose[0] = [np.pi, 0, 0]
    pose[4] = [0.4, 0, 0]
    return SmplPerson(
        pose=pose, betas=np.zeros(10), transl=np.array([0.2, 0.3, depth]), focal_px=500.0, box_px=np.array(box, float),
        score=score,
    )  # fmt: skip


PEOPLE = People(
    provenance=Provenance(adapter="test"), masks=(np.zeros((480, 640), bool),), person_count=2,
    views=(seen(0, [100, 100, 200, 400]), seen(1, [400, 100, 500, 400])),
)  # fmt: skip
PHOTO = PhotoOfPeople(
    focal_px=500.0,
    people=(
        someone([405, 110, 500, 400], 4.0, 0.9), someone([100, 100, 205, 390], 3.0, 0.8), someone([0, 0, 50, 50], 2.0, 0.7),
    ),
)  # fmt: skip


def test_perceived_people_stand_where_the_network_sees_them():
    rig = rig_of(PHOTO, capture(), PEOPLE, SMPL)
    assert rig.persons == (0, 1)
    assert np.array_equal(rig.cameras.T_cam_world[0], np.eye(4))
    assert rig.cameras.focal_px == pytest.approx([500])
    assert rig.provenance.scale_source == "given"
    for skeleton, one in zip(rig.skeletons, (PHOTO.people[1], PHOTO.people[0])):
        truth = embedded_body().keypoints(one.betas, one.smplx_pose, one.transl)
        assert np.linalg.norm(skeleton - truth, axis=1).mean() < 0.01
    assert rig.report["body_conversion_mm"] < 1


def test_what_the_capture_knows_comes_first():
    rig = rig_of(PHOTO, capture(focal_px=np.array([750.0]), stature_m=1.8), PEOPLE, SMPL)
    assert rig.cameras.focal_px == pytest.approx([750])
    assert rig.provenance.scale_source == "stature"
    assert rig.skeletons[0, :, 2].mean() == pytest.approx(4.5, abs=0.3)


def test_another_focal_length_moves_a_person_along_its_ray():
    one = PHOTO.people[0]
    moved = refocused(one, 1000.0)
    assert moved.transl[2] == 8.0
    assert 1000 * moved.transl[:2] / moved.transl[2] == pytest.approx(500 * one.transl[:2] / one.transl[2])


def test_nobody_in_common_is_said():
    with pytest.raises(NoPerson):
        rig_of(replace(PHOTO, people=PHOTO.people[2:]), capture(), PEOPLE, SMPL)


def test_one_photo_without_a_model_says_which_would_do():
    image = np.zeros((480, 640, 3), np.uint8)
    with pytest.raises(NoOverlap, match=r"--cameras.photo.kind ma_hmr"):
        calibrate_cameras.run(
            capture(), (image,), PEOPLE, cfg=calibrate_cameras.CalibrateCamerasConfig(), out=None, progress=Progress(None)
        )


def test_the_model_and_smpl_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HSIMUL3R_WEIGHTS", str(tmp_path))
    assert open_photo_model(PhotoChoice()) is None
    with pytest.raises(WeightsNotGiven, match=r"cameras.photo.weights"):
        open_photo_model(PhotoChoice(kind="ma_hmr"))
    (tmp_path / "SMPL_NEUTRAL.npz").write_bytes(b"nothing")
    monkeypatch.setattr("stages.adapters.choices.SatHmrModel.load", lambda *_, **__: None)
    with pytest.raises(BadBody):
        open_photo_model(PhotoChoice(kind="sat_hmr", weights="any"))


def test_in_a_single_photo_everybody_is_somebody_else():
    people = [perceive_people._Person(view=seen(-1, [0, 0, 9, 9]), mask=np.zeros((480, 640), bool))] * 3
    cfg = perceive_people.PerceivePeopleConfig()
    assert perceive_people._identities(people, capture(), (np.zeros((480, 640, 3), np.uint8),), cfg) == (0, 1, 2)
