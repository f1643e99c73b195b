"""COLMAP's incremental mapping (pycolmap): matches in, cameras out. Seeded and single-threaded, so that runs repeat exactly.

And the cameras of a model that COLMAP or another program wrote in its format.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.tracks import Correspondences, PairMatches
from hsimul3r.importers.cameras import KnownCamera
from hsimul3r.require import require

LICENCES = ("pycolmap: BSD-3-Clause",)


@dataclass(frozen=True, kw_only=True)
class MappingConfig:
    """Thresholds of COLMAP, relaxed for few views far apart."""

    max_error_px: float = 4.0
    min_inliers: int = 12
    init_min_inliers: int = 24
    init_min_angle_deg: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Lens:
    """What is known of a view's intrinsics before mapping; views of one `group` share them."""

    group: int
    focal_px: float
    is_trusted: bool
    """EXIF or the user says so; otherwise `focal_px` is a guess that COLMAP replaces by its own."""


def verify_matches(
    matches: Correspondences, sizes_px: Int[ndarray, "views 2"], *, cfg: MappingConfig, seed: int
) -> Correspondences:
    """Keep the matches of each pair that one fundamental matrix or homography explains; drop pairs with too few."""
    pycolmap = _pycolmap()
    options = _two_view_options(pycolmap, cfg, seed)
    create = pycolmap.Camera.create_from_model_name
    cameras = [create(1, "SIMPLE_PINHOLE", float(max(size)), int(size[0]), int(size[1])) for size in sizes_px]
    kept = []
    for pair in matches.pairs:
        if len(pair.index) < cfg.min_inliers:
            continue
        points = [matches.keypoints_px[v] + 0.5 for v in (pair.view_a, pair.view_b)]
        geometry = pycolmap.estimate_two_view_geometry(
            cameras[pair.view_a], points[0], cameras[pair.view_b], points[1], pair.index.astype(np.uint32), options
        )
        index = np.asarray(geometry.inlier_matches, dtype=int).reshape(-1, 2)
        if len(index) >= cfg.min_inliers:
            kept.append(PairMatches(view_a=pair.view_a, view_b=pair.view_b, index=index))
    return Correspondences(keypoints_px=matches.keypoints_px, pairs=tuple(kept))


def map_views(
    matches: Correspondences, sizes_px: Int[ndarray, "views 2"], lenses: Sequence[Lens], *, cfg: MappingConfig, seed: int
) -> Cameras | None:
    """Cameras of the views that COLMAP could register, in a frame and scale of its own; None where it found no pair."""
    pycolmap = _pycolmap()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_database(pycolmap, folder, matches, sizes_px, lenses)
        pycolmap.verify_matches(folder / "db.db", folder / "pairs.txt", options=_two_view_options(pycolmap, cfg, seed))
        options = _mapper_options(pycolmap, cfg, seed)
        models = pycolmap.incremental_mapping(folder / "db.db", folder, folder / "out", options=options)
    if not models:
        return None
    best = max(models.values(), key=lambda model: (model.num_reg_images(), model.num_points3D()))
    return _cameras(best, sizes_px, lenses)


LENSES = {"SIMPLE_PINHOLE": (0, 0, 1, 2, None), "PINHOLE": (0, 1, 2, 3, None), "SIMPLE_RADIAL": (0, 0, 1, 2, 3)}
"""By COLMAP's model: places of fx, fy, cx, cy and k1 among its parameters."""


def read_model(folder: Path) -> tuple[KnownCamera, ...]:
    """The posed images of a sparse model, text or binary (cameras, images, points3D). Raises `BadForeignFile`."""
    pycolmap = _pycolmap()
    for name in ("cameras", "images", "points3D"):
        if not any((folder / f"{name}.{kind}").is_file() for kind in ("bin", "txt")):
            raise BadForeignFile(folder, f"it is no COLMAP model: it holds no {name}.bin or {name}.txt")
    try:
        model = pycolmap.Reconstruction(str(folder))
    except (RuntimeError, ValueError, IndexError) as error:
        raise BadForeignFile(folder, f"COLMAP cannot read it ({error})") from error
    return tuple(_known(image, folder) for image in model.images.values() if image.has_pose)


