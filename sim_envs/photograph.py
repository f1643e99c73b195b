"""Photo-like pictures of a benchmark's shot without a ray tracer.

MuJoCo draws what each pixel sees: the surface's colour, its normal, which mesh it is and how far; `camera.lighting` lights it.
All passes hit the same pixel centres, so that labels and depth fit the picture exactly. The model is built once; `Studio.show`
moves meshes in place (a film's person).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8
from numpy import ndarray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hsimul3r.benchmark.camera import lighting
from hsimul3r.benchmark.camera.lighting import Lighting, Surfaces
from hsimul3r.benchmark.camera.shot import AreaLight, Picture, Shot, TexturedMesh, View
from sim_envs.engine import MjModel, MjSpec, mujoco
from sim_envs.studio import open_gl

NEAR_M: Final = 0.05
FAR_M: Final = 30.0
LIGHT_NEAR_M: Final = 0.15
"""A lamp's own curtain or shade casts no shadow."""
SPLIT_DEG: Final = 40.0
"""Normals of smooth meshes blend over edges that bend less."""
PROBE_PX: Final = 48
PROBE_HEIGHT: Final = 0.8
"""Where the bounced light is measured, as a share of the room's height: above the head."""


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Meshes of one material and group, drawn as one."""

    meshes: tuple[TexturedMesh, ...]
    index: tuple[Int[ndarray, "faces 3"], ...]
    """Which normal each corner of each mesh has."""

    @property
    def vertices(self) -> Float[ndarray, "vertices 3"]:
        return np.concatenate([mesh.vertices for mesh in self.meshes])

    @property
    def faces(self) -> Int[ndarray, "faces 3"]:
        starts = np.cumsum([0] + [len(mesh.vertices) for mesh in self.meshes])
        return np.concatenate([mesh.faces + start for mesh, start in zip(self.meshes, starts)])

    @property
    def normals(self) -> Float[ndarray, "normals 3"]:
        return np.concatenate([corner_normals(mesh, index) for mesh, index in zip(self.meshes, self.index)])

    @property
    def faces_by_normal(self) -> Int[ndarray, "faces 3"]:
        starts = np.cumsum([0] + [index.max() + 1 for index in self.index])
        return np.concatenate([index + start for index, start in zip(self.index, starts)])


def photograph(shot: Shot) -> Iterator[Picture]:
    """Pictures of all views of a shot, each as `View.pinhole` says. Raises `RenderingUnavailable` without OpenGL."""
    with Studio(shot) as studio:
        for view in shot.views:
            yield studio.picture(view)


def film(shots: Iterable[Shot]) -> Iterator[Picture]:
    """Pictures of the first view of each of many shots that differ in views and places of vertices only."""
    studio: Studio | None = None
    try:
        for shot in shots:
            if studio is None:
                studio = Studio(shot)
            else:
                studio.show(shot)
            yield studio.picture(shot.views[0])
    finally:
        if studio is not None:
            studio.close()


class Studio:
    """A shot set up for the camera. Use as a context manager; raises `RenderingUnavailable` without OpenGL."""

    def __init__(self, shot: Shot):
        mj = mujoco()
        self._batches = [_Batch(meshes=meshes, index=tuple(normal_index(mesh) for mesh in meshes)) for meshes in _by_kind(shot)]
        self._materials = lighting.material_rows(tuple(shot.materials[b.meshes[0].material] for b in self._batches))
        self._labels = np.array([shot.label(b.meshes[0].group) for b in self._batches], np.uint8)
        sizes = np.array([(lighting.SHADOW_PX,) * 2, *(view.pinhole.size_px for view in shot.views)])
        self._size_px: tuple[int, ...] = tuple(sizes.max(0).tolist())
        self._model = _model(shot, self._batches, self._size_px)
        self._context, self._gl = open_gl(self._model, *self._size_px)
        self._gl.readDepthMap = mj.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = _empty_scene(self._model)
        self._colored = [(geom.matid, geom.emission) for geom in self._scene.geoms[: self._scene.ngeom]]
        self._lighting, self._exposure = self._light(shot)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._gl.free()
        self._context.free()

    def picture(self, view: View) -> Picture:
        """What `view.pinhole` sees, with its labels and depth. Raises ValueError where it is larger than the shot's views."""
        if any(side > most for side, most in zip(view.pinhole.size_px, self._size_px)):
            raise ValueError(f"the studio draws up to {self._size_px} pixels, the view has {view.pinhole.size_px}")
        seen = self.surfaces(view.pinhole)
        light = lighting.radiance(seen, view.pinhole, self._lighting, self._materials)
        labels = np.where(np.isfinite(seen.depth), self._labels[seen.material], 0).astype(np.uint8)
        return Picture(image=lighting.exposed(light, seen, self._exposure), labels=labels, depth=seen.depth)

    def show(self, shot: Shot) -> None:
        """Move the meshes to where `shot`, of the same meshes and materials, has them; their shadows follow."""
        for i, meshes in enumerate(_by_kind(shot)):
            before = self._batches[i]
            if any(
                a is not b and not np.array_equal(a.vertices, b.vertices) for a, b in zip(meshes, before.meshes, strict=True)
            ):
                self._batches[i] = _Batch(meshes=meshes, index=before.index)
                _move(self._model, i, self._batches[i])
                mujoco().mjr_uploadMesh(self._model, self._gl, i)
        self._lighting = replace(self._lighting, shadows=self._shadows(shot))

    def _light(self, shot: Shot) -> tuple[Lighting, float]:
        """The light of the room, and the exposure that suits it."""
        lamps = np.array([lighting.lamp_row(light) for light in _lamps(shot)])
        direct = Lighting(lamps=lamps, shadows=self._shadows(shot), ambient=np.zeros((6, 3), np.float32))
        around = [(view, self.surfaces(view)) for view in _probe(shot)]

        def arriving(light: Lighting) -> list[Float32[ndarray, "side side 3"]]:
            return [lighting.radiance(seen, view, light, self._materials) for view, seen in around]

        faces = [(view, light) for (view, _), light in zip(around, arriving(direct))]
        whole = replace(direct, ambient=lighting.ambient_of(faces))
        return whole, shot.exposure + lighting.metered(arriving(whole))

    def _shadows(self, shot: Shot) -> Float32[ndarray, "lights side side"]:
        return np.stack([self._depth(lighting.shadow_view(light), LIGHT_NEAR_M) for light in _lamps(shot)])

    def surfaces(self, view: View) -> Surfaces:
        """What a pinhole sees."""
        material, depth = self._ids_and_depth(view)
        albedo = self._draw(view)
        normal = self._normals(view)
        return Surfaces(albedo=albedo, normal=normal, material=material, depth=depth)

    def _ids_and_depth(self, view: View) -> tuple[Int32[ndarray, "height width"], Float32[ndarray, "height width"]]:
        mj = mujoco()
        for flag in (mj.mjtRndFlag.mjRND_SEGMENT, mj.mjtRndFlag.mjRND_IDCOLOR):
            self._scene.flags[flag] = True
        code = self._draw(view).astype(np.int32)
        depth = self._read_depth(view, NEAR_M)
        for flag in (mj.mjtRndFlag.mjRND_SEGMENT, mj.mjtRndFlag.mjRND_IDCOLOR):
            self._scene.flags[flag] = False
        ids = code[..., 0] + (code[..., 1] << 8) + (code[..., 2] << 16) - 1
        return np.maximum(ids, 0), np.where(ids >= 0, depth, np.float32(np.inf))

    def _depth(self, view: View, near_m: float) -> Float32[ndarray, "height width"]:
        """Depth along the axis, FAR_M where nothing is hit."""
        mj = mujoco()
        self._scene.flags[mj.mjtRndFlag.mjRND_SEGMENT] = True
        _aim(self._scene, view, near_m)
        mj.mjr_render(mj.MjrRect(0, 0, *view.size_px), self._scene, self._gl)
        self._scene.flags[mj.mjtRndFlag.mjRND_SEGMENT] = False
        return self._read_depth(view, near_m)

    def _read_depth(self, view: View, near_m: float) -> Float32[ndarray, "height width"]:
        depth = np.empty(view.size_px[::-1], np.float32)
        mujoco().mjr_readPixels(None, depth, mujoco().MjrRect(0, 0, *view.size_px), self._gl)
        return np.float32(near_m * FAR_M) / (np.float32(near_m) + depth[::-1] * np.float32(FAR_M - near_m))

    def _normals(self, view: View) -> Float32[ndarray, "height width 3"]:
        """Normals by light: from each axis comes light of one colour, and as much is taken away on the other side."""
        scene = self._scene
        for geom in scene.geoms[: scene.ngeom]:
            geom.matid, geom.emission = -1, 0.0
        scene.nlight = 6
        code = self._draw(view)
        scene.nlight = 0
        for geom, (material, emission) in zip(scene.geoms[: scene.ngeom], self._colored):
            geom.matid, geom.emission = material, emission
        normal = code.astype(np.float32) - np.float32(127.5)
        normal /= np.linalg.norm(normal, axis=2, keepdims=True)
        return normal

    def _draw(self, view: View) -> UInt8[ndarray, "height width 3"]:
        """Colours of a pass."""
        mj = mujoco()
        _aim(self._scene, view, NEAR_M)
        width, height = view.size_px
        picture, frame = np.empty((height, width, 3), np.uint8), mj.MjrRect(0, 0, width, height)
        mj.mjr_render(frame, self._scene, self._gl)
        mj.mjr_readPixels(picture, None, frame, self._gl)
        return picture[::-1]


