import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
from run_fixture import verdict, write_run

from hsimul3r.artifacts import AlignedScene, Capture, Rollout
from hsimul3r.errors import NoRun
from hsimul3r.report import write_report
from hsimul3r.report.page import decisive_criteria
from hsimul3r.report.pictures import MAX_VIDEO_BYTES
from hsimul3r.report.plots import force_plot
from hsimul3r.run_record import FOLDERS, read_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "sit_chair")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "sit_chair"))


class Page(HTMLParser):
    """Tags left open, everything that is loaded, and the text."""

    void = ("meta", "img", "input", "br")

    def __init__(self, text: str):
        super().__init__()
        self.open_tags: list[str] = []
        self.loaded: list[str] = []
        self.scripts = 0
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "poster")]
        self.scripts += tag == "script"
        if tag not in self.void:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(run: Path) -> Page:
    path = write_report(run)
    assert path == run / "report.html"
    return Page(path.read_text())


def tiny_film(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in (30, 120, 220):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")))
        container.mux(stream.encode())


def test_finished_run_shows_verdict_figures_and_pictures(run: Path) -> None:
    tiny_film(run / "simulation.mp4")
    page = page_of(run)
    assert page.open_tags == []
    headlines = ("Stable under sampling control", "rests on the chair with 500 N", "not stable, type 3")
    assert all(words in page.text for words in (*headlines, "SP-3D", "Contact force", "the person's stature"))
    assert "This run is not finished" not in page.text
    assert sum(value.startswith("data:video/mp4") for value in page.loaded) == 1
    assert sum(value.startswith("data:image/jpeg") for value in page.loaded) == 4 * 2 + 1 + 3 + 1


def test_page_loads_nothing_and_runs_nothing(run: Path) -> None:
    page = page_of(run)
    assert page.loaded and all(value.startswith("data:") for value in page.loaded)
    assert page.scripts == 0 and not re.search(r"url\(|@import|https?://", (run / "report.html").read_text())


def test_strings_of_the_user_are_escaped(run: Path) -> None:
    attack = "<script>alert(1)</script>\"'&"
    capture = Capture.load(run / "00_capture")
    replace(capture, sources=(attack, *capture.sources[1:]), name=attack).save(run / "00_capture")
    replace(verdict("static", is_stable=True), reason=attack).save(run / "85_verdict_static")
    page = page_of(run)
    assert page.scripts == 0 and attack in page.text


def test_damaged_film_and_pictures_are_left_out(run: Path) -> None:
    (run / "simulation.mp4").write_bytes(b"no film")
    (run / "40_humans" / "overlay_view0.png").write_bytes(b"no picture")
    page = page_of(run)
    assert page.open_tags == [] and sum(value.startswith("data:") for value in page.loaded) == 4 * 2


def test_large_video_is_named_not_embedded(run: Path) -> None:
    tiny_film(run / "simulation.mp4")
    with (run / "simulation.mp4").open("ab") as file:
        file.write(b"\0" * MAX_VIDEO_BYTES)
    page = page_of(run)
    assert not any(value.startswith("data:video") for value in page.loaded) and "too large to embed" in page.text


@pytest.mark.parametrize("last", list(FOLDERS))
def test_run_stopped_after_any_stage_says_what_is_missing(run: Path, last: str) -> None:
    for folder in sorted(run.glob("[0-9]*")):
        if folder.name > last:
            shutil.rmtree(folder)
    page = page_of(run)
    assert page.open_tags == [] and "No verdict yet" in page.text
    following = [name for name in FOLDERS if name > last]
    assert all(name in page.text for name in following)
    command = "make simulate SCENE=sit_chair" if last >= "60_aligned" else "make reconstruct SCENE=fixture"
    assert f"To continue: {command}" in page.text


def test_run_stopped_between_controllers_is_not_finished(run: Path) -> None:
    shutil.rmtree(run / "80_rollout_static")
    shutil.rmtree(run / "85_verdict_static")
    page = page_of(run)
    assert "Not stable under PD control" in page.text and "80_rollout_static, 85_verdict_static" in page.text
    assert "To continue: make simulate SCENE=sit_chair" in page.text


def test_damaged_artifact_is_named(run: Path) -> None:
    (run / "50_objects" / "arrays.npz").write_bytes(b"broken")
    page = page_of(run)
    assert "50_objects cannot be used: it is damaged" in page.text


def test_verdict_of_an_earlier_reconstruction_is_not_shown(run: Path) -> None:
    tiny_film(run / "simulation.mp4")
    aligned = AlignedScene.load(run / "60_aligned")
    moved = replace(aligned.bodies[0], transl=aligned.bodies[0].transl + 0.1)
    replace(aligned, bodies=(moved,)).save(run / "60_aligned")
    page = page_of(run)
    assert "No verdict yet" in page.text and "earlier reconstruction" in page.text
    assert not any(value.startswith("data:video") for value in page.loaded)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"stages": {"a": {}}}), json.dumps({"stages": []})])
def test_unusable_manifest_leaves_out_the_times(run: Path, text: str) -> None:
    (run / "manifest.json").write_text(text)
    assert "Time and memory" not in page_of(run).text


def test_missing_pictures_of_the_capture_are_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(NoRun):
        write_report(tmp_path)


def test_best_simulation_is_the_stable_one(run: Path) -> None:
    record = read_run(run)
    assert [s.controller for s in record.simulations] == ["pd", "static"]
    assert record.best is not None and record.best.controller == "static"
    verdict("pd", is_stable=True).save(run / "85_verdict_pd")
    verdict("static", is_stable=False).save(run / "85_verdict_static")
    best = read_run(run).best
    assert best is not None and best.controller == "pd"


def test_force_plot_places_the_force_on_its_scale(run: Path) -> None:
    rollout = Rollout.load(run / "80_rollout_static")
    plot = force_plot(rollout, ["#123456"] * 6, weight_n=700.0)
    assert plot is not None and plot.curves[0].name == "person0/buttocks/chair"
    height = {tick.label: tick.at for tick in plot.y_ticks}
    drawn = {float(pair.split(",")[1]) for pair in plot.curves[0].points.split()}
    assert len(drawn) == 1 and drawn.pop() == pytest.approx((height["400"] + height["600"]) / 2, abs=0.1)
    assert plot.weight is not None and height["600"] > plot.weight.at > height["800"]
    quiet = replace(rollout, contact_force_n=np.zeros_like(rollout.contact_force_n))
    assert force_plot(quiet, ["#123456"]) is None


def test_decisive_criteria_are_the_failed_and_the_closest() -> None:
    held = verdict("static", is_stable=True)
    extra = replace(held.criteria[0], name="object_drift_m", margin=0.2)
    assert decisive_criteria(replace(held, criteria=(*held.criteria, extra))) == (extra, *held.criteria[1:])
    failed = verdict("pd", is_stable=False)
    assert decisive_criteria(failed)[0] == failed.criteria[2]
