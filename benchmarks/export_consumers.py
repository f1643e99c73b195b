"""Exports in the programs that they are for: scenes in MuJoCo (MJCF, URDF, USD read by USD's own physics reader) and, by the
Python of an environment of its own each, in usd-core, Pinocchio, yourdfpy, urchin, PyBullet, SAPIEN (PhysX), Drake, Newton and
trimesh; the motion in mjlab and holosoma.

    python benchmarks/consumers/environments.py ENVIRONMENTS
    python benchmarks/export_consumers.py [--environments ENVIRONMENTS] [--export runs/<name>/94_robot_export ...]

Tolerances in MuJoCo: mass 5e-6 and moments of inertia 1e-4 of their value, pose 1e-6 m, colliders and contacts at rest equal;
after a drop of 5 cm, tilted by 4 degrees, over 2 s within 2 mm and 0.5 degrees of where the MJCF comes to lie. In other
engines, whose contacts are others, places to 2e-6 m (single precision), and 8 s after the same drop (what rocks has come to
rest by then) as high to 2 mm, as level to 0.5 degrees, slower than 1 mm/s.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import trimesh
import tyro
from consumers.environments import python_of
from consumers.scenes import DROP_M, READERS, SETTLED_S, TILT_RAD, Read, read, spread_of_drops
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.export.convert import ConvertOptions, convert
from hsimul3r.export.robot.clip import link_motion, rates
from hsimul3r.export.robot.holosoma import read_holosoma
from hsimul3r.export.scene import R_GLTF_WORLD, write_glb
from hsimul3r.export.urdf import write_urdf
from hsimul3r.export.usd import write_usd
from hsimul3r.geometry.cameras import transform_points
from hsimul3r.geometry.mesh import solid, union
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.progress import Progress
from hsimul3r.retarget.robot import robot_named
from hsimul3r.surfaces import object_surfaces
from sim_envs.scene_builder import SceneParts, write_mjcf

MASS, MOMENTS, POSE_M, PLACE_MM, TURN_DEG = 5e-6, 1e-4, 1e-6, 2.0, 0.5
"""Of the mass: MuJoCo writes the numbers of an MJCF with six digits."""
SINGLE_PRECISION_M = 2e-6
"""Of places in programs that have them in single precision."""
AT_REST_M_S = 1e-3
ENGINES = ("usd", "readers", "bullet", "sapien", "drake", "newton")
DROPS = (str(DROP_M), str(TILT_RAD), str(SETTLED_S))
ARGUMENTS = {"bullet": DROPS, "sapien": DROPS}
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Args:
    """Exports in their consumers."""

    export: Annotated[tuple[Path, ...], tyro.conf.arg(help="Folders made by hsimul3r export-g1.")] = ()
    environments: Path | None = None
    """Folder of consumers/environments.py; those that it has are used."""
    furniture: int = 12
    """Pieces of HSIBench to export and drop, spread over the catalogue."""
    steps: int = 25
    """Steps of mjlab's task to play, of 20 ms each."""
    out: Path | None = None
    """Where to write the figures as JSON."""


def main(args: Args) -> int:
    console, started = Console(width=170), time.process_time()
    figures: dict[str, Any] = {"scenes": [], "motions": {}}
    with tempfile.TemporaryDirectory() as folder:
        scenes = {name: export_furniture(name, Path(folder) / name) for name in spread(args.furniture)}
        scenes |= {export.parent.name: export / "scene" for export in args.export}
        for name, path in scenes.items():
            own = {kind: read(kind, path) for kind in READERS}
            figures["scenes"] += [{"scene": name, **row} for row in (*compared(own, path), *elsewhere(args, path, own["mjcf"]))]
        for export in args.export:
            figures["motions"][export.parent.name] = motions(args, export, Path(folder))
    console.print(table_of(figures["scenes"]))
    console.print(summary_of(figures["scenes"]))
    figures["cpu_s"] = time.process_time() - started + sum(os.times()[2:4])
    console.print_json(data=figures["motions"] | {"cpu_s": figures["cpu_s"]})
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if all(row["holds"] for row in figures["scenes"]) else 1


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
    write_glb(object_surfaces([asset]), folder / "scene.glb")
    return folder


