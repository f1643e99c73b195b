"""A video through a recurrent network, a frame at a time: cameras, dense views of some frames, people with identities.

What the network carries from frame to frame has a fixed size. It can be stopped at any time: every so many frames that state
and all that was seen are kept beside the stage's folder in `<stage>.seen`, and the next run goes on from there.
"""

import hashlib
import json
import shutil
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from safetensors.torch import load_file, save_file

from hsimul3r.artifacts import Cameras, DenseView, PersonTrack, Provenance, VideoScene
from hsimul3r.errors import BadCapture
from hsimul3r.files import fresh_folder, mend_folders
from hsimul3r.progress import Progress
from hsimul3r.video import frame_stride, read_frames
from stages.adapters.choices import VideoChoice, VideoStream, open_video_model
from stages.adapters.cut3r import Sight

PERSON = ("person", "pose", "betas", "head_first", "score")
"""What is remembered of a person in a frame."""


@dataclass(frozen=True, kw_only=True)
class WatchVideoConfig:
    """Which network looks, at which frames, and what is kept of them."""

    model: VideoChoice = field(default_factory=VideoChoice)
    fps: float = 30.0
    """Frames are left out down to about this rate."""
    most_frames: int = 1800
    """Longer videos are refused: what is kept of a frame is little, but the time on a CPU is not."""
    dense_every: int = 10
    """Of every so many frames the points are kept."""
    dense_stride: int = 2
    """Of the points of these frames every so many, each way."""
    min_confidence: float = 3.0
    """Points of less confidence are no part of the scene."""
    keep_every: int = 25
    """After so many frames what was seen is kept on disk."""


@dataclass(kw_only=True)
class Seen:
    """What was seen so far, as growing lists of arrays of one kind each."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    @property
    def frames(self) -> int:
        """How many frames were looked at."""
        return len(self.columns["number"])

    def add(self, **values: Any) -> None:
        """One more of each."""
        for name, value in values.items():
            self.columns[name].append(value)

    def save(self, folder: Path) -> None:
        """Write all lists, each as one array."""
        np.savez(folder / "seen.npz", allow_pickle=False, **{name: np.array(rows) for name, rows in self.columns.items()})

    @classmethod
    def load(cls, folder: Path) -> "Seen":
        """Read what `save` wrote."""
        with np.load(folder / "seen.npz", allow_pickle=False) as file:
            return cls(columns=defaultdict(list, {name: list(file[name]) for name in file.files}))


def run(video: Path, *, cfg: WatchVideoConfig, out: Path, progress: Progress) -> VideoScene:
    """`video` is a folder that holds one video. Raises `BadCapture`, `WeightsNotGiven`, `BadWeights` and its kin."""
    path = next(file for file in sorted(video.iterdir()) if file.is_file())
    model = open_video_model(cfg.model)
    if model is None:
        fix = "Choose one with your weights: --video.model.kind human3r (or cut3r) --video.model.weights PATH."
        raise BadCapture(path.name, "a video needs a model that sees cameras and people in it", fix)
    stream, licences = model
    stride, fps, count = frame_stride(path, cfg.fps)
    if count > cfg.most_frames:
        fix = f"Cut it, look at fewer a second (--video.fps {cfg.fps * cfg.most_frames / count:.3g}), or allow more."
        raise BadCapture(path.name, f"it has {count} frames to look at, and {cfg.most_frames} are allowed", fix)
    kept = kept_folder(out, path, cfg)
    seen = watch(path, stream, kept, stride, count, cfg, progress)
    if not seen.frames:
        raise BadCapture(path.name, "no frame of it can be decoded", "Give a file that a video player plays.")
    scene = VideoScene(
        provenance=Provenance(adapter=cfg.model.kind, scale_source="unknown", frame="first camera", licences=licences),
        name=path.stem, fps=fps, numbers=np.array(seen.columns["number"]), cameras=cameras_of(seen),
        dense=dense_of(seen), people=tracks_of(seen), report=_report(seen),
    )  # fmt: skip
    shutil.rmtree(kept.parent, ignore_errors=True)
    return scene


def kept_folder(out: Path, path: Path, cfg: WatchVideoConfig) -> Path:
    """Where an unfinished look at this video by these settings is kept."""
    told = {**asdict(cfg), "keep_every": 0, "most_frames": 0, "bytes": path.stat().st_size}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    folder = out.with_name(f"{out.name.removesuffix('.tmp')}.seen") / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    mend_folders(folder.parent)
    return folder


def watch(
    path: Path, stream: VideoStream, kept: Path, stride: int, count: int, cfg: WatchVideoConfig, progress: Progress
) -> Seen:
    """Every frame in its order, from where an earlier run stopped."""
    seen, first = Seen(), 0
    if kept.is_dir():
        seen = Seen.load(kept)
        stream.restore(load_file(kept / "state.safetensors"))
        first = int(seen.columns["number"][-1]) + 1
    with progress.bar("watching the video", max(count, 1)) as advance:
        advance(seen.frames)
        for number, photo in read_frames(path, stride=stride, first=first):
            remember(seen, number, photo.shape[1::-1], stream.watch(photo), cfg)
            advance(1)
            if seen.frames % cfg.keep_every == 0:
                with fresh_folder(kept) as folder:
                    seen.save(folder)
                    save_file({name: x.clone().contiguous() for name, x in stream.kept().items()}, folder / "state.safetensors")
    return seen


def remember(seen: Seen, number: int, size_px: tuple[int, ...], sight: Sight, cfg: WatchVideoConfig) -> None:
    """What is kept of a frame."""
    frame, picture = sight.frame, sight.frame.prepared
    row = seen.frames
    seen.add(
        number=number, size_px=size_px, T_first_cam=frame.T_first_cam, focal_px=frame.focal_px * picture.scale.mean(),
        principal_px=np.array(picture.size_px) / 2 * picture.scale + picture.offset_px,
    )  # fmt: skip
    for one in sight.people:
        seen.add(frame=row, **{name: getattr(one, name) for name in PERSON})
    if row % cfg.dense_every == 0:
        step = cfg.dense_stride
        part = slice(step // 2, None, step)
        confidence = frame.confidence[part, part].astype(np.float32)
        seen.add(
            dense_frame=row, points=frame.points[part, part].astype(np.float32), confidence=confidence,
            is_static=(confidence > cfg.min_confidence) & ~sight.is_person[part, part],
            scale=picture.scale * step, offset_px=picture.scale * (step // 2) + picture.offset_px,
        )  # fmt: skip


def cameras_of(seen: Seen) -> Cameras:
    """A camera for every frame, world the first camera's frame."""
    columns = {name: np.array(seen.columns[name]) for name in ("size_px", "focal_px", "principal_px", "T_first_cam")}
    T: Float[ndarray, "frames 4 4"] = np.linalg.inv(columns["T_first_cam"])
    return Cameras(
        size_px=columns["size_px"], focal_px=columns["focal_px"], principal_px=columns["principal_px"],
        k1=np.zeros(len(T)), T_cam_world=T, is_registered=np.ones(len(T), bool),
    )  # fmt: skip


