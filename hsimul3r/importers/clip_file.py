"""An imported clip in one file of a run, where its program left a folder of many: arrays, and their names as JSON."""

import json
import zipfile
from pathlib import Path
from typing import Final

import numpy as np

from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.clip import ImportedClip, ImportedPerson

SUFFIX: Final = ".clip"
ARRAYS: Final = ("pose", "root", "betas", "frames")


def save_clip(clip: ImportedClip, path: Path) -> None:
    """The people of a clip, without its cameras."""
    note = {"tool": clip.tool, "body": clip.body, "up": clip.up, "people": [[one.name, one.joint] for one in clip.people]}
    arrays = {f"{i}.{name}": getattr(one, name) for i, one in enumerate(clip.people) for name in ARRAYS}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, note=np.array(json.dumps(note)), **arrays)


def load_clip(path: Path) -> ImportedClip:
    """What `save_clip` wrote. Raises `BadForeignFile`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            note = json.loads(str(file["note"]))
            people = tuple(
                ImportedPerson(name=name, joint=joint, **{array: file[f"{i}.{array}"] for array in ARRAYS})
                for i, (name, joint) in enumerate(note["people"])
            )
        return ImportedClip(tool=note["tool"], body=note["body"], up=note["up"], people=people)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise BadForeignFile(path, f"it is no clip of this program ({type(error).__name__})") from error
