"""A film of the simulations of one scene: controllers side by side, contact forces as arrows, the verdict as caption."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Rollout, SimScene, StabilityVerdict
from hsimul3r.film import Film
from hsimul3r.geometry.cameras import transform_points
from hsimul3r.geometry.overlay import Color, Picture, draw_text
from hsimul3r.progress import Progress
from hsimul3r.run_record import CONTROLLERS
from hsimul3r.surfaces import body_vertices
from sim_envs.studio import FIELD_OF_VIEW_DEG, Canvas, View

GOOD: Color = (24, 140, 82)
BAD: Color = (196, 48, 48)
PLAIN: Color = (70, 78, 90)
ARROW: Color = (255, 222, 40)
INK: Color = (20, 23, 28)
PAPER: Color = (250, 250, 250)


@dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """What the film looks like."""

    size_px: tuple[int, int] = (1280, 720)
    fps: int = 25
    speed: float = 0.75
    """Film time runs this much slower than the simulation."""
    hold_start_s: float = 0.7
    hold_end_s: float = 1.6
    orbit_deg: float = 16.0
    """The camera swings this far to each side."""
    elevation_deg: float = 13.0
    header_px: int = 56
    footer_px: int = 64
    smallest_force_n: float = 10.0
    metres_per_newton: float = 0.0007
    longest_arrow_m: float = 0.6
    crf: int = 23
    """H.264 quality, smaller is better."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One controller's simulation in the film."""

    rollout: Rollout
    header: Picture
    footer: Picture


def render_simulation(
    sim_scene: SimScene, rollouts: Sequence[Rollout], verdicts: Sequence[StabilityVerdict], path: Path, *,
    progress: Progress, cfg: RenderConfig | None = None,
) -> None:  # fmt: skip
    """Write an H.264 MP4 of the rollouts, side by side in the order given, each with the verdict of its controller.

    Raises `RenderingUnavailable` on a machine without OpenGL and ValueError without rollouts.
    """
    cfg = cfg or RenderConfig()
    if not rollouts:
        raise ValueError("there is no rollout to film")
    judged = {verdict.controller: verdict for verdict in verdicts}
    width, height = cfg.size_px[0] // len(rollouts), cfg.size_px[1] - cfg.header_px - cfg.footer_px
    panels = [_panel(rollout, judged.get(rollout.controller), width, cfg) for rollout in rollouts]
    schedule = _schedule(max((len(r.qpos) - 1) / r.fps for r in rollouts), cfg)
    view = _framing(sim_scene, rollouts, width / height, cfg)
    size = width * len(rollouts), cfg.size_px[1]
    with (
        Canvas.of_scene(sim_scene, width=width, height=height) as canvas,
        Film(path, size, fps=cfg.fps, crf=cfg.crf) as film,
    ):
        shown: tuple[float, Picture] | None = None
        for share, seconds in progress.track(schedule, "filming the simulation"):
            if shown is None or shown[0] != seconds:
                orbit = np.radians(cfg.orbit_deg) * np.sin(2 * np.pi * share)
                turned = View(
                    target=view.target, azimuth=view.azimuth + orbit, elevation=view.elevation, distance_m=view.distance_m
                )
                shown = (seconds, np.hstack([_draw_panel(canvas, panel, turned, seconds, cfg) for panel in panels]))
            film.add(shown[1])


def _schedule(duration_s: float, cfg: RenderConfig) -> list[tuple[float, float]]:
    """(share of the motion shown, simulated seconds) of every frame of the film."""
    moving = np.linspace(0.0, 1.0, max(2, round(duration_s / cfg.speed * cfg.fps) + 1))
    shares = [0.0] * round(cfg.hold_start_s * cfg.fps) + list(moving) + [1.0] * round(cfg.hold_end_s * cfg.fps)
    return [(float(share), float(share) * duration_s) for share in shares]


def _panel(rollout: Rollout, verdict: StabilityVerdict | None, width: int, cfg: RenderConfig) -> Panel:
    return Panel(rollout=rollout, header=_header(rollout.controller, verdict, width, cfg), footer=_footer(verdict, width, cfg))


def _draw_panel(canvas: Canvas, panel: Panel, view: View, seconds: float, cfg: RenderConfig) -> Picture:
    rollout = panel.rollout
    frame = min(round(seconds * rollout.fps), len(rollout.qpos) - 1)
    canvas.pose(rollout.qpos[frame])
    picture = np.ascontiguousarray(canvas.draw(view))
    _draw_forces(picture, canvas, rollout, frame, view, cfg)
    picture = draw_text(picture, f"{seconds:.1f} s", (14, canvas.height - 16), 18, PLAIN)
    return np.vstack([panel.header, picture, panel.footer])


