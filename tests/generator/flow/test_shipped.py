"""The weights that come with the package: what they know, and what the chain makes with them."""

from dataclasses import replace

import numpy as np
from interaction import toys

from hsimul3r.artifacts import ObjectViews
from hsimul3r.generator.fit import FitConfig
from hsimul3r.generator.flow.dataset import make_objects
from hsimul3r.generator.flow.evaluate import EvaluateConfig, evaluate
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM
from hsimul3r.generator.flow.generator import SHIPPED
from hsimul3r.generator.flow.weights import load_network
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.progress import Progress
from stages import generate_objects

LARGEST_MB = 40
QUICK = FitConfig(
    first_generations=2, coarse_generations=4, survivors=2, adjusted=1, kept_families=1, lm_iterations=1, fine_generations=10
)  # fmt: skip


def test_they_are_small_and_know_furniture_that_they_never_saw():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < LARGEST_MB * 2**20
    objects = make_objects(range(HELD_OUT_FROM + 100, HELD_OUT_FROM + 106), 2)
    told = EvaluateConfig(objects=6, views=2, known=(1.0, 1.0, 1.0, 1.0))
    scores = evaluate(load_network(SHIPPED), objects, told)
    swapped = evaluate(load_network(SHIPPED), replace(objects, tokens=np.roll(objects.tokens, 1, axis=0)), told)
    assert scores.f_score > max(60.0, 1.3 * swapped.f_score)
    assert scores.extent_error < 0.1


def test_the_chain_makes_a_block_of_a_block(tmp_path):
    made = made_of_a_block("part_flow", tmp_path)
    assert made.provenance.adapter == "generator:part_flow"
    (asset,) = made.assets
    assert (tmp_path / f"{asset.name}.glb").exists()
    assert (asset.family, asset.category) == ("part_flow", "box")
    assert np.mean([value for name, value in asset.report.items() if name.startswith("iou/")]) > 0.7


def test_auto_says_what_both_would_have_been(tmp_path):
    (asset,) = made_of_a_block("auto", tmp_path).assets
    assert {name.split("/")[1] for name in asset.report if name.startswith("energy/")} >= {asset.family, "part_flow"}


def made_of_a_block(generator, folder):
    block, cameras = toys.block(0.5, xy=(0.1, 0.05)), toys.cameras()
    world = block.vertices + block.T_world_object[:3, 3]
    drawn = [
        rasterize_depth(project(cameras, v, world), depth(cameras, v, world), block.faces, height=960, width=1280)[0]
        for v in range(4)
    ]
    labels = tuple(np.isfinite(one).astype(np.uint8) for one in drawn)
    images = tuple(np.where(one[:, :, None] == 1, 180, 90).astype(np.uint8).repeat(3, axis=2) for one in labels)
    motion, views, _ = toys.inputs([toys.body(toys.SIT)], [block])
    seen = replace(views.objects[0], labels=labels, category="box", boxes_px=np.full((4, 4), np.nan))
    cfg = generate_objects.GenerateObjectsConfig(generator=generator, fit=QUICK, candidates=4)
    observed = ObjectViews(provenance=views.provenance, objects=(seen,))
    return generate_objects.run(observed, motion, images, cfg=cfg, out=folder, progress=Progress(None))
