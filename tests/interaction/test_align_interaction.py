"""The gated optimiser on people and box furniture whose right alignment is known."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NotASingleMoment
from hsimul3r.geometry.sdf import ConvexUnion, Moved
from hsimul3r.interaction.detect import decide_contacts
from hsimul3r.interaction.kinematics import BodyChain
from hsimul3r.interaction.patches import face_patch
from hsimul3r.interaction.solver import AlignmentWeights, Placement, SolidObject, _Problem
from hsimul3r.losses.contact import GATE_M, gated_contact_loss
from hsimul3r.progress import Progress
from interaction import toys
from stages.align_interaction import AlignInteractionConfig, run

SITTER = toys.body(toys.SIT)
SEAT = toys.lowest_of(SITTER, "buttocks")
STEPPER = toys.body(toys.STEP)
SOLE = toys.lowest_of(STEPPER, "left_foot")
STEP_XY = tuple(toys.skin(STEPPER, "left_foot").mean(axis=0)[:2])


def align(humans, assets, tmp_path):
    return run(*toys.inputs(humans, assets), cfg=AlignInteractionConfig(), out=tmp_path, progress=Progress(None))


def touching(scene):
    return {(contact.part, contact.target) for contact in scene.contacts}


def depth_mm(scene, person=0):
    vertices = toys.skin(scene.bodies[person])
    solids = [Moved(ConvexUnion(asset.parts), asset.T_world_object) for asset in scene.assets]
    return -1000 * min(float(solid.query(vertices).distance.min()) for solid in solids)


@pytest.mark.parametrize("gap", [0.25, 0.08, -0.08])
def test_seat_too_low_or_too_high_is_met_without_penetration(gap, tmp_path):
    scene = align([SITTER], [toys.block(SEAT - gap)], tmp_path)
    assert ("buttocks", "seat") in touching(scene)
    assert all(abs(contact.gap_m) < 0.01 for contact in scene.contacts)
    assert depth_mm(scene) < 10
    assert scene.report["sp3d_percent_after"] == 0
    assert toys.skin(scene.bodies[0])[:, 2].min() > -0.01


def test_sinking_into_a_thin_seat_is_resolved_upwards(tmp_path):
    """The seat is 4 cm thick and the sitter 8 cm too deep: the nearest way out of the solid is downwards."""
    scene = align([SITTER], [toys.chair(SEAT + 0.08, xy=(0, -0.02))], tmp_path)
    assert scene.report["sp3d_percent_before"] > 5
    assert scene.report["sp3d_percent_after"] == 0
    assert toys.lowest_of(scene.bodies[0], "buttocks") > SEAT + 0.07
    assert depth_mm(scene) < 10


def test_alignment_moves_as_little_as_possible(tmp_path):
    scene = align([SITTER], [toys.chair(SEAT)], tmp_path)
    assert scene.bodies[0].report["alignment_joints_max_cm"] < 3
    assert scene.assets[0].report["alignment_shift_cm"] < 1
    assert {("buttocks", "chair"), ("left_foot", "floor"), ("right_foot", "floor")} <= touching(scene)


def test_foot_reaches_the_stool(tmp_path):
    scene = align([STEPPER], [toys.block(SOLE - 0.05, xy=STEP_XY, size=(0.35, 0.35), name="stool")], tmp_path)
    assert touching(scene) == {("left_foot", "stool"), ("right_foot", "floor")}
    assert all(abs(contact.gap_m) < 0.01 for contact in scene.contacts)
    assert depth_mm(scene) < 10


def test_hands_reach_the_table(tmp_path):
    leaner = toys.body({"left_shoulder": (0.2, -0.75, -1.1), "right_shoulder": (0.2, 0.75, 1.1)})
    hands = [toys.skin(leaner, f"{side}_hand") for side in ("left", "right")]
    height = min(hand[:, 2].min() for hand in hands) - 0.04
    xy = np.mean([hand.mean(axis=0) for hand in hands], axis=0)[:2]
    scene = align([leaner], [toys.table(height, xy=(xy[0], xy[1] - 0.2))], tmp_path)
    assert {("left_hand", "table"), ("right_hand", "table"), ("left_foot", "floor")} <= touching(scene)
    assert all(abs(contact.gap_m) < 0.01 for contact in scene.contacts)
    assert depth_mm(scene) < 10


@pytest.mark.parametrize("human", [toys.body({}), SITTER], ids=["standing", "sitting in the air"])
def test_body_beside_a_chair_is_not_pulled_onto_it(human, tmp_path):
    beside = toys.chair(0.45, xy=(0.8, 0.0))
    scene = align([human], [beside], tmp_path)
    assert touching(scene) == {("left_foot", "floor"), ("right_foot", "floor")}
    np.testing.assert_allclose(scene.assets[0].T_world_object, beside.T_world_object, atol=1e-3)
    np.testing.assert_allclose(scene.bodies[0].transl, human.transl, atol=5e-3)


def test_standing_person_near_a_seat_does_not_sit(tmp_path):
    scene = align([toys.body({})], [toys.chair(0.7, xy=(0.0, 0.30))], tmp_path)
    assert not any(part in ("buttocks", "back") for part, _ in touching(scene))


def test_sitter_beside_a_seat_draws_it_below(tmp_path):
    """No vertex is over the seat, but it is within reach of a sitting person: Eq. 3 brings the two together."""
    scene = align([SITTER], [toys.block(SEAT, xy=(0.47, 0.0))], tmp_path)
    seat = next(contact for contact in scene.contacts if contact.part == "buttocks")
    assert abs(seat.gap_m) < 0.01
    assert scene.assets[0].report["alignment_shift_cm"] > 2


def test_two_people_share_a_bench(tmp_path):
    bench = toys.block(SEAT - 0.03, size=(1.6, 0.45), name="bench")
    humans = [toys.body(toys.SIT, xy=(-0.4, 0)), toys.body(toys.SIT, xy=(0.4, 0), person=1)]
    scene = align(humans, [bench], tmp_path)
    assert {contact.person for contact in scene.contacts if contact.part == "buttocks"} == {0, 1}
    assert max(depth_mm(scene, person) for person in (0, 1)) < 10


def test_result_is_the_same_to_the_bit(tmp_path):
    first, second = (align([SITTER], [toys.chair(SEAT + 0.03)], tmp_path) for _ in range(2))
    assert first.report == second.report
    np.testing.assert_array_equal(first.bodies[0].pose, second.bodies[0].pose)


def test_artifact_survives_disk_and_picture_is_written(tmp_path):
    scene = align([SITTER], [toys.block(SEAT - 0.02)], tmp_path)
    scene.save(tmp_path)
    loaded = type(scene).load(tmp_path)
    assert loaded.report == scene.report
    assert loaded.contacts[0].part == scene.contacts[0].part
    assert (tmp_path / "alignment.png").stat().st_size > 10_000


def test_moving_people_are_refused(tmp_path):
    moving = replace(SITTER, pose=np.repeat(SITTER.pose, 3, axis=0), transl=np.repeat(SITTER.transl, 3, axis=0))
    with pytest.raises(NotASingleMoment, match="3 frames"):
        align([moving], [toys.block(SEAT)], tmp_path)


def test_solver_descends_the_gated_loss_of_the_paper():
    """Its contact term is `gated_contact_loss` on the patch, so both have the same gradient by a shift of the body."""
    human, asset = SITTER, toys.block(SEAT - 0.06)
    chain = BodyChain(embedded_body(), human.betas, tuple(AlignmentWeights().joint_sigma_rad))
    state = chain.state(human.pose[0], human.transl[0])
    pairs = [pair for pair in decide_contacts([chain], [state], [asset], seed=0) if pair.part == "buttocks"]
    item = SolidObject(solid=ConvexUnion(asset.parts), corners=asset.vertices[:8], T_world_object=asset.T_world_object,
                       views=np.arange(4))  # fmt: skip
    weights = AlignmentWeights(contact_per_m=1.0, penetration_per_m=1 / len(pairs[0].vertices))
    problem = _Problem([chain], [state], [item], pairs, toys.cameras(), weights)
    for height in (0.0, -0.09):
        body = chain.state(state.pose, state.transl + np.array([0, 0, height]))
        placement = Placement(bodies=(body,), offsets=np.zeros((1, 3)))
        problem.close_gates(placement)
        query, points, samples = problem._query(pairs[0], placement)
        paper = gated_contact_loss(points, samples, signed_distance=np.where(query.is_over, query.distance, np.inf),
                                   gradient=query.normal, gate_m=GATE_M)  # fmt: skip
        term = problem._contact(0, placement)[0]
        np.testing.assert_allclose((term.jacobian.T @ term.slope())[:3], paper.by_human_translation, atol=0.03)
        assert term.energy() == pytest.approx(paper.value, abs=0.002)


def test_patch_is_the_seat_and_not_the_armrests():
    parts = [toys.box((0.5, 0.5, 0.4), (0, 0, 0.2)), *(toys.box((0.1, 0.5, 0.6), (x, 0, 0.3)) for x in (-0.3, 0.3))]
    asset = toys.asset("armchair", parts)
    points = np.array([[0.0, 0, 0.45], [0.1, 0.1, 0.44], [-0.1, 0, 0.45], [0.28, 0, 0.5]])
    patch = face_patch(asset.vertices, asset.faces, points, direction=np.array([0, 0, 1.0]), reach_m=0.2, depth_m=0.15,
                       near_m=0.0, seed=0)  # fmt: skip
    query = patch.query(points)
    np.testing.assert_array_equal(query.is_over, [True, True, True, False])
    np.testing.assert_allclose(query.distance[:3], [0.05, 0.04, 0.05], atol=1e-9)
    np.testing.assert_allclose(patch.samples[:, 2], 0.4, atol=1e-9)


def test_without_contact_terms_nothing_moves_and_contacts_are_decided_all_the_same(tmp_path):
    inputs = toys.inputs([SITTER], [toys.chair(SEAT + 0.08, xy=(0, -0.02))])
    scene = run(*inputs, cfg=AlignInteractionConfig(contact_terms=False), out=tmp_path, progress=Progress(None))
    np.testing.assert_array_equal(scene.bodies[0].pose, SITTER.pose)
    np.testing.assert_array_equal(scene.bodies[0].transl, SITTER.transl)
    np.testing.assert_array_equal(scene.assets[0].T_world_object, inputs[2].assets[0].T_world_object)
    assert ("buttocks", "chair") in touching(scene)
    assert scene.report["sp3d_percent_after"] == scene.report["sp3d_percent_before"] > 5
    assert "energy_after" not in scene.report
