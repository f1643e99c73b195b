"""Photographs in and out: EXIF rotation respected, one clear error for a file that is no picture."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from hsimul3r.artifacts import Capture
from hsimul3r.errors import BadCapture, DamagedArtifact

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
Image.MAX_IMAGE_PIXELS = 200_000_000


def read_photo(path: Path) -> tuple[UInt8[ndarray, "height width 3"], float | None]:
    """A photo as upright RGB and its EXIF focal length as a share of the long side (None where EXIF has none).

    Raises `BadCapture` for a file that cannot be decoded whole.
    """
    try:
        with Image.open(path) as image:
            focal_35mm = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
            upright = ImageOps.exif_transpose(image).convert("RGB")
            pixels = np.asarray(upright)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise BadCapture(path, f"the image cannot be read ({error})", "Replace or remove that file.") from error
    return pixels, float(focal_35mm) / 36.0 if focal_35mm else None


def load_images(folder: Path, capture: Capture) -> tuple[UInt8[ndarray, "height width 3"], ...]:
    """The working images of a capture, RGB."""
    try:
        return tuple(read_photo(folder / name)[0] for name in capture.images)
    except BadCapture as error:
        raise DamagedArtifact(folder, str(error)) from error
