"""Serve a run to the browser of this machine."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from viser import ViserServer

from hsimul3r.errors import PortTaken
from hsimul3r.run_record import read_run
from hsimul3r.viewer.panel import RunViewer

TICK_S = 1 / 30


def view(run_folder: Path, port: int = 8080, host: str = "127.0.0.1", *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve the viewer of a run until interrupted; `on_ready` gets its address. Raises `NoRun`, `PortTaken`."""
    viewer = open_viewer(run_folder, port, host)
    try:
        if on_ready is not None:
            on_ready(f"http://{host}:{viewer.server.get_port()}")
        _play(viewer)
    except KeyboardInterrupt:
        return
    finally:
        viewer.server.stop()


def open_viewer(run_folder: Path, port: int, host: str) -> RunViewer:
    """A viewer that listens on `host` and `port` (0: any free port); the caller stops its server."""
    record = read_run(run_folder)
    server = ViserServer(host=host, port=_free_port(host, port), label=f"hsimul3r: {record.name}", verbose=False)
    try:
        return RunViewer(record, server)
    except BaseException:
        server.stop()
        raise


def _play(viewer: RunViewer) -> None:
    last = time.monotonic()
    while True:
        time.sleep(TICK_S)
        now = time.monotonic()
        viewer.advance(now - last)
        last = now


def _free_port(host: str, port: int) -> int:
    """`port` if nobody listens there, for viser would silently take the next one. Raises `PortTaken`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(host, port, error.strerror or str(error)) from error
        return probe.getsockname()[1]
