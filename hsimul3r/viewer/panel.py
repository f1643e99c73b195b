"""The viewer's control panel, and what its switches do."""

import html

import numpy as np
from viser import SceneNodeHandle, ViserServer

from hsimul3r.images import load_images
from hsimul3r.run_record import FEEDBACK_TYPES, RunRecord, Simulation
from hsimul3r.surfaces import body_surfaces, object_surfaces
from hsimul3r.viewer import nodes
from hsimul3r.viewer.clicks import click_panel

RECONSTRUCTED, SIMULATED = "reconstructed", "simulated"
SPEEDS = ("1×", "0.5×", "0.25×")


class RunViewer:
    """A run in a viser server: builds every node once, then shows and hides them. `advance` plays the simulation."""

    def __init__(self, record: RunRecord, server: ViserServer):
        self.record, self.server = record, server
        self.simulations = {s.title: s for s in record.simulations if s.rollout is not None}
        server.scene.set_up_direction("+z")
        nodes.add_floor(server)
        self._add_reconstruction()
        assets = record.sim.assets if record.sim else record.reconstruction.assets
        self.simulated = {
            title: nodes.add_simulation(server, s.rollout, assets)
            for title, s in self.simulations.items()
            if s.rollout is not None
        }
        self._add_controls()
        self.clicks = click_panel(server, record.capture, self.photos, record.folder)
        self._aim()
        self.update()

    @property
    def frame_count(self) -> int:
        """Frames of the controller that is shown, 0 without a simulation."""
        return len(self.simulated[self.controller.value].rollout.qpos) if self.simulated else 0

    @property
    def frame(self) -> int:
        """The frame at the time slider."""
        if not self.simulated:
            return 0
        fps = self.simulated[self.controller.value].rollout.fps
        return int(np.clip(round(self.time.value * fps), 0, self.frame_count - 1))

    def advance(self, seconds: float) -> None:
        """Let `seconds` of wall time pass: the slider moves on while playing and starts over at the end."""
        if not (self.simulated and self.playing.value):
            return
        at = self.time.value + seconds * float(self.speed.value.removesuffix("×"))
        self.time.value = 0.0 if at > self.time.max else at
        self._show_frame()

    def update(self) -> None:
        """Show what the switches ask for."""
        simulated = self.shown.value == SIMULATED and bool(self.simulated)
        _show(self.cameras, self.show_cameras.value)
        _show(self.points, self.show_points.value)
        _show(self.people, self.show_people.value and not simulated)
        _show(self.objects, self.show_objects.value and not simulated and not self.show_parts.value)
        _show(self.parts, self.show_objects.value and not simulated and self.show_parts.value)
        _show(self.contacts, self.show_contacts.value and not simulated)
        for title, scene in self.simulated.items():
            active = simulated and title == self.controller.value
            _show(scene.people, self.show_people.value and active)
            _show(scene.objects, self.show_objects.value and active and not self.show_parts.value)
            for parts in scene.parts:
                _show(parts, self.show_objects.value and active and self.show_parts.value)
            if not active:
                _show([*scene.forces, *scene.balls], False)
        self.words.content = _verdict_words(self.record, self.simulations.get(self.controller.value))
        self._show_frame()

    def _show_frame(self) -> None:
        if self.simulated and self.shown.value == SIMULATED:
            self.simulated[self.controller.value].show_frame(self.frame, contacts=self.show_contacts.value)

    def _add_reconstruction(self) -> None:
        world, server = self.record.reconstruction, self.server
        capture = self.record.capture
        self.photos = load_images(self.record.folder / "00_capture", capture) if capture is not None else ()
        self.cameras = nodes.add_cameras(server, world.cameras, self.photos) if world.cameras else []
        self.points = nodes.add_points(server, world.tracks) if world.tracks else []
        self.people = nodes.add_meshes(server, "/reconstructed/people", body_surfaces(world.bodies))
        self.objects = nodes.add_meshes(server, "/reconstructed/objects", object_surfaces(world.assets), flat_shading=True)
        self.parts = [part for asset in world.assets for part in nodes.add_parts(server, "/reconstructed/parts", asset)]
        self.contacts = nodes.add_contacts(server, self.record.aligned.contacts if self.record.aligned else ())

    def _add_controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(control_width="large", show_logo=False, show_share_button=False)
        self.words = gui.add_html("")
        states = (SIMULATED, RECONSTRUCTED) if self.simulated else (RECONSTRUCTED,)
        titles = tuple(self.simulated) or ("no simulation",)
        best = self.record.best.title if self.record.best else titles[0]
        with gui.add_folder("Simulation"):
            self.shown = gui.add_dropdown("Show", states)
            self.controller = gui.add_dropdown("Controller", titles, initial_value=best if best in titles else titles[0])
            self.time = gui.add_slider("Time [s]", min=0.0, max=self._duration(), step=0.01, initial_value=0.0)
            self.playing = gui.add_checkbox("Play", bool(self.simulated))
            self.speed = gui.add_dropdown("Speed", SPEEDS)
        with gui.add_folder("Shown"):
            self.show_people = gui.add_checkbox("People", True)
            self.show_objects = gui.add_checkbox("Objects", True)
            self.show_parts = gui.add_checkbox("Objects as convex parts", False)
            self.show_contacts = gui.add_checkbox("Contacts", True)
            self.show_cameras = gui.add_checkbox("Cameras and photos", True)
            self.show_points = gui.add_checkbox("Points", True)
        switches = (
            self.shown, self.controller, self.show_people, self.show_objects, self.show_parts, self.show_contacts,
            self.show_cameras, self.show_points,
        )  # fmt: skip
        for switch in switches:
            switch.on_update(lambda _: self.update())
        self.time.on_update(lambda _: self._show_frame())

    def _duration(self) -> float:
        """Seconds of the longest simulation."""
        return max([0.01, *((len(s.rollout.qpos) - 1) / s.rollout.fps for s in self.simulated.values())])

    def _aim(self) -> None:
        """Start with a view of people, objects and cameras from behind and above the cameras."""
        world = self.record.reconstruction
        surfaces = [mesh.vertices for mesh in (*body_surfaces(world.bodies), *object_surfaces(world.assets))]
        points = np.concatenate(surfaces) if surfaces else np.array([[-1.0, -1.0, 0.0], [1.0, 1.0, 1.6]])
        middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
        reach = float(np.linalg.norm(points - middle, axis=1).max())
        places = (
            np.array([camera.position for camera in self.cameras]) if self.cameras else middle + np.array([[2.0, -2.6, 0.6]])
        )
        away = places.mean(axis=0) - middle
        away = away / max(float(np.linalg.norm(away)), 1e-6) + np.array([0.0, 0.0, 0.35])
        distance = max(2.8 * reach, 1.05 * float(np.linalg.norm(places - middle, axis=1).mean()))
        self.server.initial_camera.position = tuple(middle + distance * away)
        self.server.initial_camera.look_at = tuple(middle)


