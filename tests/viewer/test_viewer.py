import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_fixture import SEAT_M, verdict, write_run

from hsimul3r.errors import NoRun, PortTaken
from hsimul3r.viewer import serve
from hsimul3r.viewer.panel import RECONSTRUCTED, SIMULATED, RunViewer

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "sit_chair", size_px=(160, 120), frames=7)


@pytest.fixture
def viewer(finished: Path) -> Iterator[RunViewer]:
    opened = serve.open_viewer(finished, port=0, host=HOST)
    yield opened
    opened.server.stop()


def shown(handles: list) -> bool:
    assert handles and len({handle.visible for handle in handles}) == 1
    return handles[0].visible


def test_default_address_is_this_machine_alone(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    seen = {}

    def stop_at_once(opened: RunViewer) -> None:
        listening = opened.server._websock_server
        seen.update(host=listening._host, port=opened.server.get_port())
        with socket.create_connection((HOST, port), timeout=5):
            seen["answers"] = True
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "_play", stop_at_once)
    serve.view(finished, port, on_ready=lambda address: seen.update(address=address))
    assert seen == {"host": HOST, "port": port, "answers": True, "address": f"http://{HOST}:{port}"}


def test_taken_port_is_an_error_not_another_port(finished: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"{HOST}:{port}.*--port"):
            serve.open_viewer(finished, port=port, host=HOST)


def test_everything_of_the_run_is_in_the_scene(viewer: RunViewer) -> None:
    assert len(viewer.cameras) == 4 and all(camera.image is not None for camera in viewer.cameras)
    assert viewer.points[0].points.shape == (150, 3)
    assert len(viewer.people) == len(viewer.objects) == 1 and len(viewer.parts) == 6
    assert len(viewer.contacts) == 4
    assert list(viewer.simulated) == ["PD control", "sampling control"] and viewer.controller.value == "sampling control"
    assert "Stable" in viewer.words.content and "500 N" in viewer.words.content


def test_frustum_stands_where_its_camera_stood(viewer: RunViewer) -> None:
    cameras = viewer.record.aligned.cameras
    for view, frustum in enumerate(viewer.cameras):
        in_camera = cameras.T_cam_world[view] @ [*frustum.position, 1.0]
        assert np.allclose(in_camera, [0, 0, 0, 1], atol=1e-6)
        assert np.tan(frustum.fov / 2) == pytest.approx(0.5 * 120 / cameras.focal_px[view])


def test_switches_show_and_hide(viewer: RunViewer) -> None:
    scene = viewer.simulated["sampling control"]
    assert shown(scene.people) and shown(scene.objects) and not shown(viewer.people) and not shown(viewer.objects)
    viewer.shown.value = RECONSTRUCTED
    viewer.update()
    assert shown(viewer.people) and shown(viewer.objects) and shown(viewer.contacts) and not shown(scene.people)
    viewer.show_parts.value = True
    viewer.update()
    assert shown(viewer.parts) and not shown(viewer.objects)
    for switch, handles in (
        (viewer.show_people, viewer.people), (viewer.show_objects, viewer.parts), (viewer.show_contacts, viewer.contacts),
        (viewer.show_cameras, viewer.cameras), (viewer.show_points, viewer.points),
    ):  # fmt: skip
        assert shown(handles)
        switch.value = False
        viewer.update()
        assert not shown(handles)


def test_controller_chooses_simulation_and_verdict(viewer: RunViewer) -> None:
    viewer.controller.value = "PD control"
    viewer.update()
    assert shown(viewer.simulated["PD control"].people) and not shown(viewer.simulated["sampling control"].people)
    assert "Not stable" in viewer.words.content


def test_time_moves_people_and_contacts(viewer: RunViewer) -> None:
    viewer.controller.value, viewer.time.value = "PD control", 0.0
    viewer.update()
    scene = viewer.simulated["PD control"]
    start = scene.people[0].vertices.copy()
    assert scene.forces[0].visible and scene.forces[0].text == "500 N" and scene.balls[0].position[2] == pytest.approx(SEAT_M)
    viewer.advance(3 / 30)
    assert viewer.frame == 3
    assert np.allclose(scene.people[0].vertices - start, [0, 0, -0.35 * 3 / 6], atol=1e-5)
    assert scene.forces[0].text == "250 N"
    viewer.advance(3 / 30)
    assert not scene.forces[0].visible
    viewer.advance(1.0)
    assert viewer.frame == 0 and scene.forces[0].visible


def test_paused_simulation_stands_still(viewer: RunViewer) -> None:
    viewer.playing.value = False
    viewer.advance(0.1)
    assert viewer.frame == 0
    viewer.playing.value, viewer.speed.value = True, "0.5×"
    viewer.advance(0.1)
    assert viewer.time.value == pytest.approx(0.05)
    assert viewer.shown.value == SIMULATED


def test_unfinished_run_shows_what_there_is(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "stopped"))
    for folder in sorted(run.glob("[0-9]*")):
        if folder.name > "40_humans":
            shutil.rmtree(folder)
    opened = serve.open_viewer(run, port=0, host=HOST)
    try:
        assert shown(opened.people) and not opened.objects and not opened.simulated
        assert "no verdict yet" in opened.words.content and "60_aligned" in opened.words.content
        opened.advance(1.0)
    finally:
        opened.server.stop()


def test_words_of_the_run_are_escaped(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    replace(verdict("static", is_stable=True), reason="<img src=x onerror=alert(1)>").save(run / "85_verdict_static")
    opened = serve.open_viewer(run, port=0, host=HOST)
    opened.server.stop()
    assert "&lt;img" in opened.words.content and "<img" not in opened.words.content


def test_no_run_is_said_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(NoRun):
        serve.view(tmp_path)
