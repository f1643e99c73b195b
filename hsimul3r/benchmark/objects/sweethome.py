"""Real furniture meshes of Debian's sweethome3d-furniture: fetched on demand, never shipped; each model with its own licence.

python -m hsimul3r.benchmark.objects.sweethome <folder>     fetches (apt-get download, no root) and writes the table of models
"""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.benchmark.objects.meshes import Soup
from hsimul3r.errors import BadArchive

PACKAGE: Final = "sweethome3d-furniture"
VERSION: Final = "1.8-1"
SHA256: Final = "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668"
FURNITURE_FOLDER: Final = "usr/share/sweethome3d/furniture"
COPYRIGHT: Final = f"usr/share/doc/{PACKAGE}/copyright"
LICENCES: Final[Mapping[str, str]] = {
    "BlendSwap-CC-0": "CC0-1.0", "BlendSwap-CC-BY": "CC-BY-3.0", "KatorLegaz": "CC-BY-3.0-US", "Scopia": "CC-BY-3.0",
}  # fmt: skip
"""Libraries that hold furniture, as Debian's copyright file states them."""
LARGEST_MODEL: Final = 200_000_000
"""Bytes of one unpacked file."""

CATEGORY: Final = (
    (r"corner|deck|beach|wheel|pool|abdominal|tennis|billiard|bedside|dressing|changing|baby|child|opened|football", ""),
    (r"technical|workbench|ottoman|relax|ryokan|lamp|table fan|shipping|sink", ""),
    (r"\bsofa\b|\bcouch\b", "sofa"),
    (r"armchair|teck chair|winchester", "armchair"),
    (r"\bstool\b|\bbar chair\b|\bpuff\b", "stool"),
    (r"\bbench\b", "bench"),
    (r"\bchair\b|class seat", "chair"),
    (r"\bdesk\b", "desk"),
    (r"\btable\b", "table"),
)  # fmt: skip
"""Patterns of a model's name in order; "" leaves it out: nothing that a person of the benchmark uses, or two things in one."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One usable entry of the catalogues. `box_m` is width, depth, height of the object when it stands with its front to -Y."""

    name: str
    title: str
    category: str
    licence: str
    creator: str
    library: Path
    path: str
    box_m: tuple[float, float, float]
    rotation: tuple[float, ...]
    """Row by row, of the y-up model before its box is measured."""


def fetch(folder: Path) -> Path:
    """The package's libraries, unpacked in `folder` (made where it is missing); what is there already is not fetched again.

    Takes the .deb from `folder` or by apt-get, without root, and checks its sha256. Raises `BadArchive`.
    """
    libraries = folder / f"{PACKAGE}_{VERSION}"
    if libraries.is_dir():
        return libraries
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        package = folder / f"{PACKAGE}_{VERSION}_all.deb"
        content = (package if package.exists() else _downloaded(Path(work))).read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise BadArchive(package.name, "is not the file that this program knows (sha256 differs)")
        unpack_deb(content, Path(work) / "unpacked")
        (Path(work) / "unpacked").rename(libraries)
    return libraries


def _downloaded(folder: Path) -> Path:
    done = subprocess.run(
        ["apt-get", "download", f"{PACKAGE}={VERSION}"], cwd=folder, capture_output=True, text=True, check=False
    )
    package = next(folder.glob("*.deb"), None)
    if done.returncode or package is None:
        raise BadArchive(f"{PACKAGE}_{VERSION}", f"cannot be downloaded with apt-get ({done.stderr.strip()[-200:]})")
    return package


def unpack_deb(package: bytes, into: Path) -> None:
    """Write a .deb's .sh3f libraries and copyright file, and nothing else, flat into a new folder. Raises `BadArchive`."""
    members = dict(_ar_members(package))
    data = next((blob for name, blob in members.items() if name.startswith("data.tar")), None)
    if data is None:
        raise BadArchive(PACKAGE, "is not a Debian package: it has no data.tar")
    into.mkdir()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            path = _safe(member.name.removeprefix("./") or ".")
            is_wanted = path.parent == PurePosixPath(FURNITURE_FOLDER) and path.suffix == ".sh3f"
            if not is_wanted and path != PurePosixPath(COPYRIGHT):
                continue
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or member.size > LARGEST_MODEL:
                raise BadArchive(PACKAGE, f"holds '{member.name}', which is not a plain file of sane size")
            (into / path.name).write_bytes(content.read())


