"""Exports in the programs that they are for: scenes in MuJoCo (MJCF, URDF, USD read by USD's own physics reader), the motion
and the scene in mjlab, the USD in Newton; the latter two by the Python of an environment of their own.

python benchmarks/export_consumers.py --export runs/<name>/95_robot_export --mjlab-python <python with mjlab 1.6>
    [--newton-python <python with newton and usd-core>] [--furniture 12]

Tolerances: mass 1e-6 and moments of inertia 1e-4 of their value, pose 1e-6 m, colliders and contacts at rest equal; after a
drop of 5 cm, tilted by 4 degrees, over 2 s within 2 mm and 0.5 degrees of where the MJCF comes to lie.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from consumers.scenes import READERS, Read, read
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.export.convert import ConvertOptions, convert
from hsimul3r.export.urdf import write_urdf
from hsimul3r.export.usd import write_usd
from hsimul3r.geometry.mesh import solid, union
from hsimul3r.progress import Progress
from hsimul3r.retarget.robot import robot_named
from sim_envs.scene_builder import SceneParts, write_mjcf

MASS, MOMENTS, POSE_M, PLACE_MM, TURN_DEG = 1e-6, 1e-4, 1e-6, 2.0, 0.5
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Args:
    """Exports in their consumers."""

    export: Annotated[Path | None, tyro.conf.arg(help="A folder made by hsimul3r export-g1.")] = None
    mjlab_python: str | None = None
    """Python of an environment with mjlab 1.6."""
    newton_python: str | None = None
    """Python of an environment with newton and usd-core."""
    furniture: int = 12
    """Pieces of HSIBench to export and drop, spread over the catalogue."""
    steps: int = 25
    """Steps of mjlab's task to play, of 20 ms each."""
    out: Path | None = None
    """Where to write the figures as JSON."""


def main(args: Args) -> int:
    console, figures, started = Console(width=140), {}, time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        scenes = {name: export_furniture(name, Path(folder) / name) for name in spread(args.furniture)}
        if args.export is not None:
            scenes["the run"] = args.export / "scene"
        figures["scenes"] = {name: compared(path) for name, path in scenes.items()}
        console.print(table_of(figures["scenes"]))
        if args.newton_python:
            path = next(reversed(scenes.values()))
            figures["newton"] = in_newton(args.newton_python, path)
        if args.mjlab_python and args.export is not None:
            figures["mjlab"] = in_mjlab(args.mjlab_python, args.export, args.steps, Path(folder))
    figures["cpu_s"] = time.process_time() - started
    console.print_json(data={name: value for name, value in figures.items() if name != "scenes"})
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if all(row["holds"] for rows in figures["scenes"].values() for row in rows) else 1


def spread(count: int) -> list[str]:
    """Names of the catalogue at even distances."""
    return [CATALOGUE[i] for i in np.linspace(0, len(CATALOGUE) - 1, count).astype(int)]


def export_furniture(name: str, folder: Path) -> Path:
    """One piece as a scene by itself, turned, in all formats."""
    piece = build_furniture(name)
    parts = tuple(part.shape for part in piece.pieces)
    vertices, faces = piece.mesh if piece.mesh is not None else union(parts, name)
    T = np.eye(4)
    T[:2, :2] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    T[:2, 3] = 0.4, -0.7
    mass = piece.density_kg_m3 * solid(vertices, faces).volume_m3
    asset = ObjectAsset(
        name=name, category=piece.category, family="benchmark", parameters={}, parts=parts, vertices=vertices, faces=faces,
        T_world_object=T, mass_kg=mass, density_kg_m3=piece.density_kg_m3, friction=piece.friction,
    )  # fmt: skip
    (folder / "mjcf").mkdir(parents=True)
    write_mjcf(SceneParts(body_model="", bodies=(), humans=(), assets=(asset,)), folder / "mjcf")
    write_urdf([asset], 0.5, folder / "urdf")
    write_usd([asset], 0.5, folder / "scene.usda")
    return folder


