"""Tables of arrays from files of other programs, and what every reader of robot motions asks of them."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadRobotMotion


def npz_table(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz, without pickled ones. Raises `BadRobotMotion`."""
    try:
        with np.load(path, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files if npz[name].dtype != object}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BadRobotMotion(path, f"it cannot be read ({error})") from error


def array_of(path: Path, table: Mapping[str, Any], name: str, shape: Sequence[int | None]) -> Float[ndarray, "..."]:
    """An array of a table as float64; None stands for any length. Raises `BadRobotMotion`."""
    if name not in table:
        raise BadRobotMotion(path, f"it has no '{name}', but {', '.join(sorted(table))}")
    try:
        found = np.asarray(table[name], float)
    except (TypeError, ValueError) as error:
        raise BadRobotMotion(path, f"its '{name}' is not made of numbers") from error
    fits = found.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, found.shape))
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise BadRobotMotion(path, f"its '{name}' has the shape {found.shape}, not ({wanted})")
    if not np.isfinite(found).all():
        raise BadRobotMotion(path, f"its '{name}' holds NaN or infinite values")
    return found


def rate_of(path: Path, table: Mapping[str, Any], otherwise: float | None = None) -> float:
    """Frames a second; `otherwise` where the file does not say. Raises `BadRobotMotion`."""
    if "fps" not in table and otherwise is not None:
        return otherwise
    fps = np.ravel(table.get("fps", ()))
    if fps.shape != (1,) or fps.dtype.kind not in "iuf" or not fps[0] > 0:
        raise BadRobotMotion(path, "it does not say how many frames it has in a second ('fps')")
    return float(fps[0])


def unit_quaternions(path: Path, quat: Float[ndarray, "frames 4"]) -> Float[ndarray, "frames 4"]:
    """Normalised. Raises `BadRobotMotion` for what is no turn."""
    length = np.linalg.norm(quat, axis=-1, keepdims=True)
    if not (np.isfinite(length).all() and np.abs(length - 1).max(initial=0) < 1e-2):
        raise BadRobotMotion(path, "its root's quaternions are not of length one")
    return quat / length
