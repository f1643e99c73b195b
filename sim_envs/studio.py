"""Pictures of a simulated scene: the model dressed for the camera (skin, floor, light) and a canvas that needs no display."""

import os
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import SimScene
from hsimul3r.conventions import BODY_JOINTS, CONTACT_PARTS, SMPLX_PARENTS
from hsimul3r.errors import RenderingUnavailable
from hsimul3r.geometry.overlay import Color, object_color, person_color
from sim_envs.contract import JUDGE
from sim_envs.engine import MjModel, MjSpec, mujoco
from sim_envs.scene_builder import SceneParts, body_shape, build_spec, parts_of

HIDDEN_GROUP = 4
"""Geometry group that the canvas does not draw."""
FIELD_OF_VIEW_DEG = 36.0
HORIZON = (0.80, 0.83, 0.87)


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera that looks at a point from a direction given by angles [rad]; `elevation` is positive above the horizon."""

    target: Float[ndarray, "3"]
    azimuth: float
    elevation: float
    distance_m: float

    def axes(self) -> Float[ndarray, "3 3"]:
        """Right, down and forward of the camera in the world (OpenCV)."""
        c, s = np.cos(self.elevation), np.sin(self.elevation)
        forward = -np.array([c * np.cos(self.azimuth), c * np.sin(self.azimuth), s])
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])

    def project(self, points: Float[ndarray, "points 3"], *, width: int, height: int) -> Float[ndarray, "points 2"]:
        """Pixels of world points in a picture of that size; nan behind the camera."""
        axes = self.axes()
        camera = (points - (self.target - self.distance_m * axes[2])) @ axes.T
        focal = 0.5 * height / np.tan(0.5 * np.radians(FIELD_OF_VIEW_DEG))
        pixels = focal * camera[:, :2] / camera[:, 2:] + (0.5 * (width - 1), 0.5 * (height - 1))
        return np.where(camera[:, 2:] > 0.05, pixels, np.nan)


class Canvas:
    """Draws states of one model off screen. Use as a context manager; raises `RenderingUnavailable` without OpenGL."""

    def __init__(self, model: MjModel, *, width: int, height: int):
        mj = mujoco()
        self.width, self.height, self.model = width, height, model
        self._context, self._gl = open_gl(model, width, height)
        self.data = mj.MjData(self.model)
        self._scene = mj.MjvScene(self.model, maxgeom=2000)
        self._scene.flags[mj.mjtRndFlag.mjRND_REFLECTION] = False
        self._camera, self._option, self._marks = mj.MjvCamera(), mj.MjvOption(), mj.MjvPerturb()
        self._option.geomgroup[HIDDEN_GROUP] = 0

    @classmethod
    def of_scene(cls, scene: SimScene, *, width: int, height: int) -> Self:
        """A canvas for the states of a scene."""
        return cls(dressed_model(scene, width=width, height=height), width=width, height=height)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._gl.free()
        self._context.free()

    def pose(self, qpos: Float[ndarray, "nq"]) -> None:
        """Put the scene into a state and find its contacts."""
        mj = mujoco()

        self.data.qpos[:] = qpos
        mj.mj_fwdPosition(self.model, self.data)

    def contact_normal(self, contact_name: str) -> Float[ndarray, "3"]:
        """Mean unit normal, towards the person, of the contacts behind a '<human>/<part>/<object>'; up where none is closed."""
        human, part, name = contact_name.split("/")
        bones = {self.model.body(f"{human}/{joint}").id for joint in CONTACT_PARTS[part]}
        target = self.model.body(name).id
        total = np.zeros(3)
        for contact in self.data.contact[: self.data.ncon]:
            first, second = self.model.geom_bodyid[contact.geom]
            if first == target and second in bones:
                total += contact.frame[:3]
            elif second == target and first in bones:
                total -= contact.frame[:3]
        length = float(np.linalg.norm(total))
        return total / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])

    def draw(self, view: View) -> UInt8[ndarray, "height width 3"]:
        """The posed scene as `view` sees it."""
        mj = mujoco()

        camera = self._camera
        camera.type = mj.mjtCamera.mjCAMERA_FREE
        camera.lookat[:] = view.target
        camera.distance = view.distance_m
        camera.azimuth, camera.elevation = np.degrees(view.azimuth) + 180.0, -np.degrees(view.elevation)
        everything = mj.mjtCatBit.mjCAT_ALL
        mj.mjv_updateScene(self.model, self.data, self._option, self._marks, camera, everything, self._scene)
        frame = mj.MjrRect(0, 0, self.width, self.height)
        picture = np.empty((self.height, self.width, 3), np.uint8)
        mj.mjr_render(frame, self._scene, self._gl)
        mj.mjr_readPixels(picture, None, frame, self._gl)
        return picture[::-1]


def check_rendering() -> str:
    """Draw a ball and name the OpenGL renderer that drew it. Raises `RenderingUnavailable`."""
    spec = mujoco().MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 64, 48
    spec.worldbody.add_geom(size=[0.3, 0.0, 0.0], rgba=[1.0, 0.0, 0.0, 1.0])
    with Canvas(spec.compile(), width=64, height=48) as canvas:
        canvas.pose(np.zeros(0))
        picture = canvas.draw(View(target=np.zeros(3), azimuth=0.0, elevation=0.0, distance_m=2.0))
        from OpenGL import GL

        name = GL.glGetString(GL.GL_RENDERER)
    if picture[24, 32, 0] < 50 or picture[2, 2].max() > 50:
        raise RenderingUnavailable("a ball was drawn wrong")
    return name.decode() if isinstance(name, bytes) else str(name)


def dressed_model(scene: SimScene, *, width: int, height: int) -> MjModel:
    """The scene's model with the same state layout, people shown by their skin, in the colours of the overlays."""
    parts = parts_of(scene)
    spec = build_spec(parts, JUDGE)
    for human, body in zip(parts.humans, parts.bodies):
        _add_skin(spec, parts, human, body.betas, person_color(body.person))
    for i, asset in enumerate(parts.assets):
        for geom in spec.body(asset.name).geoms:
            geom.rgba = _rgba(object_color(i))
    _paint_room(spec)
    _light(spec, _reach(parts, np.array(spec.stat.center[:2])))
    quality = spec.visual.quality
    quality.shadowsize, quality.offsamples = 2048, 4
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.global_.fovy = FIELD_OF_VIEW_DEG
    return spec.compile()


