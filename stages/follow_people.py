"""A person of a video as a motion in the world: the embedded body on the floor, with the furniture that the motion needs."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.markup import escape

from hsimul3r.artifacts import AlignedScene, BodySequence, PersonTrack, SceneGeometry, VideoScene
from hsimul3r.body.model import SmplxFormatBody, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import NoPerson, NotFinite
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers.clip import ImportedClip, ImportedPerson
from hsimul3r.importers.track import chosen_person, people_in_words, without_gaps
from hsimul3r.interaction.contacts_from_motion import RestConfig
from hsimul3r.interaction.motion_scene import motion_scene, on_floor
from hsimul3r.interaction.supports import SupportConfig
from hsimul3r.motions.estimates import BODY_TERMS
from hsimul3r.progress import Progress


@dataclass(frozen=True, kw_only=True)
class FollowPeopleConfig:
    """Who is followed, and what counts as rest."""

    person: str | None = None
    """Number of the person; by default of the one who is there longest."""
    stature_m: float = 1.70
    """Of the person, whose betas only the licensed body can read."""
    fill_s: float = 0.5
    """A person who is lost for at most so long moves on evenly meanwhile; longer losses leave the longest part in between."""
    rest: RestConfig = field(default_factory=RestConfig)
    supports: SupportConfig = field(default_factory=SupportConfig)


def run(
    video: VideoScene, scene: SceneGeometry, *, cfg: FollowPeopleConfig, out: Path, progress: Progress
) -> AlignedScene:  # fmt: skip
    """Raises `NoPerson` where nobody is seen in two frames, `BadForeignFile` for a person who is not there."""
    seen = [track for track in video.people if len(track.frames) > 1]
    if not seen:
        who = "CUT3R sees no people: --video.model.kind human3r does." if video.provenance.adapter == "cut3r" else ""
        raise NoPerson(f"Nobody was seen in two frames of '{video.name}'. {who}".strip())
    clip = ImportedClip(tool=video.provenance.adapter, body="smplx", up="+z", people=tuple(_imported(one) for one in seen))
    where = Path(video.name)
    chosen = chosen_person(clip, cfg.person, where)
    if len(seen) > 1 and cfg.person is None:
        progress.say(escape(f"People: {people_in_words(clip)}; followed: '{chosen.name}' (another by --follow.person)"))
    longest = round(cfg.fill_s * video.fps)
    span = longest_span(chosen, longest)
    whole = without_gaps(span, longest, where)
    model = embedded_body()
    body = on_floor(model, in_world(model, whole, scene, video.fps, cfg), cfg.rest)
    report = {"people_in_video": float(len(seen)), "frames_filled": float(len(whole.frames) - len(span.frames))}
    made = replace(scene.provenance, scale_source="stature", licences=(*scene.provenance.licences, BODY_TERMS["smplx"]))
    body = replace(body, report={**body.report, **report})
    return motion_scene(body, made, rest=cfg.rest, supports=cfg.supports)


def longest_span(person: ImportedPerson, longest: int) -> ImportedPerson:
    """The part with the most frames in which the person is never lost for more than `longest`."""
    parts = np.split(np.arange(len(person.frames)), np.flatnonzero(np.diff(person.frames) - 1 > longest) + 1)
    rows = max(parts, key=len)
    return replace(person, pose=person.pose[rows], root=person.root[rows], frames=person.frames[rows])


def in_world(
    model: SmplxFormatBody, person: ImportedPerson, scene: SceneGeometry, fps: float, cfg: FollowPeopleConfig
) -> BodySequence:
    """The embedded body whose joint is where the network saw it; raises `NotFinite`."""
    if not (np.isfinite(person.pose).all() and np.isfinite(person.root).all()):
        raise NotFinite("The people that the network saw", "Check its weights, and the video.")
    R, t = scene.T_world_rig[:3, :3], scene.T_world_rig[:3, 3]
    pose, betas = person.pose.copy(), model.betas_of_stature(cfg.stature_m)
    pose[:, 0] = axis_angle_from_matrix(R @ matrix_from_axis_angle(pose[:, 0]))
    at_rest = model.joints(betas, pose, np.zeros((len(pose), 3)))[:, SMPLX_JOINTS.index(person.joint)]
    return BodySequence(
        person=0, betas=betas, pose=pose, transl=person.root @ R.T + t - at_rest, fps=fps, stature_m=cfg.stature_m
    )


def _imported(track: PersonTrack) -> ImportedPerson:
    return ImportedPerson(
        name=str(track.person), pose=track.pose, root=track.head, betas=track.betas.mean(0), frames=track.frames, joint="head"
    )
