"""Archives of others: what is taken out of them, and what is refused."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from hsimul3r.benchmark.objects.meshes import gated_mesh
from hsimul3r.benchmark.objects.sweethome import FURNITURE_FOLDER, fetch, models, parse_obj, read_soup, unpack_deb
from hsimul3r.errors import BadArchive

CUBE = "\n".join(
    [*(f"v {x} {y} {z}" for x in (0, 2) for y in (0, 2) for z in (0, 2)),
     "f 1 2 4 3", "f 5/1 7/1 8/1 6/1", "f 1 5 6 2", "f 3 4 8 7", "f 1//1 3//1 7//1 5//1", "f -7 -3 -1 -5"]
)  # fmt: skip
CATALOGUE = """
id#1=Test#chair
name#1=Big chair
model#1=/test/chair.obj
width#1=40
depth#1=50
height#1=90
creator#1=Somebody
name#2=Pool table
model#2=/test/pool.obj
name#3=Desk lamp
model#3=/test/lamp.obj
"""


def deb(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    blob = io.BytesIO()
    with tarfile.open(fileobj=blob, mode="w:xz") as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = 0 if isinstance(content, tarfile.TarInfo) else len(content)
            tar.addfile(info, None if isinstance(content, tarfile.TarInfo) else io.BytesIO(content))
    data = blob.getvalue()
    header = f"{'data.tar.xz/':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return b"!<arch>\n" + header + data


def library(entries: dict[str, str]) -> bytes:
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return blob.getvalue()


@pytest.fixture
def libraries(tmp_path):
    """All four libraries; only the first holds furniture."""
    empty = library({"PluginFurnitureCatalog.properties": ""})
    chairs = library({"PluginFurnitureCatalog.properties": CATALOGUE, "test/chair.obj": CUBE})
    names = {"BlendSwap-CC-0": chairs, "BlendSwap-CC-BY": empty, "KatorLegaz": empty, "Scopia": empty}
    unpack_deb(deb({f"./{FURNITURE_FOLDER}/{name}.sh3f": blob for name, blob in names.items()}), tmp_path / "out")
    return tmp_path / "out"


def test_a_model_has_its_catalogues_size_licence_and_creator(libraries):
    (model,) = models(libraries)
    assert (model.title, model.category, model.licence, model.creator) == ("Big chair", "chair", "CC0-1.0", "Somebody")
    vertices, _ = gated_mesh(model.name, read_soup(model), nodes=1e5)
    np.testing.assert_allclose(np.ptp(vertices, axis=0), (0.4, 0.5, 0.9), atol=0.006)


def test_obj_faces_with_textures_negative_numbers_and_quads():
    vertices, faces = parse_obj(CUBE)
    assert vertices.shape == (8, 3)
    assert faces.shape == (12, 3)
    np.testing.assert_array_equal(np.unique(faces[-2:]), [1, 3, 5, 7])


@pytest.mark.parametrize("name", ["../../evil.sh3f", "/etc/passwd", f"{FURNITURE_FOLDER}/../../../../evil.sh3f", "a\\..\\b"])
def test_paths_that_lead_out_are_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(BadArchive, match="leads out"):
        unpack_deb(deb({name: b"x"}), tmp_path / "out")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_in_the_place_of_a_library_is_refused(tmp_path):
    link = tarfile.TarInfo(f"{FURNITURE_FOLDER}/Scopia.sh3f")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(BadArchive, match="not a plain file"):
        unpack_deb(deb({"link": link}), tmp_path / "out")


def test_files_that_nobody_asked_for_are_left_out(tmp_path):
    unpack_deb(deb({"./usr/bin/run.sh": b"x", f"./{FURNITURE_FOLDER}/deep/er.sh3f": b"x"}), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_whose_path_leads_out_is_refused(tmp_path):
    evil = CATALOGUE.replace("/test/chair.obj", "/../../chair.obj")
    (tmp_path / "BlendSwap-CC-0.sh3f").write_bytes(library({"PluginFurnitureCatalog.properties": evil}))
    with pytest.raises(BadArchive, match="leads out"):
        models(tmp_path)


@pytest.mark.parametrize("content", [b"", b"!<arch>\nrubbish" + 60 * b"x", b"PK\x03\x04"])
def test_what_is_no_debian_package_is_refused(tmp_path, content):
    with pytest.raises(BadArchive):
        unpack_deb(content, tmp_path / "out")


def test_a_package_with_another_checksum_is_refused(tmp_path):
    (tmp_path / "sweethome3d-furniture_1.8-1_all.deb").write_bytes(deb({}))
    with pytest.raises(BadArchive, match="sha256"):
        fetch(tmp_path)
    assert not (tmp_path / "sweethome3d-furniture_1.8-1").exists()