def _add_skin(spec: MjSpec, parts: SceneParts, human: str, betas: Float[ndarray, "10"], color: Color) -> None:
    """The body's skin on the humanoid's bones, whose geometry is hidden."""
    shape = body_shape(parts.body_model, betas)
    weights = shape.weights.copy()
    for joint in range(weights.shape[1] - 1, len(BODY_JOINTS) - 1, -1):
        weights[:, SMPLX_PARENTS[joint]] += weights[:, joint]
    moved = [np.flatnonzero(weights[:, j] > 1e-4) for j in range(len(BODY_JOINTS))]
    skin = spec.add_skin(name=human, rgba=_rgba(color))
    skin.vert, skin.face = shape.vertices.ravel(), shape.faces.ravel()
    skin.bodyname = [f"{human}/{joint}" for joint in BODY_JOINTS]
    skin.bindpos = shape.joints[: len(BODY_JOINTS)].ravel()
    skin.bindquat = np.tile([1.0, 0.0, 0.0, 0.0], len(BODY_JOINTS))
    skin.vertid = [index.tolist() for index in moved]
    skin.vertweight = [weights[index, j].tolist() for j, index in enumerate(moved)]
    for joint in BODY_JOINTS:
        for geom in spec.body(f"{human}/{joint}").geoms:
            geom.group = HIDDEN_GROUP


def _reach(parts: SceneParts, center: Float[ndarray, "2"]) -> float:
    """How far people and objects stand from the middle, and the shadows that they cast [m]."""
    spots = [body.transl[0, :2] for body in parts.bodies] + [asset.T_world_object[:2, 3] for asset in parts.assets]
    return 1.5 + max((float(np.linalg.norm(spot - center)) for spot in spots), default=0.0)


def _paint_room(spec: MjSpec) -> None:
    """Gradient sky, haze, a pale floor of large tiles with thin lines."""
    mj = mujoco()
    spec.add_texture(
        name="sky", type=mj.mjtTexture.mjTEXTURE_SKYBOX, builtin=mj.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.95, 0.97], rgb2=HORIZON, width=64, height=384,
    )  # fmt: skip
    floor = spec.texture("floor")
    floor.rgb1, floor.rgb2 = [0.80, 0.82, 0.84], [0.75, 0.77, 0.79]
    floor.mark, floor.markrgb = mj.mjtMark.mjMARK_EDGE, [0.62, 0.64, 0.67]
    floor.width = floor.height = 512
    spec.visual.rgba.haze = [*HORIZON, 1.0]
    spec.visual.map.haze, spec.visual.map.zfar = 0.5, 12.0


def _light(spec: MjSpec, reach_m: float) -> None:
    """A lamp whose shadows reach `reach_m` around the middle, and shadowless light from everywhere."""
    mj = mujoco()
    headlight = spec.visual.headlight
    headlight.ambient, headlight.diffuse, headlight.specular = [0.42] * 3, [0.28] * 3, [0.05] * 3
    for light in spec.lights:
        spec.delete(light)
    lamp, cutoff_deg = np.array((1.8, -2.4, 6.8)), 85.0
    spec.worldbody.add_light(
        pos=np.array((*spec.stat.center[:2], 0.0)) + lamp,
        dir=-lamp,
        diffuse=[0.4] * 3,
        specular=[0.1] * 3,
        cutoff=cutoff_deg,
        exponent=0,
        castshadow=True,
    )
    spec.visual.map.shadowscale = min(1.0, float(np.degrees(np.arctan(reach_m / np.linalg.norm(lamp)))) / cutoff_deg)
    spec.worldbody.add_light(
        type=mj.mjtLightType.mjLIGHT_DIRECTIONAL,
        dir=[0.5, 0.4, -1],
        diffuse=[0.2] * 3,
        specular=[0.0] * 3,
        castshadow=False,
    )


def _rgba(color: Color) -> list[float]:
    return [*(0.9 * channel / 255 for channel in color), 1.0]


def open_gl(model: MjModel, width: int, height: int) -> tuple[Any, Any]:
    """An off-screen OpenGL context, made current, and the model's data in it.

    EGL on Linux unless MUJOCO_GL asks for another, else what MuJoCo picks.
    """
    mj = mujoco()
    try:
        if sys.platform == "linux" and os.environ.get("MUJOCO_GL", "egl") not in ("osmesa", "glfw"):
            from mujoco.egl import GLContext
        else:
            from mujoco.gl_context import GLContext
        context = GLContext(width, height)
        context.make_current()
        resources = mj.MjrContext(model, mj.mjtFontScale.mjFONTSCALE_100)
    except Exception as error:  # every driver fails in its own way; PyOpenGL raises AttributeError where libEGL is absent
        raise RenderingUnavailable(str(error)) from error
    mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, resources)
    return context, resources
