import json

import numpy as np

from hsimul3r.artifacts import Cameras, Contact, ConvexPart
from hsimul3r.benchmark.camera.shot import AreaLight, Material, Shot, View, box_mapped, look_at, quad
from hsimul3r.benchmark.objects.pieces import rounded_box
from hsimul3r.benchmark.scene import PosedBody
from hsimul3r.benchmark.truth import Truth, TruthObject, load_truth, save_truth
from hsimul3r.geometry.mesh import convex_part


def test_camera_looks_at_its_target_with_the_world_upright():
    T = look_at((1.0, -2.0, 1.5), (0.2, 0.3, 0.8))
    np.testing.assert_allclose(T[:3, :3] @ (1.0, -2.0, 1.5) + T[:3, 3], 0.0, atol=1e-12)
    target = T[:3, :3] @ (0.2, 0.3, 0.8) + T[:3, 3]
    np.testing.assert_allclose(target[:2], 0.0, atol=1e-12)
    assert target[2] > 0
    assert T[1, 2] < 0
    assert abs(T[0, 2]) < 1e-12


def test_box_mapping_keeps_metres():
    """Texture distances equal surface distances on a face that looks along an axis."""
    mesh = box_mapped("b", "m", convex_part(rounded_box((0.8, 0.2, 0.1), 0.001)), rng=np.random.default_rng(0), image_m=0.5)
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    top = normal[:, 2] > 0.999 * np.linalg.norm(normal, axis=1)
    assert top.any()
    edge = np.linalg.norm(corners[top, 1] - corners[top, 0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(mesh.uv[top, 1] - mesh.uv[top, 0], axis=1) * 0.5, edge, atol=1e-9)


def test_shot_is_written_as_plain_files(tmp_path):
    floor = quad("floor", "grey", np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]))
    lamp = AreaLight(position=(0, 0, 2), target=(0, 0, 0), size_m=1, power_w=10)
    view = View(size_px=(64, 48), focal_px=50.0, T_cam_world=look_at((0, -2, 1), (0, 0, 0)))
    Shot(meshes=(floor,), materials={"grey": Material(image=np.full((4, 4, 3), 0.5))}, lights=(lamp,), views=(view,)).save(
        tmp_path
    )
    record = json.loads((tmp_path / "shot.json").read_text())
    assert record["meshes"][0]["name"] == "floor"
    with np.load(tmp_path / "meshes.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["0.vertices"], floor.vertices)
    assert (tmp_path / "grey.png").is_file()


def test_truth_survives_saving_and_loading(tmp_path):
    rng = np.random.default_rng(0)
    part = convex_part(rounded_box((0.4, 0.3, 0.2), 0.01) + np.array([0, 0, 0.1]))
    T = np.tile(look_at((0, -2, 1), (0, 0, 0.5)), (2, 1, 1))
    truth = Truth(
        cameras=Cameras(
            size_px=np.array([[8, 6], [6, 8]]), focal_px=np.array([7.5, 8.5]), principal_px=np.array([[3.5, 2.5], [2.5, 3.5]]),
            k1=np.zeros(2), T_cam_world=T, is_registered=np.ones(2, bool),
        ),
        body=PosedBody(betas=rng.normal(size=10), pose=rng.normal(size=(55, 3)), transl=rng.normal(size=3)),
        joints=rng.normal(size=(55, 3)),
        vertices=rng.normal(size=(9, 3)),
        object=TruthObject(
            category="box", vertices=part.vertices, faces=part.faces, pieces=(part,), T_world_object=np.eye(4),
            support_height_m=0.2, density_kg_m3=500.0,
        ),
        contacts=(Contact(person=0, part="left_hand", target="object", gap_m=-0.001, point=np.array([0.1, 0.2, 0.3])),),
        person_masks=(rng.random((6, 8)) > 0.5, rng.random((8, 6)) > 0.5),
        object_masks=(rng.random((6, 8)) > 0.5, rng.random((8, 6)) > 0.5),
    )  # fmt: skip
    save_truth(truth, tmp_path)
    back = load_truth(tmp_path)
    np.testing.assert_array_equal(back.cameras.T_cam_world, truth.cameras.T_cam_world)
    np.testing.assert_array_equal(back.cameras.principal_px, truth.cameras.principal_px)
    np.testing.assert_array_equal(back.body.pose, truth.body.pose)
    assert isinstance(back.object.pieces[0], ConvexPart)
    np.testing.assert_array_equal(back.object.pieces[0].vertices, part.vertices)
    assert (back.object.category, back.object.support_height_m) == ("box", 0.2)
    assert back.contacts[0].part == "left_hand"
    for mask, again in zip(truth.person_masks + truth.object_masks, back.person_masks + back.object_masks):
        np.testing.assert_array_equal(mask, again)