def _known(image: Any, folder: Path) -> KnownCamera:
    camera = image.camera
    if camera.model.name not in LENSES:
        raise BadForeignFile(
            folder, f"'{image.name}' has the lens model {camera.model.name}, not {', '.join(LENSES)}: run COLMAP's "
            "image_undistorter and use the photos and the model that it writes",
        )  # fmt: skip
    fx, fy, cx, cy, k = LENSES[camera.model.name]
    T = np.eye(4)
    T[:3] = image.cam_from_world().matrix()
    return KnownCamera(
        name=image.name, size_px=(camera.width, camera.height), focal_px=(camera.params[fx], camera.params[fy]),
        principal_px=(camera.params[cx] - 0.5, camera.params[cy] - 0.5), k1=0.0 if k is None else float(camera.params[k]),
        T_cam_world=T, is_cropped=False,
    )  # fmt: skip


def _pycolmap() -> Any:
    pycolmap = require("pycolmap", "features")
    pycolmap.logging.minloglevel = 3
    return pycolmap


def _two_view_options(pycolmap: Any, cfg: MappingConfig, seed: int) -> Any:
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = cfg.min_inliers
    options.ransac.max_error = cfg.max_error_px
    options.ransac.random_seed = seed
    return options


def _mapper_options(pycolmap: Any, cfg: MappingConfig, seed: int) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.min_num_matches = cfg.min_inliers
    options.min_model_size = 2
    options.multiple_models = False
    options.extract_colors = False
    options.num_threads = options.mapper.num_threads = 1
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = seed
    options.triangulation.ignore_two_view_tracks = False
    options.mapper.init_min_num_inliers = cfg.init_min_inliers
    options.mapper.init_min_tri_angle = cfg.init_min_angle_deg
    options.mapper.abs_pose_min_num_inliers = cfg.min_inliers
    options.mapper.abs_pose_min_inlier_ratio = 0.1
    return options


def _write_database(
    pycolmap: Any, folder: Path, matches: Correspondences, sizes_px: Int[ndarray, "views 2"], lenses: Sequence[Lens]
) -> None:
    with pycolmap.Database.open(folder / "db.db") as database:
        written: set[int] = set()
        for v, ((width, height), lens) in enumerate(zip(sizes_px, lenses)):
            if lens.group not in written:
                _write_camera(pycolmap, database, lens, int(width), int(height))
                written.add(lens.group)
            image = pycolmap.Image(name=_name(v), camera_id=lens.group + 1, image_id=v + 1)
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame()
            frame.frame_id, frame.rig_id = v + 1, lens.group + 1
            frame.add_data_id(image.data_id)
            database.write_frame(frame, use_frame_id=True)
            database.write_keypoints(v + 1, (matches.keypoints_px[v] + 0.5).astype(np.float32))
        for pair in matches.pairs:
            database.write_matches(pair.view_a + 1, pair.view_b + 1, pair.index.astype(np.uint32))
    lines = (f"{_name(pair.view_a)} {_name(pair.view_b)}\n" for pair in matches.pairs)
    (folder / "pairs.txt").write_text("".join(lines))


def _write_camera(pycolmap: Any, database: Any, lens: Lens, width: int, height: int) -> None:
    camera = pycolmap.Camera.create_from_model_name(lens.group + 1, "SIMPLE_RADIAL", lens.focal_px, width, height)
    camera.has_prior_focal_length = lens.is_trusted
    database.write_camera(camera, use_camera_id=True)
    rig = pycolmap.Rig()
    rig.rig_id = lens.group + 1
    rig.add_ref_sensor(camera.sensor_id)
    database.write_rig(rig, use_rig_id=True)


def _name(view: int) -> str:
    return f"{view:03d}.png"


def _cameras(model: Any, sizes_px: Int[ndarray, "views 2"], lenses: Sequence[Lens]) -> Cameras:
    views = len(lenses)
    T: Float[ndarray, "views 4 4"] = np.tile(np.eye(4), (views, 1, 1))
    focal, k1, registered = np.array([lens.focal_px for lens in lenses]), np.zeros(views), np.zeros(views, bool)
    for v, lens in enumerate(lenses):
        params = model.cameras[lens.group + 1].params if lens.group + 1 in model.cameras else (lens.focal_px, 0, 0, 0.0)
        focal[v], k1[v] = params[0], params[3]
    for image in model.images.values():
        if image.has_pose:
            v = image.image_id - 1
            T[v, :3] = image.cam_from_world().matrix()
            registered[v] = True
    return Cameras(
        size_px=np.asarray(sizes_px), focal_px=focal, principal_px=(np.asarray(sizes_px) - 1) / 2, k1=k1,
        T_cam_world=T, is_registered=registered,
    )  # fmt: skip
