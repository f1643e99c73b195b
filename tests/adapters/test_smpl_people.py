from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_networks import filled

from hsimul3r.artifacts import PersonView
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import KEYPOINTS, SMPLX_JOINTS
from hsimul3r.errors import WrongWeights
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.geometry.skeletons import HIPS
from stages import perceive_people
from stages.adapters.hmr2 import Hmr2Model, SquareCrop, crop_picture, square_crop, translation_in_photo
from stages.adapters.networks.blocks import Tower
from stages.adapters.networks.hmr2_net import Hmr2, Hmr2Config, HmrHeadSizes
from stages.adapters.networks.sat_hmr_net import SatConfig, SatHmr
from stages.adapters.sat_hmr import SatHmrModel, fit_picture, sizes_of
from stages.adapters.smpl_people import IMAGE_MEAN, IMAGE_STD, SMPL_JOINTS, SmplPerson, on_embedded_body, skeleton_of

HMR = Hmr2Config(
    image_size=64, backbone=Tower(width=16, depth=1, heads=2),
    head=HmrHeadSizes(width=12, depth=1, heads=2, head_width=6, mlp_width=10),
)  # fmt: skip
SAT = SatConfig(
    input_size=112, width=64, depth=2, heads=1, scale_blocks=1, hidden=16, decoder_layers=2, feedforward=12, queries=5,
    grid_side=4,
)  # fmt: skip
PHOTO = np.random.default_rng(0).integers(0, 255, (90, 60, 3), np.uint8)


def person(**changes):
    pose = np.zeros((24, 3))
    pose[0] = [np.pi, 0, 0]
    plain = SmplPerson(
        pose=pose, betas=np.zeros(10), transl=np.array([0.0, 0, 4]), focal_px=500.0, box_px=np.zeros(4), score=1.0
    )
    return replace(plain, **changes)


def test_joints_keep_their_names():
    pose = np.arange(72.0).reshape(24, 3)
    found = person(pose=pose).smplx_pose
    for name in ("pelvis", "left_knee", "head", "right_wrist"):
        assert np.array_equal(found[SMPLX_JOINTS.index(name)], pose[SMPL_JOINTS.index(name)])
    assert np.array_equal(found[SMPLX_JOINTS.index("left_middle1")], pose[22])
    assert not found[SMPLX_JOINTS.index("jaw")].any()


def test_skeletons_are_seen_straight_on():
    """A person who faces the camera from the side of its picture, and one in the middle who turns as much the other way."""
    ray = np.array([2.0, 0, 4])
    across = matrix_from_axis_angle(np.array([0, np.arctan2(ray[0], ray[2]), 0]))
    upright = matrix_from_axis_angle(np.array([np.pi, 0, 0]))
    turned = person().pose.copy()
    turned[0] = axis_angle_from_matrix(across @ upright)
    beside = skeleton_of(person(pose=turned, transl=ray), is_ray_aligned=False)
    straight = skeleton_of(person(), is_ray_aligned=True)
    assert np.allclose(beside, straight, atol=1e-9)
    assert np.allclose(straight[list(HIPS)].mean(axis=0), 0)
    assert straight[KEYPOINTS.index("nose"), 1] < -0.4 < 0.4 < straight[KEYPOINTS.index("left_toe"), 1]


def test_a_person_on_the_embedded_body_stays_where_it_is():
    class Own:
        """The embedded body in the place of the user's SMPL."""

        def __getattr__(self, name):
            return getattr(embedded_body(), name)

    found = on_embedded_body(person(), Own())
    assert found.joint_error_m < 0.003
    assert np.allclose(found.transl, [0, 0, 4], atol=0.01)


def test_a_crop_is_square_and_holds_the_box():
    crop = square_crop(np.array([10.0, 20, 40, 120]))
    assert crop.side_px == 100
    assert crop.centre_px.tolist() == [25, 70]
    assert square_crop(np.array([0.0, 0, 90, 50])).side_px == pytest.approx(120)


