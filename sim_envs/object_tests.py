"""Whether an object stands by itself, and whether it bears a load on its seat or top: the cheap tests of Sec. 3.4.

On a flat floor only the corners of the convex hull can touch, so that the object is a rigid body with its true mass and inertia
and a small ball at each corner that may. That is exact and takes milliseconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import ConvexHull

from hsimul3r.artifacts import ConvexPart
from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.mesh import solid
from hsimul3r.metrics.shape import support_height
from sim_envs.engine import mujoco

BALL_M: Final = 0.001
"""Radius of the balls; they are sunk into the corners, so that they reach down as far as the object does."""
BODY: Final = "object"
TIE_M: Final = 0.002
"""Corners that are this much higher than the lowest one touch too, for the contact is soft."""
TURNS: Final = 72
SUPPORT_M: Final = 0.03
"""Parts whose upper ends lie this near to the main support's height bear the load."""
POINT_NAMES: Final = ("the middle", "the left", "the right", "the front", "the back")
"""Of `load_points`, seen by a sitter."""
CHUNK_S: Final = 0.02
"""Between two looks at the state; the load moves with the object so often."""


@dataclass(frozen=True, kw_only=True)
class ObjectTests:
    """Limits of the two tests."""

    gravity_s: float = 10.0
    payload_n: float = 500.0
    payload_s: float = 3.0
    """How long a load rests on every point, after `ramp_s` in which it grows."""
    ramp_s: float = 0.3
    spread: float = 0.6
    """Four of the five points lie at this share of the half extents of what bears the load, the fifth in its middle."""
    tilt_deg: float = 20.0
    """Of the object's up axis in the end. What leans by half as much again has fallen, and is not simulated any further."""
    speed: float = 0.1
    """Root mean square over the object's six velocities in the end [m/s, rad/s]."""
    rest_speed: float = 0.01
    """An object slower than this for `rest_s` stays as it is."""
    rest_s: float = 0.5
    timestep_s: float = 0.002

    @property
    def fallen_deg(self) -> float:
        return 1.5 * self.tilt_deg


@dataclass(frozen=True, kw_only=True)
class TestBody:
    """A rigid object as these tests need it, in its own frame, which stands on the floor z = 0."""

    __test__ = False  # not a test of pytest's

    corners: Float[ndarray, "corners 3"]
    """Those that may touch a flat floor."""
    mass_kg: float
    centre: Float[ndarray, "3"]
    """Of mass."""
    inertia: Float[ndarray, "3 3"]
    """About that centre [kg m2]."""
    friction: float


@dataclass(frozen=True, kw_only=True)
class Stood:
    """How an object ended."""

    tilt_deg: float
    speed: float


def body_of(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, density_kg_m3: float, friction: float,
    most_deg: float = 45.0,
) -> TestBody:  # fmt: skip
    """A closed mesh, moved down or up onto the floor; `most_deg` is the tilt up to which its corners are all there."""
    standing = vertices - [0.0, 0.0, vertices[:, 2].min()]
    integral = solid(standing, faces)
    return TestBody(
        corners=touching_corners(standing, most_deg), mass_kg=density_kg_m3 * integral.volume_m3, centre=integral.centroid,
        inertia=density_kg_m3 * integral.inertia, friction=friction,
    )  # fmt: skip


def touching_corners(vertices: Float[ndarray, "vertices 3"], most_deg: float) -> Float[ndarray, "corners 3"]:
    """Corners of the convex hull that are lowest, or nearly, in some tilt up to `most_deg`."""
    corners = vertices[ConvexHull(vertices).vertices]
    turn, tilt = np.meshgrid(np.arange(TURNS) * 2 * np.pi / TURNS, np.radians(np.linspace(0.0, most_deg, 16)))
    up = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], axis=-1).reshape(-1, 3)
    heights = corners @ up.T
    return corners[(heights <= heights.min(axis=0) + TIE_M).any(axis=1)]