def _header(controller: str, verdict: StabilityVerdict | None, width: int, cfg: RenderConfig) -> Picture:
    """Controller on the left, verdict on the right."""
    name = CONTROLLERS.get(controller, controller)
    bar = np.full((cfg.header_px, width, 3), PAPER, np.uint8)
    bar = draw_text(bar, name[:1].upper() + name[1:], (16, cfg.header_px // 2), 24, INK)
    if verdict is None:
        return bar
    word, color = ("stable", GOOD) if verdict.is_stable else ("not stable", BAD)
    bar[-4:] = color
    return draw_text(bar, f"{word}, type {verdict.feedback_type}", (width - 16, cfg.header_px // 2), 24, color, anchor="rm")


def _footer(verdict: StabilityVerdict | None, width: int, cfg: RenderConfig) -> Picture:
    """The verdict's reason on up to two lines."""
    bar = np.full((cfg.footer_px, width, 3), PAPER, np.uint8)
    bar[:, -1] = bar[:, 0] = (220, 222, 226)
    lines = textwrap.wrap(
        verdict.reason if verdict else "not judged", max(20, int(width / 8.2)), max_lines=2, placeholder=" ..."
    )
    for i, line in enumerate(lines):
        bar = draw_text(bar, line, (16, int(cfg.footer_px * (i + 1) / (len(lines) + 1))), 16, INK)
    return bar


def _draw_forces(picture: Picture, canvas: Canvas, rollout: Rollout, frame: int, view: View, cfg: RenderConfig) -> None:
    """An arrow for every contact that carries force: where it acts, how strong it is, along the contact's normal."""
    force = np.nan_to_num(rollout.contact_force_n[frame])
    strong = np.flatnonzero(force >= cfg.smallest_force_n)
    if len(strong) == 0:
        return
    starts = rollout.contact_point[frame, strong]
    length = np.minimum(cfg.metres_per_newton * force[strong], cfg.longest_arrow_m)
    normals = np.stack([canvas.contact_normal(rollout.contact_names[i]) for i in strong])
    size = {"width": canvas.width, "height": canvas.height}
    ends = view.project(starts + length[:, None] * normals, **size)
    for start, end, newtons in zip(view.project(starts, **size), ends, force[strong]):
        if np.isfinite([start, end]).all():
            _draw_arrow(picture, start, end, f"{newtons:.0f} N")


def _draw_arrow(picture: Picture, start: Float[ndarray, "2"], end: Float[ndarray, "2"], label: str) -> None:
    a, b = (tuple(int(v) for v in np.round(np.clip(p, -4000, 4000))) for p in (start, end))
    for color, thickness in ((INK, 7), (ARROW, 3)):
        cv2.arrowedLine(picture, a, b, color, thickness, cv2.LINE_AA, tipLength=0.22)
    cv2.circle(picture, a, 5, INK, -1, cv2.LINE_AA)
    cv2.circle(picture, a, 3, ARROW, -1, cv2.LINE_AA)
    picture[:] = draw_text(picture, label, (b[0] + 10, b[1]), 16, INK, plate=ARROW)


def _framing(scene: SimScene, rollouts: Sequence[Rollout], aspect: float, cfg: RenderConfig) -> View:
    """A three-quarter view from the first person's front that keeps everybody and everything in the picture."""
    points = _extent(scene, rollouts)
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    radius = float(np.linalg.norm(points - middle, axis=1).max())
    half = np.arctan(np.tan(0.5 * np.radians(FIELD_OF_VIEW_DEG)) * min(1.0, aspect))
    front = rollouts[0].bodies[0].pose[0, 0] if rollouts[0].bodies else np.zeros(3)
    facing = cv2.Rodrigues(np.asarray(front, float))[0] @ np.array([0.0, 0.0, 1.0])
    return View(
        target=middle,
        azimuth=float(np.arctan2(facing[1], facing[0])) + np.radians(42.0),
        elevation=np.radians(cfg.elevation_deg),
        distance_m=0.92 * radius / np.sin(half),
    )


def _extent(scene: SimScene, rollouts: Sequence[Rollout], reach_m: float = 1.6) -> Float[ndarray, "points 3"]:
    """Skin and object corners over the films' frames; what leaves `reach_m` around the start is not followed."""
    start = np.concatenate(
        [transform_points(asset.T_world_object, asset.vertices) for asset in scene.assets]
        + [body_vertices(body, np.zeros(1, int))[0] for body in scene.bodies]
    )
    later = [body_vertices(body, _spread(len(body.transl)))[:, ::7].reshape(-1, 3) for r in rollouts for body in r.bodies]
    later += [r.object_pos.reshape(-1, 3) for r in rollouts]
    points = np.concatenate([start, *later])
    middle = 0.5 * (start.min(axis=0) + start.max(axis=0))
    return points[np.isfinite(points).all(axis=1) & (np.linalg.norm(points - middle, axis=1) < reach_m)]


def _spread(count: int) -> Int[ndarray, "frames"]:
    return np.unique(np.linspace(0, count - 1, 8).astype(int))
