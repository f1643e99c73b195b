import json

import numpy as np

from hsimul3r.artifacts import Cameras, ConvexPart
from hsimul3r.benchmark.camera.shot import AreaLight, Material, Shot, View, box_mapped, look_at, quad
from hsimul3r.benchmark.objects.pieces import rounded_box
from hsimul3r.benchmark.truth import Truth, TruthBody, TruthContact, TruthObject, load_truth, save_truth
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
        frames=np.array([0, 2]),
        body=TruthBody(betas=rng.normal(size=10), pose=rng.normal(size=(3, 55, 3)), transl=rng.normal(size=(3, 3)),
                       joints=rng.normal(size=(3, 55, 3)), fps=30.0),
        objects=(TruthObject(
            name="crate", category="box", vertices=part.vertices, faces=part.faces, pieces=(part,),
            T_world_object=np.eye(4)[None], support_height_m=0.2, density_kg_m3=500.0, friction=0.7,
        ),),
        contacts=(TruthContact(part="left_hand", target="crate", gap_m=-0.001, point=np.zeros(3), first=1, last=2),),
        labels=(rng.integers(0, 3, (6, 8), np.uint8), rng.integers(0, 3, (8, 6), np.uint8)),
        depth=(np.where(rng.random((6, 8)) > 0.5, 2.345, np.inf), None),
    )  # fmt: skip
    save_truth(truth, tmp_path)
    back = load_truth(tmp_path)
    np.testing.assert_array_equal(back.cameras.T_cam_world, truth.cameras.T_cam_world)
    np.testing.assert_array_equal(back.cameras.principal_px, truth.cameras.principal_px)
    np.testing.assert_array_equal(back.body.pose, truth.body.pose)
    item = back.objects[0]
    assert isinstance(item.pieces[0], ConvexPart)
    np.testing.assert_array_equal(item.pieces[0].vertices, part.vertices)
    assert (item.name, item.category, item.support_height_m, item.friction) == ("crate", "box", 0.2, 0.7)
    np.testing.assert_array_equal(item.pose(2), np.eye(4), "an object that does not move has one pose for all frames")
    assert (back.contacts[0].part, back.contacts[0].first, back.contacts[0].last) == ("left_hand", 1, 2)
    np.testing.assert_array_equal(back.frames, truth.frames)
    for view in range(2):
        np.testing.assert_array_equal(back.labels[view], truth.labels[view])
    np.testing.assert_array_equal(back.person_mask(0), truth.labels[0] == 1)
    np.testing.assert_array_equal(back.object_mask(1), truth.labels[1] == 2)
    np.testing.assert_allclose(back.depth[0], truth.depth[0], atol=0.0006)
    assert back.depth[1] is None
