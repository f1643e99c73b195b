"""The worker process: an engine behind the wire. Runs on Python 3.8: the standard library and numpy alone, and the engine.

    python worker.py --engine isaacgym --socket 5

`--socket` is the number of an inherited socket. The worker greets, then answers every request with a message that holds
"error" where it failed, and ends when the socket closes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import sys
from typing import Dict, List, Set, Tuple  # noqa: UP035

import numpy as np
import wire  # pyright: ignore[reportMissingImports]

ENGINES = ("isaacgym", "mujoco")


def engine_of(name: str):  # noqa: ANN201
    """An engine: `load`, `reset`, `step`, `refresh`, `read`, `contacts`, `set_parameter`; see `mujoco_engine.Engine`."""
    if name == "isaacgym":
        import isaacgym_engine  # pyright: ignore[reportMissingImports]

        return isaacgym_engine.Engine()
    import mujoco_engine  # pyright: ignore[reportMissingImports]

    return mujoco_engine.Engine()


class Worker:
    """One engine, one scene, and the arrays that it shares."""

    def __init__(self, engine) -> None:  # noqa: ANN001
        self.engine = engine
        self.pairs: List[Tuple[int, Set[int]]] = []  # noqa: UP006
        self.people: List[int] = []  # noqa: UP006
        self.arrays: Dict[str, np.ndarray] = {}  # noqa: UP006

    def answer(self, request: dict) -> dict:
        """Do what a request asks."""
        return getattr(self, "do_" + request.pop("op"))(**request)

    def do_load(self, folder: str, count: int, timestep_s: float) -> dict:
        """Open `count` simulations of `folder`/scene.json."""
        with open(os.path.join(folder, "scene.json")) as file:  # noqa: PTH118, PTH123
            scene = json.load(file)
        self.engine.load(scene, folder, count, timestep_s)
        names = [name for actor in scene["actors"] for name in actor["bodies"]]
        place = {name: i for i, name in enumerate(names)}
        self.pairs = [(place[pair["object"]], {place[body] for body in pair["bodies"]}) for pair in scene["pairs"]]
        people = {place[body] for actor in scene["actors"] if actor["is_human"] for body in actor["bodies"]}
        self.people = sorted(people)
        return {}

    def do_share(self, path: str, layout: dict) -> dict:
        """Map the arrays of the client."""
        self.arrays = wire.open_arrays(path, layout)
        return {}

    def do_reset(self, rows: list[int]) -> dict:
        """Start simulations anew from the first rows of `start_root` and `start_dof`."""
        self.engine.reset(rows, self.arrays["start_root"][: len(rows)], self.arrays["start_dof"][: len(rows)])
        self.publish(rows)
        return {}

    def do_step(self, steps: int, is_exact: bool) -> dict:
        """Advance with `targets`."""
        self.engine.step(self.arrays["targets"], steps)
        if is_exact:
            self.engine.refresh()
        self.publish(None)
        return {}

    def do_parameter(self, name: str, body: str) -> dict:
        """Set a parameter from `parameter`, one row a simulation."""
        self.engine.set_parameter(name, body, np.array(self.arrays["parameter"]))
        return {}

    def publish(self, rows: list[int] | None) -> None:
        """Write states, and contacts by pair, of all simulations or some into the shared arrays."""
        shared = self.arrays
        every = range(len(shared["diverged"])) if rows is None else rows
        self.engine.read(shared, every)
        for sim in every:
            force, point = np.zeros(len(self.pairs)), np.zeros((len(self.pairs), 3))
            deepest = 0.0
            for first, second, newtons, where, depth in self.engine.contacts(sim):
                for i, (target, bodies) in enumerate(self.pairs):
                    if (first == target and second in bodies) or (second == target and first in bodies):
                        force[i] += newtons
                        point[i] += newtons * np.asarray(where)
                if self.is_person_and_object(first, second):
                    deepest = max(deepest, depth)
            shared["force"][sim] = force
            shared["point"][sim] = point / np.maximum(force, 1e-9)[:, None]
            shared["depth"][sim] = deepest

    def is_person_and_object(self, first: int, second: int) -> bool:
        """Whether a contact is one of a person with an object, neither with the floor (-1) nor with a person."""
        return min(first, second) >= 0 and (first in self.people) != (second in self.people)


def serve(connection: socket.socket, worker: Worker) -> None:
    """Greet and answer until the client is gone."""
    wire.send(connection, {"protocol": wire.PROTOCOL, "python": platform.python_version(), "engine": worker.engine.version})
    while True:
        try:
            request = wire.receive(connection)
        except wire.Closed:
            return
        try:
            answer = worker.answer(request)
        except Exception as error:
            answer = {"error": "{}: {}".format(type(error).__name__, error)}  # noqa: UP032
        wire.send(connection, answer)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--socket", type=int, required=True)
    arguments = parser.parse_args()
    connection = socket.socket(fileno=arguments.socket)
    try:
        worker = Worker(engine_of(arguments.engine))
    except Exception as error:
        wire.send(connection, {"error": "{}: {}".format(type(error).__name__, error)})  # noqa: UP032
        sys.exit(1)
    serve(connection, worker)


if __name__ == "__main__":
    main()
