"""The adapters of transformers and segment-anything on tiny random models, through their real pre- and post-processing."""

import json
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.artifacts import People, Provenance
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.errors import BadWeights, WrongWeights
from hsimul3r.perception.segmenter import Clicks
from stages.adapters.choices import DetectorChoice, SegmenterChoice, open_detector, open_segmenter
from stages.adapters.hub_models import load_model
from stages.adapters.torchvision_mend import mend_torchvision
from stages.perceive_objects import Target, cut_out

mend_torchvision()
transformers = pytest.importorskip("transformers", reason="the extra 'models' is not installed")
torch = pytest.importorskip("torch")

BOXES = np.array([[10.0, 20.0, 60.0, 100.0], [0.0, 0.0, 159.0, 119.0]])


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=[17, 133])
def vitpose(request, tmp_path_factory):
    from stages.adapters.vitpose import VitPose

    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2,
        out_indices=[2],
    )  # fmt: skip
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=request.param)
    folder = tmp_path_factory.mktemp("vitpose")
    transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
    transformers.VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(folder)
    return VitPose.load(folder)


def test_vitpose_gives_named_keypoints_near_each_box(vitpose, picture):
    points, confidence = vitpose.estimate(picture, BOXES)
    assert points.shape == (2, len(KEYPOINTS), 2) and confidence.shape == (2, len(KEYPOINTS))
    has_feet = vitpose.model.config.num_labels == 133
    assert np.isfinite(points).all() == has_feet and np.isfinite(points[:, :17]).all()
    low, high = BOXES[0, :2] - 60, BOXES[0, 2:] + 60
    assert (points[0, :17] > low).all() and (points[0, :17] < high).all()


