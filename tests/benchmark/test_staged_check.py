"""The check of a staged case measures what was put in: depths, gaps, skate and balance of a body on a box."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.objects.pieces import Furniture, hull_piece, rounded_box
from hsimul3r.benchmark.posing.check import check_staged, is_true
from hsimul3r.benchmark.posing.keyposes import KeyPose
from hsimul3r.benchmark.scene import HeldContact, Staged, StagedObject
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.mesh import solid


def box(size: tuple[float, float, float]) -> Furniture:
    corners = rounded_box(size, 1e-4, segments=1) + np.array([0, 0, size[2] / 2])
    piece = hull_piece("box", "wood", corners)
    return Furniture(name="box", category="box", pieces=(piece,), support_height_m=size[2], density_kg_m3=500.0)


def standing(frames: int = 1) -> Staged:
    """Somebody who stands on the floor, the lowest vertex at z = 0, a box far away."""
    body, betas, pose = embedded_body(), np.zeros(10), KeyPose().axis_angles()
    skin = body.vertices(betas, pose, np.zeros(3))
    centre = solid(skin, body.faces).centroid
    transl = np.array([-centre[0], -centre[1], -skin[:, 2].min()])
    T = np.eye(4)
    T[:3, 3] = (3, 0, 0)
    feet = tuple(HeldContact(part=f"{side}_foot", target="floor", first=0, last=frames - 1) for side in ("left", "right"))
    return Staged(
        objects=(StagedObject(name="box", furniture=box((0.4, 0.4, 0.4)), T_world_object=T[None]),), betas=betas,
        pose=np.tile(pose, (frames, 1, 1)), transl=np.tile(transl, (frames, 1)), fps=30.0, contacts=feet,
    )  # fmt: skip


def moved(staged: Staged, offset: tuple[float, float, float], frame: int = 0) -> Staged:
    transl = staged.transl.copy()
    transl[frame] += offset
    return replace(staged, transl=transl)


def test_somebody_who_stands_on_the_floor_is_true():
    figures = check_staged(standing())
    assert is_true(figures)
    assert figures["body_object_mm"] == 0.0
    assert figures["body_floor_mm"] < 0.01
    assert figures["off_balance_mm"] < 0.0


def test_depth_under_the_floor():
    figures = check_staged(moved(standing(), (0, 0, -0.012)))
    assert figures["body_floor_mm"] == pytest.approx(12.0, abs=1e-6)
    assert not is_true(figures)


def test_gap_of_held_feet():
    figures = check_staged(moved(standing(), (0, 0, 0.02)))
    assert figures["gap_mm"] == pytest.approx(20.0, abs=2.0)
    assert not is_true(figures)


def test_depth_in_an_object_is_the_way_out():
    staged = standing()
    skin = embedded_body().vertices(staged.betas, staged.pose[0], staged.transl[0])
    T = np.eye(4)
    T[:3, 3] = (skin[:, 0].max() + 0.2 - 0.03, 0, 0.0)
    wall = StagedObject(name="wall", furniture=box((0.4, 3.0, 3.0)), T_world_object=T[None])
    figures = check_staged(replace(staged, objects=(wall,)))
    assert figures["body_object_mm"] == pytest.approx(30.0, abs=0.1)


def test_weight_beside_the_feet_is_off_balance():
    staged = standing()
    pose = staged.pose.copy()
    lean = KeyPose(pitch=35).axis_angles()
    pose[0, 0] = lean[0]
    assert check_staged(replace(staged, pose=pose))["off_balance_mm"] > 0.0


def test_worst_frame_and_skate_of_a_motion():
    figures = check_staged(moved(standing(frames=4), (0.06, 0, -0.008), frame=2))
    assert figures["worst_frame"] == 2
    assert figures["body_floor_mm"] == pytest.approx(8.0, abs=1e-6)
    assert figures["foot_skate_mm"] == pytest.approx(45.0, abs=1e-6)
