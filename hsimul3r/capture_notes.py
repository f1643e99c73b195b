"""What `capture.yaml` says of a folder of photos: read, and clicks of the user added."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from hsimul3r.errors import BadCapture
from hsimul3r.files import write_whole

NOTES: Final = "capture.yaml"
KEYS: Final = ("focal_px", "objects", "stature_m")
Click = tuple[int, int, bool]
"""x, y in pixels of the photo, and whether the object is there."""


def read_notes(scene: Path) -> dict[str, Any]:
    """The entries, {} where there is no file. Raises `BadCapture`."""
    path = scene / NOTES
    if not path.is_file():
        return {}
    try:
        notes = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadCapture(path, f"it is not valid YAML ({error})", "Correct it; docs/capture.md shows the format.") from error
    if not isinstance(notes, dict) or not set(notes) <= set(KEYS):
        unknown = sorted(set(notes) - set(KEYS)) if isinstance(notes, dict) else notes
        raise BadCapture(path, f"unknown entries {unknown}", f"Known entries: {', '.join(KEYS)}.")
    return notes


def save_clicks(scene: Path, name: str, category: str, clicks: Mapping[str, Sequence[Click]]) -> None:
    """Set an object's clicks in the named photos; every other entry stays, and a file with comments is kept as `*.old`.

    Raises `BadCapture` where the file cannot be read.
    """
    path, notes = scene / NOTES, read_notes(scene)
    objects = notes.setdefault("objects", [])
    if not isinstance(objects, list) or not all(isinstance(entry, dict) for entry in objects):
        raise BadCapture(scene, "'objects' is not a list of entries", "docs/capture.md shows the format.")
    entry: dict[str, Any] | None = next((one for one in objects if str(one.get("name")) == name), None)
    if entry is None:
        entry = {"name": name, "category": category}
        objects.append(entry)
    before = entry.get("clicks") or {}
    if not isinstance(before, dict):
        raise BadCapture(scene, f"clicks of object '{name}' are not given per photo", "docs/capture.md shows the format.")
    entry["clicks"] = before | {photo: [list(one) for one in points] for photo, points in clicks.items()}
    if path.is_file() and "#" in path.read_text():
        write_whole(path.with_suffix(".yaml.old"), path.read_text())
    write_whole(path, yaml.safe_dump(notes, sort_keys=False, allow_unicode=True, default_flow_style=None))