def _by_kind(shot: Shot) -> list[tuple[TexturedMesh, ...]]:
    """Meshes by group and material, in the order of their first."""
    kinds = {(mesh.group, mesh.material): i for i, mesh in reversed(list(enumerate(shot.meshes)))}
    ordered = sorted(shot.meshes, key=lambda mesh: kinds[mesh.group, mesh.material])
    return [tuple(meshes) for _, meshes in groupby(ordered, key=lambda mesh: (mesh.group, mesh.material))]


def _model(shot: Shot, batches: Sequence[_Batch], size_px: tuple[int, ...]) -> MjModel:
    """All meshes at the places that they have in the world, each with its picture."""
    mj = mujoco()
    spec = mj.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = size_px
    spec.visual.quality.offsamples = 0
    for name in dict.fromkeys(batch.meshes[0].material for batch in batches):
        image = cv2.convertScaleAbs(shot.materials[name].image, alpha=255)
        texture = spec.add_texture(
            name=name, type=mj.mjtTexture.mjTEXTURE_2D, width=image.shape[1], height=image.shape[0], nchannel=3
        )
        texture.data = image.tobytes()
        material = spec.add_material(name=name, emission=1.0, specular=0.0, shininess=0.0)
        material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = name
    for i, batch in enumerate(batches):
        _add_mesh(spec, f"mesh_{i}", batch)
    model = spec.compile()
    # The compiler keeps as many normals as it is given but lets the corners have those of their vertices.
    model.mesh_facenormal[:] = np.concatenate([batch.faces_by_normal for batch in batches])
    return model


