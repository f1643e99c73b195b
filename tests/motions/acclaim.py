"""A captured motion of our own in Acclaim's format: the embedded body's skeleton under CMU's names, turned by known angles."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.motions.asfamc import INCH_M, R_WORLD_FILE
from hsimul3r.motions.correspondence import SIDES, TURNS

UNIT_M = INCH_M / 0.45


def chain() -> dict[str, tuple[str, str, str]]:
    """Bone: (its parent, where it starts, where it ends), parents first; CMU's forearm is of two bones."""
    bones = {
        "lowerback": ("root", "pelvis", "spine2"), "upperback": ("lowerback", "spine2", "spine3"),
        "thorax": ("upperback", "spine3", "neck"), "lowerneck": ("thorax", "neck", "head"),
        "head": ("lowerneck", "head", "head"),
    }  # fmt: skip
    for side, s in SIDES.items():
        bones |= {
            f"{s}hipjoint": ("root", "pelvis", f"{side}_hip"),
            f"{s}femur": (f"{s}hipjoint", f"{side}_hip", f"{side}_knee"),
            f"{s}tibia": (f"{s}femur", f"{side}_knee", f"{side}_ankle"),
            f"{s}foot": (f"{s}tibia", f"{side}_ankle", f"{side}_foot"),
            f"{s}toes": (f"{s}foot", f"{side}_foot", f"{side}_toe"),
            f"{s}clavicle": ("thorax", "neck", f"{side}_shoulder"),
            f"{s}humerus": (f"{s}clavicle", f"{side}_shoulder", f"{side}_elbow"),
            f"{s}radius": (f"{s}humerus", f"{side}_elbow", f"{side}_forearm"),
            f"{s}wrist": (f"{s}radius", f"{side}_forearm", f"{side}_wrist"),
            f"{s}hand": (f"{s}wrist", f"{side}_wrist", f"{side}_wrist"),
        }
    return bones


def body_rest(betas: Float[ndarray, "10"]) -> Float[ndarray, "22 3"]:
    return embedded_body().joints(betas, np.zeros((55, 3)), np.zeros(3))[: len(BODY_JOINTS)]


def write_asf(path: Path, betas: Float[ndarray, "10"]) -> None:
    """The skeleton of a build; bones turn about the fixed axes."""
    rest = dict(zip(BODY_JOINTS, body_rest(betas)))
    rest |= {f"{side}_toe": rest[f"{side}_foot"] + np.array([0, 0, 0.06]) for side in SIDES}
    rest |= {f"{side}_forearm": rest[f"{side}_elbow"] / 3 + rest[f"{side}_wrist"] * 2 / 3 for side in SIDES}
    lines = [":version 1.10", ":name ours", ":units", "  length 0.45", "  angle deg", ":root", "  order TX TY TZ RX RY RZ"]
    lines += ["  axis XYZ", "  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    for name, (_, start, end) in chain().items():
        offset = rest[end] - rest[start]
        length = np.linalg.norm(offset)
        direction = offset / length if length > 0 else np.array([1.0, 0, 0])
        lines += ["  begin", f"    name {name}", "    direction " + " ".join(f"{v:.12g}" for v in direction)]
        lines += [f"    length {length / UNIT_M:.12g}", "    axis 0 0 0 XYZ", "    dof rx ry rz", "  end"]
    lines += [":hierarchy", "  begin"]
    for parent in ("root", *chain()):
        children = [name for name, bone in chain().items() if bone[0] == parent]
        lines += [f"    {parent} {' '.join(children)}"] if children else []
    path.write_text("\n".join([*lines, "  end", ""]))


def write_amc(path: Path, local: Mapping[str, Float[ndarray, "frames 3 3"]], root: Float[ndarray, "frames 3"]) -> None:
    """Turns of bones against their parents, +Y up; `root` in the world [m]. Bones that are not named do not turn."""
    frames, file = len(root), root @ R_WORLD_FILE / UNIT_M
    angles = {name: Rotation.from_matrix(R).as_euler("xyz", degrees=True) for name, R in local.items()}
    lines = ["# made by a test", ":FULLY-SPECIFIED", ":DEGREES"]
    for t in range(frames):
        lines.append(str(t + 1))
        for name in ("root", *chain()):
            values = [*file[t]] if name == "root" else []
            values += [*angles.get(name, np.zeros((frames, 3)))[t]]
            lines.append(f"{name} " + " ".join(f"{v:.10g}" for v in values))
    path.write_text("\n".join(lines) + "\n")


def turns_of_pose(dofs: Float[ndarray, "frames dofs"], turn: Float[ndarray, "frames 3 3"]) -> dict[str, ndarray]:
    """Turns of bones for anatomical coordinates and the root's turn in the world; the spine's and neck's must be zero where
    the skeleton has no bone for them."""
    local = anatomy().rotations(dofs)
    local[:, 0] = turn
    world = [local[:, 0]]
    for j in range(1, len(BODY_JOINTS)):
        world.append(world[SMPLX_PARENTS[j]] @ local[:, j])
    G = {bone: world[BODY_JOINTS.index(joint)] for joint, bone in TURNS.items()}
    turns = {"root": R_WORLD_FILE.T @ G["root"]}
    for name, (parent, *_) in chain().items():
        above = G[parent]
        G.setdefault(name, above)
        turns[name] = np.swapaxes(above, 1, 2) @ G[name]
    return turns