def compared(own: dict[str, dict[str, Read]], folder: Path) -> list[dict]:
    """URDF and USD of a scene against its MJCF in MuJoCo, object by object, beside what rounding does to its drop."""
    spreads = spread_of_drops(folder)
    rows = []
    for kind in ("urdf", "usd"):
        for name, reference in own["mjcf"].items():
            other = own[kind][name]
            place_mm, turn_deg = pose_gap(reference.dropped, other.dropped)
            figures = {
                **properties(reference, other.mass_kg, other.inertia, other.pose),
                "colliders": [reference.colliders, other.colliders], "contacts": [reference.contacts, other.contacts],
                "drop_mm": place_mm, "drop_deg": turn_deg, "spread_mm": spreads[name],
            }  # fmt: skip
            holds = are_same(figures, POSE_M) and reference.contacts == other.contacts
            holds &= place_mm < PLACE_MM and turn_deg < TURN_DEG
            rows.append({"program": f"MuJoCo, {kind.upper()}", "object": name, **figures, "holds": bool(holds)})
    return rows


def properties(own: Read, mass_kg: float, moments: np.ndarray, pose: np.ndarray | None) -> dict[str, float]:
    return {
        "mass": abs(mass_kg / own.mass_kg - 1),
        "moments": float(np.abs(moments / own.inertia - 1).max()),
        "pose_m": 0.0 if pose is None else pose_gap(own.pose, pose)[0] / 1e3,
    }


def are_same(figures: dict[str, Any], pose_m: float) -> bool:
    own, other = figures["colliders"]
    return figures["mass"] < MASS and figures["moments"] < MOMENTS and figures["pose_m"] < pose_m and own == other


def elsewhere(args: Args, scene: Path, own: dict[str, Read]) -> list[dict]:
    """A scene in every engine and reader that has its environment here."""
    rows = []
    for name in ENGINES:
        result = told(args, name, scene, *ARGUMENTS.get(name, ()))
        for one in result.values() if name == "readers" and result else filter(None, [result]):
            rows += [foreign_row(one["version"], known, own[known], found) for known, found in named(one["bodies"], own)]
    glb = told(args, "glb", scene)
    return [*rows, *([] if glb is None else glb_rows(glb, scene))]


def named(bodies: dict[str, dict], own: dict[str, Read]) -> list[tuple[str, dict]]:
    """With our names: some programs know no spaces."""
    return [(name, bodies[name] if name in bodies else bodies[name.replace(" ", "_")]) for name in own]


def foreign_row(program: str, name: str, own: Read, found: dict[str, Any]) -> dict:
    pose = np.array(found["pose"]) if "pose" in found else None
    figures = properties(own, found["mass_kg"], np.array(found["moments"]), pose)
    figures |= {"colliders": [own.colliders, found["shapes"]], "contacts": [own.contacts, found.get("contacts")]}
    holds = are_same(figures, SINGLE_PRECISION_M)
    if "dropped" in found:
        dropped = np.array(found["dropped"])
        figures |= {
            "higher_mm": 1e3 * float(dropped[2] - own.settled[2]), "tilt_deg": tilt_between(own.settled, dropped),
            "moved_mm": 1e3 * float(np.linalg.norm(dropped[:2] - own.settled[:2])), "speed_m_s": found["speed_m_s"],
        }  # fmt: skip
        holds &= abs(figures["higher_mm"]) < PLACE_MM and figures["tilt_deg"] < TURN_DEG and found["speed_m_s"] < AT_REST_M_S
    return {"program": program, "object": name, **figures, "holds": bool(holds)}


def tilt_between(a: np.ndarray, b: np.ndarray) -> float:
    """Angle [deg] between two bodies' upright axes."""
    up = [matrix_from_quaternion(pose[3:])[:, 2] for pose in (a, b)]
    return float(np.degrees(np.arccos(np.clip(up[0] @ up[1], -1, 1))))


def glb_rows(found: dict[str, Any], scene: Path) -> list[dict]:
    """The GLB's surfaces against the meshes of the URDFs, placed and turned to +Y up."""
    rows = []
    for entry in json.loads((scene / "urdf" / "scene.json").read_text())["objects"]:
        mesh, T = trimesh.load_mesh(scene / "urdf" / "meshes" / f"{entry['name']}.obj"), np.eye(4)
        T[:3, :3], T[:3, 3] = matrix_from_quaternion(np.array(entry["quaternion_wxyz"])), entry["position_m"]
        own = transform_points(T, np.asarray(mesh.vertices)) @ R_GLTF_WORLD.T
        other = found["meshes"][entry["name"]]
        gap = float(np.abs(np.array(other["bounds"]) - [own.min(axis=0), own.max(axis=0)]).max())
        same = len(mesh.faces) == other["faces"]
        rows.append(
            {"program": found["version"], "object": entry["name"], "pose_m": gap, "holds": same and gap < SINGLE_PRECISION_M}
        )
    return rows


