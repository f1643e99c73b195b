"""A motion that another program estimated from a video, on our body."""

from dataclasses import dataclass, replace
from pathlib import Path

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.clip import SourceBody, bodies_in_world
from hsimul3r.importers.tools import read_clip
from hsimul3r.importers.track import chosen_person, part_of, people_in_words, without_gaps

BODY_TERMS: dict[SourceBody, str] = {
    "smpl": "SMPL: non-commercial scientific research",
    "smplx": "SMPL-X: non-commercial scientific research",
}


@dataclass(frozen=True, kw_only=True)
class EstimateConfig:
    """How an estimated motion is read."""

    tool: str | None = None
    """The program that left it (gvhmr, wham, tram, phalp, videomimic, human3r, sat_hmr); found by the content unless given."""
    person: str | None = None
    """Whose motion; by default of the one who is there longest."""
    video_fps: float = 30.0
    """Rate of the video, which these files do not say."""
    fill_s: float = 0.5
    """A person who is lost for at most so long moves on evenly meanwhile; for longer is an error."""


@dataclass(frozen=True, kw_only=True)
class EstimatedMotion:
    """A person's motion and where it comes from."""

    body: BodySequence
    tool: str
    chosen: str
    """Name of the person."""
    people: str
    """Who there is, in words."""
    people_count: int
    frames_filled: int
    licences: tuple[str, ...]


def read_estimate(
    path: Path, model: SmplxFormatBody, *, fps: float, start_s: float, end_s: float | None, stature_m: float,
    cfg: EstimateConfig,
) -> EstimatedMotion:  # fmt: skip
    """The chosen person from `start_s` to `end_s` after the first frame, at about `fps` frames a second.

    Raises `BadForeignFile`, `UnsafeFile`, `NotFinite`.
    """
    if not cfg.video_fps > 0:
        raise BadForeignFile(path, f"{cfg.video_fps:g} is no rate of a video (--fps)")
    clip = read_clip(path, cfg.tool)
    person = chosen_person(clip, cfg.person, path)
    known = part_of(person, round(start_s * cfg.video_fps), None if end_s is None else round(end_s * cfg.video_fps))
    if len(known.frames) < 2:
        raise BadForeignFile(
            path, f"it holds {len(person.frames)} frames of person '{person.name}', {len(known.frames)} in this part"
        )
    whole = without_gaps(known, round(cfg.fill_s * cfg.video_fps), path)
    stride = max(round(cfg.video_fps / fps), 1)
    kept = replace(whole, pose=whole.pose[::stride], root=whole.root[::stride], frames=whole.frames[::stride])
    alone = replace(clip, people=(kept,))
    return EstimatedMotion(
        body=bodies_in_world(alone, model, stature_m=stature_m, fps=cfg.video_fps / stride, path=path)[0],
        tool=clip.tool,
        chosen=person.name,
        people=people_in_words(clip),
        people_count=len(clip.people),
        frames_filled=len(whole.frames) - len(known.frames),
        licences=(f"motion estimated by {clip.tool}: under that program's terms", BODY_TERMS[clip.body]),
    )