def _add_mesh(spec: MjSpec, name: str, batch: _Batch) -> None:
    mj = mujoco()
    mesh = spec.add_mesh(name=name, inertia=mj.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    uv = np.concatenate([m.uv for m in batch.meshes]).reshape(-1, 2)
    mesh.uservert, mesh.userface = batch.vertices.ravel(), batch.faces.ravel()
    mesh.usernormal = batch.normals.ravel()
    mesh.usertexcoord, mesh.userfacetexcoord = np.column_stack([uv[:, 0], 1 - uv[:, 1]]).ravel(), np.arange(len(uv))
    spec.worldbody.add_geom(
        type=mj.mjtGeom.mjGEOM_MESH, meshname=name, material=batch.meshes[0].material, contype=0, conaffinity=0
    )


def _move(model: MjModel, i: int, batch: _Batch) -> None:
    """Write a batch's vertices and normals into the compiled mesh, whose frame is the one that the compiler chose."""
    R = np.empty(9)
    mujoco().mju_quat2Mat(R, model.geom_quat[i])
    vertices = slice(model.mesh_vertadr[i], model.mesh_vertadr[i] + model.mesh_vertnum[i])
    normals = slice(model.mesh_normaladr[i], model.mesh_normaladr[i] + model.mesh_normalnum[i])
    model.mesh_vert[vertices] = (batch.vertices - model.geom_pos[i]) @ R.reshape(3, 3)
    model.mesh_normal[normals] = batch.normals @ R.reshape(3, 3)


def _empty_scene(model: MjModel) -> Any:
    """The model's meshes without light, sky, fog or culling; lights that write normals stand by."""
    mj = mujoco()
    data, scene = mj.MjData(model), mj.MjvScene(model, maxgeom=model.ngeom + 10)
    mj.mj_forward(model, data)
    everything, option = mj.mjtCatBit.mjCAT_ALL, mj.MjvOption()
    mj.mjv_updateScene(model, data, option, None, mj.MjvCamera(), everything, scene)
    for flag in ("SHADOW", "REFLECTION", "SKYBOX", "FOG", "HAZE", "CULL_FACE", "WIREFRAME"):
        scene.flags[getattr(mj.mjtRndFlag, f"mjRND_{flag}")] = False
    scene.nlight = 0
    for axis in range(3):
        for k, sign in enumerate((1.0, -1.0)):
            light = scene.lights[2 * axis + k]
            light.type, light.castshadow, light.headlight = mj.mjtLightType.mjLIGHT_DIRECTIONAL, False, False
            light.dir[:], light.specular[:], light.intensity = -sign * np.eye(3)[axis], 0.0, 0.0
            light.diffuse[:] = 0.5 * sign * np.eye(3)[axis]
            light.ambient[:] = 0.5 * np.eye(3)[axis] * (sign > 0)
    return scene


def _aim(scene: Any, view: View, near_m: float) -> None:
    """Both eyes at the view's camera; the frustum's sides run through the outer edges of the outer pixels."""
    R, t = view.T_cam_world[:3, :3], view.T_cam_world[:3, 3]
    half_width, half_height = (0.5 * near_m * side / view.focal_px for side in view.size_px)
    for camera in scene.camera:
        camera.pos[:], camera.forward[:], camera.up[:] = -R.T @ t, R[2], -R[1]
        camera.frustum_near, camera.frustum_far, camera.orthographic = near_m, FAR_M, 0
        camera.frustum_center, camera.frustum_width = 0.0, half_width
        camera.frustum_bottom, camera.frustum_top = -half_height, half_height


def _room(shot: Shot) -> Float[ndarray, "points 3"]:
    return np.concatenate([mesh.vertices for mesh in shot.meshes if mesh.group == "room"])


def _lamps(shot: Shot) -> tuple[AreaLight, ...]:
    return (*shot.lights, lighting.ceiling_over(_room(shot)))


def _probe(shot: Shot) -> list[View]:
    """Six square views that together see all around a point in the middle of the room."""
    corners = _room(shot)
    low, high = corners.min(0), corners.max(0)
    place = (low + high) / 2 * (1, 1, 0) + (low + PROBE_HEIGHT * (high - low)) * (0, 0, 1)
    views = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            R = np.roll(np.eye(3), 2 - axis, axis=0) if sign > 0 else np.roll(np.eye(3), 2 - axis, axis=0) * [[1], [-1], [-1]]
            T = np.eye(4)
            T[:3, :3], T[:3, 3] = R, -R @ place
            views.append(View(size_px=(PROBE_PX, PROBE_PX), focal_px=PROBE_PX / 2, T_cam_world=T))
    return views


def normal_index(mesh: TexturedMesh) -> Int[ndarray, "faces 3"]:
    """Which normal each corner has: its face's, or of smooth meshes that of the faces around its vertex that hang together over
    edges bent less than SPLIT_DEG."""
    if not mesh.is_smooth:
        return np.tile(np.arange(len(mesh.faces))[:, None], (1, 3))
    return _fans(mesh.faces, _unit(_face_vectors(mesh)))


def corner_normals(mesh: TexturedMesh, index: Int[ndarray, "faces 3"]) -> Float[ndarray, "normals 3"]:
    """The unit normals that `index` counts: means of faces, by area."""
    vectors = np.repeat(_face_vectors(mesh), 3, axis=0)
    return _unit(np.column_stack([np.bincount(index.ravel(), vectors[:, k]) for k in range(3)]))


def _face_vectors(mesh: TexturedMesh) -> Float[ndarray, "faces 3"]:
    corners = mesh.vertices[mesh.faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _unit(vectors: Float[ndarray, "vectors 3"]) -> Float[ndarray, "vectors 3"]:
    """Unit vectors; up where there is no direction."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-14, vectors / np.maximum(length, 1e-14), (0.0, 0.0, 1.0))


def _fans(faces: Int[ndarray, "faces 3"], flat: Float[ndarray, "faces 3"]) -> Int[ndarray, "faces 3"]:
    """Number of the fan of faces that each corner belongs to."""
    edges = np.concatenate([np.column_stack([faces[:, k], faces[:, (k + 1) % 3]]) for k in range(3)])
    owner = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort((owner, edges.max(1), edges.min(1)))
    key = np.sort(edges[order], axis=1)
    meet = np.flatnonzero((key[1:] == key[:-1]).all(1))
    a, b = owner[order[meet]], owner[order[meet + 1]]
    smooth = np.einsum("ek,ek->e", flat[a], flat[b]) > np.cos(np.radians(SPLIT_DEG))
    a, b, key = a[smooth], b[smooth], key[meet[smooth]]
    links = [(_corner(faces, a, key[:, k]), _corner(faces, b, key[:, k])) for k in range(2)]
    rows, columns = (np.concatenate([link[k] for link in links]) for k in range(2))
    graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(3 * len(faces),) * 2)
    return connected_components(graph, directed=False)[1].reshape(-1, 3)


def _corner(
    faces: Int[ndarray, "faces 3"], face: Int[ndarray, "links"], vertex: Int[ndarray, "links"]
) -> Int[ndarray, "links"]:
    """Number of the corner that a face has at a vertex."""
    at: Bool[ndarray, "links 3"] = faces[face] == vertex[:, None]
    return 3 * face + at.argmax(1)
