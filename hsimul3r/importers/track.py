"""One of the people of a clip, in every frame of a part of the video."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers.clip import ImportedClip, ImportedPerson


def people_in_words(clip: ImportedClip) -> str:
    """Who there is: names and frames."""
    return ", ".join(f"'{person.name}' ({len(person.frames)} frames)" for person in clip.people)


def chosen_person(clip: ImportedClip, name: str | None, path: Path) -> ImportedPerson:
    """The person of that name; without one, whoever is there longest. Raises `BadForeignFile`, which says who there is."""
    if not clip.people:
        raise BadForeignFile(path, "it holds no person")
    if name is None:
        return max(clip.people, key=lambda person: len(person.frames))
    found = [person for person in clip.people if person.name == name]
    if not found:
        raise BadForeignFile(path, f"it holds no person '{name}', but {people_in_words(clip)}")
    return found[0]


def part_of(person: ImportedPerson, first: int, last: int | None) -> ImportedPerson:
    """The frames from `first` to `last`, inclusive, counted from the person's first; in the order of the video."""
    frames, order = np.unique(person.frames, return_index=True)
    since = frames - frames[0]
    order = order[(since >= first) & (since <= (since[-1] if last is None else last))]
    return replace(person, pose=person.pose[order], root=person.root[order], frames=person.frames[order])


def without_gaps(person: ImportedPerson, longest: int, path: Path) -> ImportedPerson:
    """Frames in which the person was lost, at most `longest` in a row, filled: turns by the shortest way, places straight.

    Raises `BadForeignFile` where more are missing. `person.frames` rise.
    """
    known, last = person.frames, len(person.frames) - 1
    lost = np.diff(known) - 1
    if lost.max(initial=0) > longest:
        k = int(lost.argmax())
        raise BadForeignFile(
            path,
            f"person '{person.name}' is lost for {lost[k]} frames after frame {known[k]} of the video, and at most {longest} "
            "are filled; take a part by --motion.start-s and --motion.end-s, or give a longer --motion.estimate.fill-s",
        )
    frames = np.arange(known[0], known[-1] + 1)
    before = np.searchsorted(known, frames, side="right") - 1
    after = np.minimum(before + 1, last)
    weight = (frames - known[before]) / np.maximum(known[after] - known[before], 1)
    R = matrix_from_axis_angle(person.pose)
    step = axis_angle_from_matrix(np.swapaxes(R[before], -1, -2) @ R[after])
    filled = axis_angle_from_matrix(R[before] @ matrix_from_axis_angle(weight[:, None, None] * step))
    is_known = weight == 0
    pose = np.where(is_known[:, None, None], person.pose[before], filled)
    root = person.root[before] + weight[:, None] * (person.root[after] - person.root[before])
    return replace(person, pose=pose, root=root, frames=frames)
