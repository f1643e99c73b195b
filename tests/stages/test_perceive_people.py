from dataclasses import replace

import cv2
import numpy as np
import pytest

from hsimul3r.artifacts import Capture, People, Provenance
from hsimul3r.errors import NoPerson
from hsimul3r.perception.identity import IdentityCosts
from hsimul3r.perception.keypoints import rows
from hsimul3r.progress import Progress
from stages import perceive_people
from stages.perceive_people import PerceivePeopleConfig

FAST = PerceivePeopleConfig(whole_sizes=(384, 512), window_shares=(0.6,))


def capture_of(images):
    size = np.array([[image.shape[1], image.shape[0]] for image in images])
    return Capture(
        provenance=Provenance(adapter="test"), name="test", folder="test", images=tuple(f"{v}.png" for v in range(len(images))),
        sources=tuple(f"photo_{v}.jpg" for v in range(len(images))), size_px=size, original_size_px=size,
        focal_px=np.full(len(images), np.nan), is_focal_given=False, stature_m=None, objects=(),
    )  # fmt: skip


def perceive(images, out, cfg=FAST):
    return perceive_people.run(capture_of(images), tuple(images), cfg=cfg, out=out, progress=Progress(None))


@pytest.fixture(scope="module")
def lego4(shared_data):
    photos = [cv2.imread(str(shared_data / "captures" / "lego4" / f"0000{i}.jpg")) for i in range(1, 5)]
    return tuple(np.ascontiguousarray(cv2.resize(p, (1280, 720), interpolation=cv2.INTER_AREA)[:, :, ::-1]) for p in photos)


def test_photos_without_anybody_raise_no_person(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    with pytest.raises(NoPerson, match=r"No person was found in any of the 2 photos\. Use photos"):
        perceive([np.full((240, 320, 3), 200, np.uint8), noise], tmp_path)


def test_a_person_in_one_photo_only_raises_no_person_and_says_which(tmp_path, lego4):
    standing = np.ascontiguousarray(lego4[0][:, 640:])
    with pytest.raises(NoPerson, match=r"one photo only \(photo 2 of 3, photo_1\.jpg\)"):
        perceive([np.zeros_like(standing), standing, np.full_like(standing, 90)], tmp_path)


def test_two_crops_of_one_person_give_one_identity_mask_and_picture(tmp_path, lego4):
    shift = 60
    people = perceive([lego4[0][:, 600:1180], lego4[0][:, 600 + shift : 1180 + shift]], tmp_path)
    assert people.person_count == 1
    first, second = people.views
    assert (first.view, second.view) == (0, 1) and first.person == second.person == 0
    sure = np.minimum(first.confidence, second.confidence) > 0.5
    assert sure[rows("left_shoulder", "right_shoulder", "left_knee", "right_knee")].all()
    assert np.abs(first.keypoints_px - second.keypoints_px - [shift, 0])[sure].mean() < 4
    for person, mask in zip(people.views, people.masks):
        x, y = np.round(person.keypoints_px[sure]).astype(int).T
        assert mask[y, x].mean() > 0.9 and 0.1 < mask.mean() < 0.5
        assert (tmp_path / f"keypoints_{person.view}.png").is_file()
    people.save(tmp_path)
    np.testing.assert_array_equal(People.load(tmp_path).views[1].keypoints_px, second.keypoints_px)


def test_people_whom_nothing_links_raise_no_person(tmp_path, lego4):
    small = [cv2.resize(image, None, fx=0.5, fy=0.5) for image in (lego4[1][60:660, 330:830], lego4[3][150:720, 360:860])]
    with pytest.raises(NoPerson, match="nobody could be recognised in two of them"):
        perceive(small, tmp_path, replace(FAST, identity=IdentityCosts(link=-10.0)))


LEGO4_PEOPLE = {  # A torso point per person and view, read off the photos: the standing, the beige, the red.
    0: {"standing": (845, 230), "beige": (370, 470), "red": (375, 330)},
    1: {"standing": (570, 190), "beige": (690, 290), "red": (455, 300)},
    2: {"standing": (530, 330), "red": (690, 440)},
    3: {"standing": (755, 310), "beige": (705, 420), "red": (490, 400)},
}


@pytest.mark.slow
def test_lego4_has_at_least_ten_of_twelve_sightings_none_false_and_no_wrong_identity(tmp_path, lego4):
    people = perceive(lego4, tmp_path, PerceivePeopleConfig())
    names = {}
    for person in people.views:
        torso = person.keypoints_px[rows("left_shoulder", "right_shoulder", "left_hip", "right_hip")].mean(axis=0)
        name, distance = min(
            ((name, float(np.linalg.norm(torso - place))) for name, place in LEGO4_PEOPLE[person.view].items()),
            key=lambda entry: entry[1],
        )
        assert distance < 90, f"a false person in view {person.view} at {torso}"
        names.setdefault(person.person, []).append(name)
    assert len(people.views) >= 10
    assert -1 not in names
    assert sorted(len(set(of_one)) for of_one in names.values()) == [1, 1, 1]
    assert people.person_count == 3


@pytest.mark.slow
def test_the_person_of_every_shipped_sample_is_found_alone(tmp_path, samples):
    folders = sorted(folder for folder in samples.glob("*") if folder.is_dir())
    if not folders:
        pytest.skip("no sample captures are shipped yet")
    for folder in folders:
        photos = sorted(folder.glob("*.jpg"))[::2]
        people = perceive([np.ascontiguousarray(cv2.imread(str(photo))[:, :, ::-1]) for photo in photos], tmp_path)
        assert [person.view for person in people.views] == list(range(len(photos))), folder.name
        assert people.person_count == 1, folder.name


@pytest.mark.slow
def test_the_same_photos_give_the_same_numbers(tmp_path, lego4):
    pair = [cv2.resize(image, None, fx=0.5, fy=0.5) for image in (lego4[0][:, 600:1180], lego4[3][:, 500:1000])]
    first, second = (perceive(pair, tmp_path, replace(FAST, whole_sizes=(384,))) for _ in range(2))
    for a, b in zip(first.views, second.views):
        np.testing.assert_array_equal(a.keypoints_px, b.keypoints_px)
        np.testing.assert_array_equal(a.confidence, b.confidence)
    for a, b in zip(first.masks, second.masks):
        np.testing.assert_array_equal(a, b)