def compared(folder: Path) -> list[dict]:
    """URDF and USD of a scene against its MJCF, object by object."""
    found = {kind: read(kind, folder) for kind in READERS}
    return [row(kind, name, found["mjcf"][name], found[kind][name]) for kind in ("urdf", "usd") for name in found["mjcf"]]


def row(kind: str, name: str, own: Read, other: Read) -> dict:
    figures = {
        "mass": abs(other.mass_kg / own.mass_kg - 1),
        "moments": float(np.abs(other.inertia / own.inertia - 1).max()),
        "pose_m": float(pose_gap(own.pose, other.pose)[0]) / 1e3,
        "colliders": [own.colliders, other.colliders],
        "contacts": [own.contacts, other.contacts],
        "drop_mm": float(pose_gap(own.dropped, other.dropped)[0]),
        "drop_deg": float(pose_gap(own.dropped, other.dropped)[1]),
    }
    holds = (
        figures["mass"] < MASS
        and figures["moments"] < MOMENTS
        and figures["pose_m"] < POSE_M
        and own.colliders == other.colliders
        and own.contacts == other.contacts
        and figures["drop_mm"] < PLACE_MM
        and figures["drop_deg"] < TURN_DEG
    )
    return {"format": kind, "object": name, **figures, "holds": bool(holds)}


def pose_gap(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Distance [mm] and angle [deg]."""
    angle = 2 * np.arccos(min(1.0, abs(float(a[3:] @ b[3:]))))
    return 1e3 * float(np.linalg.norm(a[:3] - b[:3])), float(np.degrees(angle))


def in_mjlab(python: str, export: Path, steps: int, folder: Path) -> dict:
    conversion = folder / "converted.npz"
    options = ConvertOptions(robot=robot_named("unitree_g1_29dof"), target_format="mjlab")
    convert(export / "motion" / "unitree-csv.csv", conversion, options, Progress(None))
    return elsewhere([python, str(HERE / "consumers" / "in_mjlab.py"), str(export), str(conversion), str(steps)])


def in_newton(python: str, scene: Path) -> dict:
    """Newton's bodies against the MJCF's."""
    result = elsewhere([python, str(HERE / "consumers" / "in_newton.py"), str(scene / "scene.usda")])
    own = {name.replace(" ", "_"): one for name, one in read("mjcf", scene).items()}
    for name, body in result["bodies"].items():
        reference = own[name]
        body["mass_error"] = abs(body["mass_kg"] / reference.mass_kg - 1)
        body["moments_error"] = float(np.abs(np.array(body["moments"]) / reference.inertia - 1).max())
        body["position_error_m"] = float(np.abs(np.array(body["pose"][:3]) - reference.pose[:3]).max())
    return result


def elsewhere(words: list[str]) -> dict:
    """The last line that another environment's Python prints."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:2])} failed:\n{done.stderr[-3000:]}")
    sys.stderr.write("".join(line + "\n" for line in done.stderr.splitlines() if line.startswith("csv_to_npz")))
    return json.loads(done.stdout.strip().splitlines()[-1])


def table_of(scenes: dict[str, list[dict]]) -> Table:
    table = Table(
        "scene", "object", "format", "mass", "moments", "pose m", "colliders", "contacts", "drop mm", "drop deg", "holds"
    )
    for scene, rows in scenes.items():
        for one in rows:
            numbers = [f"{one[key]:.1e}" for key in ("mass", "moments", "pose_m")]
            pairs = [f"{one[key][0]:g} / {one[key][1]:g}" for key in ("colliders", "contacts")]
            drop = [f"{one['drop_mm']:.3f}", f"{one['drop_deg']:.3f}"]
            table.add_row(scene, one["object"], one["format"], *numbers, *pairs, *drop, "yes" if one["holds"] else "NO")
    return table


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Args, description=__doc__)))