def _show(handles: list[SceneNodeHandle] | list, visible: bool) -> None:
    for handle in handles:
        handle.visible = visible


def _verdict_words(record: RunRecord, simulation: Simulation | None) -> str:
    """The verdict as HTML, every string escaped."""
    verdict = simulation.verdict if simulation else None
    if verdict is None:
        missing = ", ".join(record.missing)
        return (
            f"<p style='padding:0 1em'><b>{html.escape(record.name)}</b>: no verdict yet. Missing: {html.escape(missing)}.</p>"
        )
    color, word = ("#14804a", "Stable") if verdict.is_stable else ("#c02b2b", "Not stable")
    tests: tuple[tuple[str, bool], ...] = (
        ("stands under gravity", verdict.stands_under_gravity),
        ("comes to rest", verdict.is_settled),
        ("holds its contacts", verdict.holds_contact),
    )
    lines = "".join(f"<li>{'✓' if holds else '✗'} {name}</li>" for name, holds in tests)
    head = f"<b>{html.escape(record.name)}</b><p style='color:{color};font-size:1.4em;margin:.2em 0'><b>{word}</b></p>"
    kind = f"Type {verdict.feedback_type}: {FEEDBACK_TYPES[verdict.feedback_type]}"
    body = f"<p>{html.escape(verdict.reason)}</p><p>{kind}</p><ul style='list-style:none;padding:0'>{lines}</ul>"
    return f"<div style='padding:.6em 1em 0'>{head}{body}</div>"
