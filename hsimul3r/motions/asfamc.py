"""Motion capture in Acclaim's format: a skeleton (.asf) and its angles over time (.amc), as the CMU database has it.

A bone turns about its own axes `C` (the file's `axis`, Euler angles about X, then Y, then Z of the fixed frame) by its degrees
of freedom `M`, so its world rotation is `G_parent C M C^-1`; it ends at `direction * length` in that frame. Files have +Y up
and lengths in units of their own: `length 0.45` means that one unit is 1 / 0.45 inches (CMU's FAQ).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.errors import BadMotion

INCH_M = 0.0254
ROOT = "root"
TURNS = ("rx", "ry", "rz")
R_WORLD_FILE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""+Y up to +Z up."""


@dataclass(frozen=True, kw_only=True)
class Bone:
    """A bone of the skeleton; the root is one of no length."""

    name: str
    parent: str
    """Empty for the root."""
    offset_m: Float[ndarray, "3"]
    """From its start to its end in the rest pose, +Y up."""
    axes: Float[ndarray, "3 3"]
    """The axes that it turns about, C."""
    freedoms: tuple[str, ...]
    """Names of the values that a frame holds for it, in that order: of TURNS, or tx, ty, tz for the root."""


@dataclass(frozen=True, kw_only=True)
class AsfSkeleton:
    """Bones by name, parents before their children."""

    bones: Mapping[str, Bone]
    unit_m: float


@dataclass(frozen=True, kw_only=True)
class CapturedMotion:
    """Where the bones of a captured person end and how they are turned: world frame, +Z up, metres."""

    skeleton: AsfSkeleton
    fps: float
    ends: Mapping[str, Float[ndarray, "frames 3"]]
    rotations: Mapping[str, Float[ndarray, "frames 3 3"]]
    """World rotation of each bone against the rest pose with +Y up: a vector of the rest pose to the world."""

    @property
    def frames(self) -> int:
        return len(self.ends[ROOT])


def read_asf(path: Path) -> AsfSkeleton:
    """Read a skeleton. Raises `BadMotion`."""
    sections = _sections(path)
    unit_m = INCH_M / _value(path, sections, "units", "length")
    blocks = _blocks(sections.get("bonedata", []))
    if not blocks:
        raise BadMotion(path, "it has no :bonedata")
    parents = _parents(path, sections)
    order = next((words[1:] for words in sections.get("root", []) if words[0].lower() == "order"), None)
    if order is None:
        raise BadMotion(path, "its :root has no order")
    root = Bone(
        name=ROOT, parent="", offset_m=np.zeros(3), axes=_axes(path, sections["root"], "orientation"),
        freedoms=tuple(word.lower() for word in order),
    )  # fmt: skip
    found = {bone.name: bone for bone in (_bone(path, block, parents, unit_m) for block in blocks)}
    bones = {ROOT: root}
    while waiting := [bone for name, bone in found.items() if name not in bones]:
        ready = [bone for bone in waiting if bone.parent in bones]
        if not ready:
            raise BadMotion(path, f"bone '{waiting[0].name}' hangs on '{waiting[0].parent}', which does not lead to the root")
        bones |= {bone.name: bone for bone in ready}
    return AsfSkeleton(bones=bones, unit_m=unit_m)


def read_amc(path: Path, skeleton: AsfSkeleton, *, rate: float = 120.0, fps: float = 30.0) -> CapturedMotion:
    """Every (rate / fps)-th frame of a motion, posed; angles in degrees, as the file must say. Raises `BadMotion`."""
    frames = _frames(path)
    if not frames:
        raise BadMotion(path, "it holds no frames")
    stride = max(round(rate / fps), 1)
    values = {name: _column(path, frames, bone)[::stride] for name, bone in skeleton.bones.items() if bone.freedoms}
    return _posed(skeleton, values, rate / stride, len(frames[::stride]))


def _posed(skeleton: AsfSkeleton, values: Mapping[str, ndarray], fps: float, frames: int) -> CapturedMotion:
    """Forward kinematics."""
    G: dict[str, ndarray] = {}
    ends: dict[str, ndarray] = {}
    for name, bone in skeleton.bones.items():
        angles, moves = np.zeros((frames, 3)), np.zeros((frames, 3))
        for k, freedom in enumerate(bone.freedoms):
            (angles if freedom in TURNS else moves)[:, "xyz".index(freedom[1])] = values[name][:, k]
        turn = bone.axes @ Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ bone.axes.T
        if bone.parent:
            G[name] = G[bone.parent] @ turn
            ends[name] = ends[bone.parent] + G[name] @ bone.offset_m
        else:
            G[name], ends[name] = turn, moves * skeleton.unit_m
    return CapturedMotion(
        skeleton=skeleton,
        fps=fps,
        ends={name: end @ R_WORLD_FILE.T for name, end in ends.items()},
        rotations={name: R_WORLD_FILE @ R for name, R in G.items()},
    )