@pytest.fixture(scope="module")
def sam2_folder(tmp_path_factory):
    torch.manual_seed(0)
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2], "blocks_per_stage": [1, 1, 2, 1], "image_size": [256, 256],
        "global_attention_blocks": [3], "window_size_per_stage": [8, 4, 8, 4],
    }  # fmt: skip
    vision = {
        "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 128,
        "backbone_feature_sizes": [[64, 64], [32, 32], [16, 16]],
    }  # fmt: skip
    prompts = {"hidden_size": 128, "image_size": 256, "mask_input_channels": 4}
    decoder = {"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
    config = transformers.Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    folder = tmp_path_factory.mktemp("sam2")
    transformers.Sam2Model(config).save_pretrained(folder)
    pictures = transformers.Sam2ImageProcessor(size={"height": 256, "width": 256}, mask_size={"height": 64, "width": 64})
    transformers.Sam2Processor(pictures).save_pretrained(folder)
    return folder


def test_sam2_gives_a_mask_of_the_picture_s_size_for_every_box(sam2_folder, picture):
    from stages.adapters.sam2 import Sam2

    segmenter = Sam2.load(sam2_folder)
    masks = segmenter.segment(picture, BOXES)
    assert masks.shape == (2, 120, 160) and masks.dtype == bool
    clicks = Clicks(points_px=np.array([[[30.0, 50.0]], [[80.0, 60.0]]]), is_inside=np.array([[True], [False]]))
    assert segmenter.segment(picture, BOXES, clicks).shape == (2, 120, 160)
    assert segmenter.segment(picture, None, clicks).shape == (2, 120, 160)
    assert not np.array_equal(segmenter.segment(picture, None, clicks), masks)
    with pytest.raises(ValueError, match="boxes or clicks"):
        segmenter.segment(picture, None)


def test_a_chosen_segmenter_gives_masks_where_there_is_a_box_and_none_yet(sam2_folder, picture):
    given = np.ones((120, 160), bool)
    boxes = np.array([BOXES[0], [np.nan] * 4, BOXES[1]])
    target = Target(name="chair", category="chair", score=1.0, boxes_px=boxes, masks=(None, None, given))
    segmenter = open_segmenter(SegmenterChoice(kind="sam2", weights=str(sam2_folder)))
    nobody = People(provenance=Provenance(adapter="test"), views=(), masks=(np.zeros((120, 160), bool),) * 3, person_count=0)
    (found,) = cut_out((target,), [picture] * 3, nobody, segmenter)
    np.testing.assert_array_equal(found.masks[0], segmenter.segment(picture, BOXES[:1])[0])
    assert found.masks[1] is None and found.masks[2] is given
    assert cut_out((target,), [picture] * 3, nobody, open_segmenter(SegmenterChoice())) == (target,)


def test_sam2_follows_things_through_a_video_by_their_identities(sam2_folder, tmp_path, picture):
    from stages.adapters.sam2 import Sam2Video

    config = json.loads((sam2_folder / "config.json").read_text())
    fields = {name: config[name] for name in ("vision_config", "prompt_encoder_config", "mask_decoder_config")}
    torch.manual_seed(0)
    video = transformers.Sam2VideoConfig(
        **fields, image_size=256, memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        memory_attention_hidden_size=128, memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=32,
        memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32, memory_fuser_num_layers=1, num_maskmem=2,
        memory_attention_rope_feat_sizes=[16, 16], mask_downsampler_embed_dim=128,
    )  # fmt: skip
    transformers.Sam2VideoModel(video).save_pretrained(tmp_path)
    pictures = transformers.Sam2ImageProcessor(size={"height": 256, "width": 256}, mask_size={"height": 64, "width": 64})
    frames = transformers.Sam2VideoVideoProcessor(size={"height": 256, "width": 256})
    transformers.Sam2VideoProcessor(pictures, frames).save_pretrained(tmp_path)
    masks = list(Sam2Video.load(tmp_path).follow([picture] * 3, {7: BOXES[0], 2: BOXES[1]}))
    assert len(masks) == 3 and all(set(found) == {7, 2} for found in masks)
    assert all(mask.shape == (120, 160) for found in masks for mask in found.values())


def test_a_folder_of_another_model_is_refused(sam2_folder, tmp_path):
    from stages.adapters.vitpose import VitPose

    with pytest.raises((BadWeights, WrongWeights), match=str(sam2_folder)):
        VitPose.load(sam2_folder)
    with pytest.raises(BadWeights, match=r"config\.json"):
        VitPose.load(tmp_path)
    with pytest.raises(BadWeights, match="no attribute"):
        load_model(sam2_folder, "ModelOfAnotherYear", "Sam2Processor")


def test_weights_that_are_cut_short_are_refused(sam2_folder, tmp_path):
    from stages.adapters.sam2 import Sam2

    for file in Path(sam2_folder).iterdir():
        data = file.read_bytes()
        (tmp_path / file.name).write_bytes(data[: len(data) // 2] if file.suffix == ".safetensors" else data)
    with pytest.raises(BadWeights):
        Sam2.load(tmp_path)


@pytest.fixture(scope="module")
def grounding_dino(tmp_path_factory):
    from stages.adapters.grounding_dino import GroundingDino

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dino")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "chair", "table", "sofa"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    text = {"model_type": "bert", "vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64}  # fmt: skip
    backbone = {"model_type": "swin", "image_size": 64, "patch_size": 4, "embed_dim": 8, "depths": [1, 1, 1, 1],
                "num_heads": [1, 1, 1, 1], "window_size": 4, "out_features": ["stage2", "stage3", "stage4"]}  # fmt: skip
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(**{k: v for k, v in backbone.items() if k != "model_type"}),
        text_config=transformers.BertConfig(**{k: v for k, v in text.items() if k != "model_type"}),
        num_queries=5, encoder_layers=1, decoder_layers=2, d_model=32, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, fusion_droppath=0.0, max_text_len=32,
    )  # fmt: skip
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    pictures = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    transformers.GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)
    return GroundingDino.load(folder)


