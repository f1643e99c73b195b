"""Where motions and contacts come from: scenes, recorded forces, resting parts near known objects."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.artifacts import AlignedScene, Provenance, Rollout, SimScene
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import GRAVITY
from hsimul3r.errors import NoSuchPerson
from hsimul3r.geometry.cameras import no_cameras
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.progress import Progress
from hsimul3r.retarget.estimate import estimated_contacts
from hsimul3r.retarget.recorded import recorded_scene
from stages import retarget_motion
from tests.retarget.people import box, person, standing_contacts

MASS = 70.0
FRAMES = 120


def aligned(body):
    return AlignedScene(
        provenance=Provenance(adapter="test", scale_source="given", frame="world", licences=("CC0",)),
        body_model=embedded_body().name, bodies=(body,), assets=(), contacts=tuple(standing_contacts(body)),
        cameras=no_cameras(), tracks=no_tracks(), report={},
    )  # fmt: skip


def sim_scene(body, assets):
    return SimScene(
        provenance=Provenance(adapter="test", scale_source="given", frame="world"), mjcf="scene.xml",
        body_model=embedded_body().name, bodies=(body,), assets=assets, contacts=(), humans=("person0",),
        human_mass_kg=(MASS,), joint_names=(), qpos_names=(), qpos=np.zeros(0), report={},
    )  # fmt: skip


def rollout(body, names, force, positions):
    objects = tuple(positions)
    return Rollout(
        provenance=Provenance(adapter="test"), controller="window", fps=60.0, qpos_names=(), qpos=np.zeros((FRAMES, 0)),
        qvel=np.zeros((FRAMES, 0)), ctrl=np.zeros((FRAMES, 0)), bodies=(body,), object_names=objects,
        object_pos=np.stack([positions[name] for name in objects], axis=1),
        object_quat=np.tile([1.0, 0, 0, 0], (FRAMES, len(objects), 1)), contact_names=names,
        contact_force_n=np.array(force).T, contact_point=np.tile([0.1, 0.2, 0.0], (FRAMES, len(names), 1)),
        penetration_m=np.zeros(FRAMES), body_deviation_m=np.zeros(FRAMES), replay_hash="", report={},
    )  # fmt: skip


def recorded():
    body = person(FRAMES, fps=60.0)
    assets = (box("still", [1, 1, 0], [1.2, 1.2, 0.3]), box("cart", [0.5, -0.2, 0], [0.8, 0.2, 0.5]))
    weight, t = MASS * GRAVITY, np.arange(FRAMES)
    foot = np.where((t < 50) | (t > 56), 0.5 * weight, 0.0)
    brush = np.where((t > 20) & (t < 26), 0.3 * weight, 0.0)
    light = np.full(FRAMES, 0.01 * weight)
    names = (
        "person0/left_foot/still",
        "person0/right_hand/still",
        "person0/left_hand/cart",
        "person0//cart",
        "person1/back/cart",
    )
    away = np.outer(np.linspace(0, 1, FRAMES), [1.0, 0, 0])
    places = {"still": np.tile(assets[0].T_world_object[:3, 3], (FRAMES, 1)), "cart": assets[1].T_world_object[:3, 3] + away}
    return sim_scene(body, assets), rollout(body, names, [foot, brush, light, foot, foot], places)


def test_contacts_are_what_bears_weight_for_a_while():
    scene, made = recorded()
    source = recorded_scene(embedded_body(), scene, made, 0, fps=30.0)
    found = [(contact.part, contact.target, contact.first, contact.last) for contact in source.contacts]
    assert [contact for contact in found if contact[1] != "floor"] == [("left_foot", "still", 0, FRAMES // 2 - 1)]
    assert source.contacts[0].point == pytest.approx([0.1, 0.2, 0.0])
    assert (len(source.body.pose), source.body.fps) == (FRAMES // 2, 30.0)


def test_feet_stand_on_the_floor_where_no_force_with_it_is_recorded():
    scene, made = recorded()
    lifted = replace(made, bodies=(replace(made.bodies[0], transl=made.bodies[0].transl + np.array([0, 0, 0.03])),))
    for rollout, feet in ((made, ["left_foot", "right_foot"]), (lifted, [])):
        contacts = recorded_scene(embedded_body(), scene, rollout, 0, fps=30.0).contacts
        standing = [contact for contact in contacts if contact.target == "floor"]
        assert [contact.part for contact in standing] == feet
        assert all((contact.first, contact.last) == (0, FRAMES // 2 - 1) for contact in standing)
        assert all(contact.point[2] == 0 for contact in standing)


def test_objects_that_move_have_paths():
    scene, made = recorded()
    source = recorded_scene(embedded_body(), scene, made, 0, fps=30.0)
    assert set(source.paths) == {"cart"}
    assert source.paths["cart"][:, 0, 3] == pytest.approx(made.object_pos[::2, 1, 0])


def test_the_stage_takes_scenes_and_rollouts():
    run, cfg = retarget_motion.run, retarget_motion.RetargetMotionConfig()
    motion = run(aligned(person(4)), cfg=cfg, out=Path(), progress=Progress())
    assert motion.provenance.scale_source == "given"
    assert motion.provenance.licences[0] == "CC0"
    assert any("BSD" in licence for licence in motion.provenance.licences)
    assert len(motion.contacts) == 2
    assert motion.report["skate_mm_s"] < 1
    assert "seat_gap_mm" not in motion.report
    scene, made = recorded()
    motion = run(scene, made, cfg=cfg, out=Path(), progress=Progress())
    assert motion.fps == 30.0
    assert set(motion.object_paths) == {"cart"}


def test_a_person_who_is_not_there():
    cfg = retarget_motion.RetargetMotionConfig(person=3)
    with pytest.raises(NoSuchPerson, match="it has: 0"):
        retarget_motion.run(aligned(person(2)), cfg=cfg, out=Path(), progress=Progress())


def test_feet_at_rest_are_found_on_what_they_stand_on():
    body = person(30)
    body = replace(body, transl=body.transl + np.array([0, 0, 0.3]))
    platform = box("platform", [-0.5, -0.5, 0], [0.5, 0.5, 0.3])
    found = estimated_contacts(embedded_body(), body, [platform], {})
    feet = {contact.part: contact for contact in found if contact.part.endswith("_foot")}
    assert set(feet) == {"left_foot", "right_foot"}
    for contact in feet.values():
        assert contact.target == "platform"
        assert contact.point[2] == pytest.approx(0.3)
        assert (contact.first, contact.last) == (0, 29)