def _lines(path: Path) -> list[list[str]]:
    """Words of every line that is not a comment. Raises `BadMotion`."""
    try:
        text = path.read_text(encoding="ascii", errors="strict")
    except (OSError, UnicodeDecodeError) as error:
        raise BadMotion(path, f"it cannot be read ({error})") from error
    return [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _sections(path: Path) -> dict[str, list[list[str]]]:
    """Lines below each `:section`."""
    sections: dict[str, list[list[str]]] = {}
    section = ""
    for words in _lines(path):
        if words[0].startswith(":"):
            section = words[0][1:].lower()
            sections[section] = []
        elif section:
            sections[section].append(words)
    return sections


def _blocks(lines: list[list[str]]) -> list[list[list[str]]]:
    """Lines between `begin` and `end`."""
    blocks: list[list[list[str]]] = []
    for words in lines:
        if words[0] == "begin":
            blocks.append([])
        elif words[0] != "end" and blocks:
            blocks[-1].append(words)
    return blocks


def _bone(path: Path, block: list[list[str]], parents: Mapping[str, str], unit_m: float) -> Bone:
    entries = {words[0]: words[1:] for words in block}
    name = entries.get("name", ["?"])[0]
    missing = [key for key in ("name", "direction", "length", "axis") if key not in entries]
    if missing:
        raise BadMotion(path, f"bone '{name}' has no {missing[0]}")
    if name not in parents:
        raise BadMotion(path, f"bone '{name}' is not in the :hierarchy")
    freedoms = tuple(entries.get("dof", ()))
    if not set(freedoms) <= set(TURNS):
        raise BadMotion(path, f"bone '{name}' has the degrees of freedom {' '.join(freedoms)}; only turns are known")
    direction = _numbers(path, entries["direction"][:3], 3)
    length = _numbers(path, entries["length"], 1)[0]
    return Bone(
        name=name,
        parent=parents[name],
        offset_m=direction * length * unit_m,
        axes=_axes(path, block, "axis"),
        freedoms=freedoms,
    )


def _parents(path: Path, sections: Mapping[str, list[list[str]]]) -> dict[str, str]:
    lines = [words for words in sections.get("hierarchy", []) if words[0] not in ("begin", "end")]
    if not lines:
        raise BadMotion(path, "it has no :hierarchy")
    return {child: words[0] for words in lines for child in words[1:]}


def _axes(path: Path, lines: list[list[str]], key: str) -> Float[ndarray, "3 3"]:
    """Rotation of Euler angles about X, then Y, then Z; no other order is known."""
    words = next((words[1:] for words in lines if words[0] == key), ["0", "0", "0"])
    if len(words) > 3 and words[3].upper() != "XYZ":
        raise BadMotion(path, f"the order {words[3]} of an axis is not known, only XYZ")
    return Rotation.from_euler("xyz", _numbers(path, words[:3], 3), degrees=True).as_matrix()


def _value(path: Path, sections: Mapping[str, list[list[str]]], section: str, key: str) -> float:
    words = next((words for words in sections.get(section, []) if words[0] == key), None)
    if words is None:
        raise BadMotion(path, f"its :{section} has no {key}")
    value = _numbers(path, words[1:], 1)[0]
    if value <= 0:
        raise BadMotion(path, f"{key} is {value:g}")
    return value


def _numbers(path: Path, words: list[str], count: int) -> Float[ndarray, "count"]:
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise BadMotion(path, f"'{' '.join(words)}' are not numbers") from error
    if len(values) != count or not np.isfinite(values).all():
        raise BadMotion(path, f"'{' '.join(words)}' are not {count} finite numbers")
    return values


def _frames(path: Path) -> list[dict[str, list[str]]]:
    """Each frame's words by bone."""
    frames: list[dict[str, list[str]]] = []
    for words in _lines(path):
        if words[0].startswith(":"):
            if words[0].upper() == ":RADIANS":
                raise BadMotion(path, "its angles are in radians; only degrees are known")
        elif len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif frames:
            frames[-1][words[0]] = words[1:]
    return frames


def _column(path: Path, frames: list[dict[str, list[str]]], bone: Bone) -> Float[ndarray, "frames freedoms"]:
    """One bone's values in all frames."""
    rows = []
    for i, frame in enumerate(frames):
        words = frame.get(bone.name)
        if words is None or len(words) != len(bone.freedoms):
            found = "nothing" if words is None else f"{len(words)} values"
            raise BadMotion(path, f"frame {i + 1} has {found} for '{bone.name}', not {len(bone.freedoms)}")
        rows.append(_numbers(path, words, len(bone.freedoms)))
    return np.array(rows)