def pose_gap(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Distance [mm] and angle [deg]."""
    angle = 2 * np.arccos(min(1.0, abs(float(a[3:] @ b[3:]))))
    return 1e3 * float(np.linalg.norm(a[:3] - b[:3])), float(np.degrees(angle))


def motions(args: Args, export: Path, folder: Path) -> dict[str, Any]:
    """The motion in the programs that train on it."""
    conversion = folder / "converted.npz"
    options = ConvertOptions(robot=robot_named("unitree_g1_29dof"), target_format="mjlab")
    convert(export / "motion" / "unitree-csv.csv", conversion, options, Progress(None))
    found = {
        "mjlab": told(args, "mjlab", export, str(conversion), str(args.steps)),
        "holosoma": told(args, "holosoma", export),
    }
    if found["holosoma"]:
        found["holosoma's own clip"] = their_clip(Path(found["holosoma"].pop("their_clip")))
    return {name: result for name, result in found.items() if result}


def their_clip(path: Path) -> dict[str, float]:
    """The clip that holosoma ships, against what we would have written of its root and joints.

    Feet and pelvis, which its model of the robot has where ours has them; its link velocities and ours against the derivative
    of its own places.
    """
    clip = read_holosoma(path, robot_named("unitree_g1_29dof"))
    moving, theirs = link_motion(clip), dict(np.load(path))
    names, inner = theirs["body_names"].tolist(), slice(1, -1)
    foot, own_foot = names.index("left_ankle_roll_link"), clip.robot.body_names.index("left_ankle_roll_link")
    velocity = rates(theirs["body_pos_w"][:, foot], clip.fps)[inner]
    turning = theirs["body_ang_vel_w"] - theirs["body_ang_vel_w"][:, [names.index("pelvis")]]
    own_turning = moving.turn_rate - moving.turn_rate[:, :1]
    links = [names.index(name) for name in clip.robot.body_names]
    return {
        "foot_m": float(np.abs(theirs["body_pos_w"][:, foot] - moving.position[:, own_foot]).max()),
        "turn_rates_against_pelvis_rad_s": float(np.abs(turning[:, links] - own_turning)[inner].max()),
        "their_foot_against_its_places_m_s": float(np.abs(theirs["body_lin_vel_w"][inner, foot] - velocity).max()),
        "our_foot_against_its_places_m_s": float(np.abs(moving.velocity[inner, own_foot] - velocity).max()),
    }


def told(args: Args, name: str, *words: str | Path) -> dict | None:
    """What a consumer prints in its own environment; None where there is none."""
    if args.environments is None or not python_of(args.environments, name).is_file():
        return None
    return run_by(python_of(args.environments, name), HERE / "consumers" / f"in_{name}.py", *words)


def run_by(python: Path, *words: str | Path) -> dict:
    """The last line that another environment's Python prints."""
    done = subprocess.run([str(python), *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed:\n{done.stderr[-3000:]}")
    sys.stderr.write("".join(line + "\n" for line in done.stderr.splitlines() if line.startswith("csv_to_npz")))
    return json.loads(done.stdout.strip().splitlines()[-1])


def table_of(rows: list[dict]) -> Table:
    table = Table(
        "scene",
        "object",
        "program",
        "mass",
        "moments",
        "pose m",
        "colliders",
        "contacts",
        "drop mm, deg",
        "own spread",
        "holds",
    )
    for row in rows:
        numbers = [f"{row[key]:.1e}" if key in row else "" for key in ("mass", "moments", "pose_m")]
        pairs = ["{:g} / {}".format(*row[key]) if key in row else "" for key in ("colliders", "contacts")]
        drop = f"{row['drop_mm']:.3f}, {row['drop_deg']:.3f}" if "drop_mm" in row else ""
        if "higher_mm" in row:
            drop = f"{row['higher_mm']:+.2f} up, {row['moved_mm']:.1f} aside, {row['tilt_deg']:.2f}"
        spread_mm = f"{row['spread_mm']:.2f}" if "spread_mm" in row else ""
        table.add_row(
            row["scene"], row["object"], row["program"], *numbers, *pairs, drop, spread_mm, "yes" if row["holds"] else "NO"
        )
    return table


def summary_of(rows: list[dict]) -> Table:
    """Largest figures of each program."""
    table = Table(
        "program", "objects hold", "mass", "moments", "pose m", "drop mm", "up mm", "aside mm", "tilt deg", "speed m/s"
    )
    for program in dict.fromkeys(row["program"] for row in rows):
        mine = [row for row in rows if row["program"] == program]
        keys = ("mass", "moments", "pose_m", "drop_mm", "higher_mm", "moved_mm", "tilt_deg", "speed_m_s")
        worst = [f"{max(abs(row[key]) for row in mine):.2g}" if key in mine[0] else "" for key in keys]
        table.add_row(program, f"{sum(row['holds'] for row in mine)} of {len(mine)}", *worst)
    return table


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Args, description=__doc__)))