def support_box(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], parts: Sequence[ConvexPart]
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Lowest and highest corner of the parts that end at the height of the main support; of all, where none does."""
    height = support_height(vertices, faces)
    points = [part.vertices for part in parts if abs(part.vertices[:, 2].max() - height) < SUPPORT_M]
    found = np.concatenate(points or [vertices])
    return found.min(axis=0), found.max(axis=0)


def load_points(
    low: Float[ndarray, "3"], high: Float[ndarray, "3"], cfg: ObjectTests
) -> Float[ndarray, "5 3"]:  # fmt: skip
    """The middle and four points of the upper side of a box."""
    signs = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]], float)
    middle, half = (low + high) / 2, (high - low) / 2
    return np.column_stack([middle[:2] + cfg.spread * signs * half[:2], np.full(len(signs), high[2])])


class ObjectBench:
    """The simulation of one object."""

    def __init__(self, body: TestBody, cfg: ObjectTests):
        self.cfg, self._body = cfg, body
        self._model = _model(body, cfg)
        self._data = mujoco().MjData(self._model)
        self._matrix = np.zeros(9)
        self._steps = max(1, round(CHUNK_S / cfg.timestep_s))

    def stand(self) -> Stood:
        """Under gravity alone, from where it was made."""
        mujoco().mj_resetData(self._model, self._data)
        return self._run(self.cfg.gravity_s, None)

    def bear(self, points: Float[ndarray, "points 3"]) -> list[Stood]:
        """With a load on one point after the other, each time from where the object stood before; not beyond the first under
        which it falls. Points are in the object's frame."""
        start = self._data.qpos.copy()
        found = []
        for point in points:
            mujoco().mj_resetData(self._model, self._data)
            self._data.qpos[:] = start
            found.append(self._run(self.cfg.ramp_s + self.cfg.payload_s, point))
            if found[-1].tilt_deg > self.cfg.tilt_deg or found[-1].speed > self.cfg.speed:
                break
        return found

    def _run(self, seconds: float, point: Float[ndarray, "3"] | None) -> Stood:
        cfg, still_s = self.cfg, 0.0
        for chunk in range(round(seconds / CHUNK_S)):
            if point is not None:
                self._load(point, min((chunk + 1) * CHUNK_S / cfg.ramp_s, 1.0))
            mujoco().mj_step(self._model, self._data, nstep=self._steps)
            now = self._stood()
            still_s = still_s + CHUNK_S if now.speed < cfg.rest_speed else 0.0
            is_loaded = point is None or (chunk + 1) * CHUNK_S >= cfg.ramp_s + cfg.rest_s
            if now.tilt_deg > cfg.fallen_deg or (is_loaded and still_s >= cfg.rest_s):
                return now
        return self._stood()

    def _load(self, point: Float[ndarray, "3"], share: float) -> None:
        """A force down at a point of the object, as force and torque about its centre of mass."""
        force = share * self.cfg.payload_n
        arm = self._turn() @ (point - self._body.centre)
        self._data.xfrc_applied[1] = (0.0, 0.0, -force, -force * arm[1], force * arm[0], 0.0)

    def _stood(self) -> Stood:
        up, speeds = float(self._turn()[2, 2]), self._data.qvel
        return Stood(
            tilt_deg=math.degrees(math.acos(min(max(up, -1.0), 1.0))), speed=math.sqrt(float(speeds @ speeds) / len(speeds))
        )

    def _turn(self) -> Float[ndarray, "3 3"]:
        """The object's rotation as it is now; asked for too often for the batched one of geometry."""
        mujoco().mju_quat2Mat(self._matrix, self._data.qpos[3:7])
        return self._matrix.reshape(3, 3)


def _model(body: TestBody, cfg: ObjectTests) -> Any:
    mj = mujoco()
    spec = mj.MjSpec()
    option = spec.option
    option.timestep, option.gravity = cfg.timestep_s, [0, 0, -GRAVITY]
    option.integrator, option.cone = mj.mjtIntegrator.mjINT_IMPLICITFAST, mj.mjtCone.mjCONE_ELLIPTIC
    spec.worldbody.add_geom(type=mj.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], friction=[body.friction, 0.005, 0.0001])
    free = spec.worldbody.add_body(name=BODY)
    free.add_freejoint()
    free.explicitinertial = True
    free.mass, free.ipos = body.mass_kg, body.centre
    i = body.inertia
    free.fullinertia = [i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2]]
    for corner in _sunk(body.corners, body.centre):
        free.add_geom(
            type=mj.mjtGeom.mjGEOM_SPHERE, size=[BALL_M, 0, 0], pos=corner, contype=1, conaffinity=0,
            friction=[body.friction, 0.005, 0.0001],
        )  # fmt: skip
    return spec.compile()


def _sunk(corners: Float[ndarray, "corners 3"], centre: Float[ndarray, "3"]) -> Float[ndarray, "corners 3"]:
    """Middles of balls that end where the corners are: raised by their radius, moved inwards by it."""
    inwards = centre[:2] - corners[:, :2]
    length = np.maximum(np.linalg.norm(inwards, axis=1, keepdims=True), BALL_M)
    return corners + np.column_stack([BALL_M * inwards / length, np.full(len(corners), BALL_M)])