def test_grounding_dino_s_boxes_lie_in_the_picture_and_have_one_of_the_names(grounding_dino, picture):
    found = grounding_dino.detect(picture, ("chair", "table"), threshold=0.0)
    assert found and {one.name for one in found} <= {"chair", "table"}
    assert all((one.box_px >= 0).all() and (one.box_px <= [159, 119, 159, 119]).all() for one in found)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert grounding_dino.detect(picture, ("chair",), threshold=1.0) == ()


@pytest.fixture(scope="module")
def rf_detr_folder(tmp_path_factory):
    torch.manual_seed(0)
    backbone = {
        "model_type": "rf_detr_dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2,
        "image_size": 64, "patch_size": 16, "num_windows": 2, "out_features": ["stage1", "stage2"],
    }  # fmt: skip
    config = transformers.RfDetrConfig(
        backbone_config=backbone, d_model=32, decoder_layers=2, decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2, decoder_ffn_dim=32, num_queries=6, group_detr=2, intermediate_size=32,
        id2label={0: "N/A", 1: "chair", 2: "dining table"},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("rf_detr")
    transformers.RfDetrForObjectDetection(config).save_pretrained(folder)
    transformers.RfDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def test_rf_detr_s_boxes_lie_in_the_picture_and_have_a_name(rf_detr_folder, picture):
    detect, licences = open_detector(DetectorChoice(kind="rf_detr", weights=str(rf_detr_folder)))
    found = detect(picture, 0.0)
    assert {one.name for one in found} == {"chair", "dining table"} and licences[0].startswith("RF-DETR")
    assert all((one.box_px >= 0).all() and (one.box_px <= [159, 119, 159, 119]).all() for one in found)
    assert all((one.box_px[2:] >= one.box_px[:2]).all() for one in found)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True) and len(detect(picture, scores[2])) == 2
    assert detect(picture, 1.0) == ()


def test_rf_detr_s_boxes_are_those_of_its_own_head_in_pixels_of_the_picture(rf_detr_folder, picture):
    from stages.adapters.rf_detr import RfDetr

    detector = RfDetr.load(rf_detr_folder)
    with torch.inference_mode():
        out = detector.model(**detector.processor(images=picture, return_tensors="pt"))
    best = out.logits[0, :, 1].sigmoid().argmax()
    x, y, wide, high = out.pred_boxes[0, best].numpy() * [160, 120, 160, 120]
    expected = np.clip([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], 0, [159, 119, 159, 119])
    (chair, *_) = [one for one in detector.detect(picture, threshold=0.0) if one.name == "chair"]
    np.testing.assert_allclose(chair.box_px, expected, atol=1e-3)


def test_sam_is_known_by_its_size_and_segments(monkeypatch, tmp_path, picture):
    pytest.importorskip("segment_anything", reason="the extra 'models' is not installed")
    from segment_anything import sam_model_registry
    from segment_anything.build_sam import _build_sam

    from stages.adapters import sam

    def tiny():
        return _build_sam(encoder_embed_dim=16, encoder_depth=1, encoder_num_heads=2, encoder_global_attn_indexes=[0])

    torch.manual_seed(0)
    torch.save(tiny().state_dict(), tmp_path / "sam.pth")
    with pytest.raises(WrongWeights, match="published size"):
        sam.Sam.load(tmp_path / "sam.pth")
    monkeypatch.setitem(sam_model_registry, "tiny", tiny)
    monkeypatch.setitem(sam.SIZES, 16, "tiny")
    masks = sam.Sam.load(tmp_path / "sam.pth").segment(picture, BOXES)
    assert masks.shape == (2, 120, 160) and masks.dtype == bool


def test_a_model_that_lacks_tensors_is_refused(sam2_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    from stages.adapters.sam2 import Sam2

    for file in Path(sam2_folder).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    lost = sorted(weights)[0]
    save_file(
        {name: value for name, value in weights.items() if name != lost}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    assert json.loads((tmp_path / "config.json").read_text())["model_type"].startswith("sam2")
    with pytest.raises(WrongWeights, match="1 of its tensors"):
        Sam2.load(tmp_path)