def test_a_crops_pixels_come_from_their_places():
    image = np.zeros((100, 100, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(100)[None], np.arange(100)[:, None]
    picture = crop_picture(image, SquareCrop(centre_px=np.array([50.0, 40.0]), side_px=32.0), 64)
    values = picture.permute(1, 2, 0).numpy() * IMAGE_STD + IMAGE_MEAN
    assert values[32, 32, :2] * 255 == pytest.approx([50, 40], abs=0.2)
    assert values[32, 52, :2] * 255 == pytest.approx([60, 40], abs=0.2)


def test_a_person_is_seen_through_the_photo_where_the_crop_saw_it():
    """A point at (x, y) of the weak camera lies scale * (x, y) half sides from the crop's middle."""
    crop = SquareCrop(centre_px=np.array([300.0, 180.0]), side_px=200.0)
    scale, x, y = 0.8, 0.1, -0.2
    place = translation_in_photo(np.array([scale, x, y]), crop, (480, 640), 700.0)
    seen = 700 * place[:2] / place[2] + [320, 240]
    assert seen == pytest.approx([300 + scale * x * 100, 180 + scale * y * 100])
    assert 700 * 2 / place[2] == pytest.approx(scale * 200)  # two metres fill `scale` of the crop


def test_hmr2_reads_its_published_layout(tmp_path):
    network, path = filled(Hmr2(HMR)), tmp_path / "hmr2.ckpt"
    extra = {"smpl.lbs_weights": torch.zeros(3), "discriminator.a.weight": torch.zeros(2)}
    torch.save({"state_dict": network.state_dict() | extra, "epoch": 35}, path)
    model = Hmr2Model.load(path, config=HMR)
    boxes = np.array([[5.0, 10, 30, 80], [20, 5, 50, 85]])
    people = model.estimate(PHOTO, boxes, focal_px=100.0)
    assert len(people) == 2
    assert np.array_equal(people[1].box_px, boxes[1])
    with torch.no_grad():
        pictures = torch.stack([crop_picture(PHOTO, square_crop(box), 64) for box in boxes])
        assert np.allclose(people[1].betas, network(pictures).betas[1].numpy(), atol=1e-5)
    assert model.estimate(PHOTO, np.zeros((0, 4))) == ()
    with pytest.raises(WrongWeights):
        Hmr2Model.load(path, config=replace(HMR, image_size=96))


def test_the_stage_takes_skeletons_from_hmr2():
    view = PersonView(
        view=0, person=-1, keypoints_px=np.zeros((21, 2)), confidence=np.ones(21), skeleton_m=np.zeros((21, 3)),
        box_px=np.array([5.0, 10, 30, 80]), agreement=1.0,
    )  # fmt: skip
    model = Hmr2Model(filled(Hmr2(HMR)))
    (bent,) = perceive_people._bent(PHOTO, [perceive_people._Person(view=view, mask=np.ones((90, 60), bool))], model)
    (seen,) = model.estimate(PHOTO, view.box_px[None])
    assert np.allclose(bent.view.skeleton_m, skeleton_of(seen, is_ray_aligned=True))
    made = perceive_people._provenance(None, model)
    assert made.adapter == "movenet+blazepose+hmr2"
    assert "non-commercial" in made.licences[-1]


@pytest.mark.parametrize("model", ["sat_hmr", "ma_hmr"])
def test_all_people_of_a_photo_best_first(tmp_path, model):
    sizes = replace(SAT, sees_field_of_view=model == "ma_hmr")
    network, path = filled(SatHmr(sizes)), tmp_path / "net.pth"
    weights = network.state_dict()
    torch.save({"model": weights | {"human_model.v_template": torch.zeros(4)}}, path)
    assert sizes_of(weights, sees_field_of_view=sizes.sees_field_of_view) == sizes
    loaded = SatHmrModel.load(path, model)
    found = loaded.estimate(PHOTO, threshold=0.0)
    scores = [one.score for one in found.people]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert len(loaded.estimate(PHOTO, threshold=scores[1]).people) == 2
    picture = fit_picture(PHOTO, 112)
    with torch.no_grad():
        queried = network(picture.image, picture.size)
    assert found.focal_px == pytest.approx(float(queried.focal_px) * 90 / 112, rel=1e-5)
    best = int(queried.confidence.argmax())
    assert np.allclose(found.people[0].transl, queried.translation[best].numpy(), atol=1e-5)
    middle = (found.people[0].box_px[:2] + found.people[0].box_px[2:]) / 2
    assert np.allclose(middle, queried.boxes[best, :2].numpy() * 90, atol=1e-4)
    assert any("non-commercial" in line for line in loaded.licences)


def test_ma_hmr_is_not_taken_for_sat_hmr(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"model": filled(SatHmr(replace(SAT, sees_field_of_view=True))).state_dict()}, path)
    with pytest.raises(WrongWeights, match="fov_head"):
        SatHmrModel.load(path, "sat_hmr")


def test_a_photo_is_fitted_and_padded():
    picture = fit_picture(np.full((90, 60, 3), 255, np.uint8), 112)
    assert picture.size == (112, 75)
    assert tuple(picture.image.shape) == (3, 112, 112)
    assert not picture.image[:, :, 75:].any()
    assert picture.image[:, 50, 50].numpy() == pytest.approx((1 - np.array(IMAGE_MEAN)) / IMAGE_STD, rel=1e-5)


def test_no_photo_outgrows_the_networks_table_of_places():
    """A side that is no multiple of the coarsest tokens is not padded beyond what the network knows."""
    for shape in ((90, 60, 3), (40, 91, 3), (64, 64, 3)):
        assert max(fit_picture(np.zeros(shape, np.uint8), 140).image.shape) <= 140
    network = filled(SatHmr(replace(SAT, input_size=140)))
    assert len(SatHmrModel(network).estimate(PHOTO, threshold=0.0).people) == 5