def _ar_members(package: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an ar archive, which a .deb is."""
    if not package.startswith(b"!<arch>\n"):
        raise BadArchive(PACKAGE, "is not a Debian package")
    at = 8
    while at + 60 <= len(package):
        header = package[at : at + 60]
        if header[58:60] != b"`\n" or not header[48:58].strip().isdigit():
            raise BadArchive(PACKAGE, "is damaged")
        size = int(header[48:58])
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), package[at + 60 : at + 60 + size]
        at += 60 + size + size % 2


def _safe(name: str) -> PurePosixPath:
    """A path inside an archive that stays inside it; raises `BadArchive` for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise BadArchive(PACKAGE, f"holds the path '{name}', which leads out of it")
    return path


def models(libraries: Path) -> tuple[Model, ...]:
    """Every chair, table, desk, sofa, stool and bench of the unpacked libraries, in a fixed order."""
    return tuple(model for library in sorted(LICENCES) for model in _models_of(libraries / f"{library}.sh3f"))


def _models_of(library: Path) -> Iterator[Model]:
    with zipfile.ZipFile(library) as archive:
        entries = _entries(_read(archive, "PluginFurnitureCatalog.properties").decode("latin-1"))
    for number, entry in sorted(entries.items()):
        category = next((kind for pattern, kind in CATEGORY if re.search(pattern, entry["name"].lower())), "")
        if not category or not entry["model"].endswith(".obj"):
            continue
        width, depth, height = (float(entry[side]) / 100 for side in ("width", "depth", "height"))
        yield Model(
            name=f"{library.stem.lower().replace('-', '_')}_{number}_{category}",
            title=entry["name"],
            category=category,
            licence=LICENCES[library.stem],
            creator=entry.get("creator", ""),
            library=library,
            path=str(_safe(entry["model"].lstrip("/"))),
            box_m=(width, depth, height),
            rotation=tuple(map(float, entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split())),
        )


def _entries(properties: str) -> dict[int, dict[str, str]]:
    """`key#number=value` lines of a Java properties file by number."""
    entries: dict[int, dict[str, str]] = {}
    for line in properties.splitlines():
        found = re.match(r"(\w+)#(\d+)\s*=\s*(.*?)\s*$", line)
        if found:
            entries.setdefault(int(found[2]), {})[found[1]] = found[3]
    return entries


def read_soup(model: Model) -> Soup:
    """The model's triangles, y up, with the size that its catalogue gives. Raises `BadArchive`."""
    with zipfile.ZipFile(model.library) as archive:
        vertices, faces = parse_obj(_read(archive, model.path).decode("latin-1"))
    rotation = np.array(model.rotation).reshape(3, 3)
    return Soup(vertices=vertices @ rotation.T, faces=faces, unit_m=0.01, up="y", box_m=model.box_m)


def _read(archive: zipfile.ZipFile, path: str) -> bytes:
    try:
        info = archive.getinfo(path)
    except KeyError as error:
        raise BadArchive(str(archive.filename), f"has no '{path}'") from error
    if info.file_size > LARGEST_MODEL:
        raise BadArchive(str(archive.filename), f"holds '{path}' of {info.file_size} bytes, more than any model needs")
    return archive.read(info)


def parse_obj(text: str) -> tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]]:
    """Vertices and triangles of a Wavefront OBJ file; polygons become fans, all else is left out."""
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words and words[0] == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif words and words[0] == "f":
            index = [int(word.split("/")[0]) for word in words[1:]]
            index = [i - 1 if i > 0 else len(vertices) + i for i in index]
            faces += [(index[0], b, c) for b, c in pairwise(index[1:])]
    return np.array(vertices).reshape(-1, 3), np.array(faces, np.int64).reshape(-1, 3)


def licence_table(usable: Sequence[Model]) -> str:
    """The models as a Markdown table with licence and creator, for the data card."""
    rows = [f"| {m.name} | {m.title} | {m.category} | {m.licence} | {m.creator or '-'} |" for m in usable]
    return "\n".join(["| name | model | category | licence | creator |", "|---|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(licence_table(models(fetch(Path(sys.argv[1])))))