def dense_of(seen: Seen) -> tuple[DenseView, ...]:
    """The kept frames' points."""
    names = ("points", "confidence", "is_static", "scale", "offset_px")
    rows = zip(seen.columns["dense_frame"], *(seen.columns[name] for name in names))
    return tuple(DenseView(view=int(row), **dict(zip(names, values))) for row, *values in rows)


def tracks_of(seen: Seen) -> tuple[PersonTrack, ...]:
    """Everybody's frames, who was there longest first; of two sights of one person in a frame the surer."""
    best: dict[int, dict[int, int]] = defaultdict(dict)
    for k, (frame, person) in enumerate(zip(seen.columns["frame"], seen.columns["person"])):
        other = best[int(person)].get(int(frame))
        if other is None or seen.columns["score"][k] > seen.columns["score"][other]:
            best[int(person)][int(frame)] = k
    order = sorted(best, key=lambda person: (-len(best[person]), person))
    return tuple(_track(seen, person, best[person]) for person in order)


def _track(seen: Seen, person: int, rows: dict[int, int]) -> PersonTrack:
    frames = sorted(rows)
    column = {name: np.array([seen.columns[name][rows[frame]] for frame in frames]) for name in PERSON[1:]}
    return PersonTrack(
        person=person, frames=np.array(frames), pose=column["pose"], head=column["head_first"], betas=column["betas"],
        score=column["score"],
    )  # fmt: skip


def _report(seen: Seen) -> dict[str, float]:
    people = {int(person) for person in seen.columns["person"]}
    return {"frames": float(seen.frames), "people": float(len(people)), "dense_views": float(len(seen.columns["points"]))}
