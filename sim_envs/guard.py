"""Keeps the last states and controls of a batch and writes them down when a simulation diverges; `replay` says where."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import SimScene
from hsimul3r.errors import BadRecording
from hsimul3r.tracking.layout import velocity_names
from hsimul3r.tracking.simulation import Parameter
from sim_envs.contract import SimBatch, Timing
from sim_envs.engine import MjModel, mujoco
from sim_envs.mujoco_cpu import MujocoCpu
from sim_envs.scene_builder import load_model

SHOWN_CONTACTS = 5


@dataclass(frozen=True, kw_only=True)
class GuardConfig:
    """How much is kept and written."""

    length: int = 64
    """Calls of `step`, with the state before each."""
    most: int = 3
    """Divergences of a batch that are written; the others are only counted by `has_diverged`."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    qpos: Float[ndarray, "sims nq"]
    qvel: Float[ndarray, "sims nv"]
    ctrl: Float[ndarray, "sims nu"]
    steps: int
    parameters: Mapping[tuple[Parameter, str], ndarray]


def guarded(batch: SimBatch, scene: SimScene, timing: Timing, folder: Path, cfg: GuardConfig | None = None) -> SimBatch:
    """The same batch; every simulation of it that diverges leaves `folder`/<number>_simulation<row>/ behind."""
    return cast(SimBatch, _Guarded(batch, scene, timing, folder, cfg or GuardConfig()))


class _Guarded:
    def __init__(self, batch: SimBatch, scene: SimScene, timing: Timing, folder: Path, cfg: GuardConfig):
        self._batch, self._scene, self._timing, self._folder, self._cfg = batch, scene, timing, folder, cfg
        self._ring: deque[_Entry] = deque(maxlen=cfg.length)
        self._age = np.zeros(batch.count, int)
        self._parameters: dict[tuple[Parameter, str], ndarray] = {}
        self._written = 0
        self._known = np.zeros(batch.count, bool)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def reset(
        self,
        qpos: Float[ndarray, "some nq"],
        qvel: Float[ndarray, "some nv"] | None = None,
        *,
        only: Int[ndarray, "some"] | None = None,
    ) -> None:
        self._batch.reset(qpos, qvel, only=only)
        rows = slice(None) if only is None else only
        self._age[rows], self._known[rows] = 0, self._batch.has_diverged()[rows]

    def set_parameter(self, name: Parameter, values: ndarray, *, body: str | None = None) -> None:
        self._batch.set_parameter(name, values, body=body)
        self._parameters[name, body or ""] = np.array(values)

    def step(self, ctrl: Float[ndarray, "sims nu"], steps: int = 1, *, is_exact: bool = False) -> None:
        qpos, qvel = self._batch.state()
        self._ring.append(_Entry(qpos=qpos, qvel=qvel, ctrl=np.array(ctrl), steps=steps, parameters=dict(self._parameters)))
        self._age = np.minimum(self._age + 1, len(self._ring))
        self._batch.step(ctrl, steps, is_exact=is_exact)
        has_diverged = self._batch.has_diverged()
        for row in np.flatnonzero(has_diverged & ~self._known)[: self._cfg.most - self._written]:
            self._write(int(row))
        self._known = has_diverged

    def _write(self, row: int) -> None:
        folder = self._folder / f"{self._written:02d}_simulation{row}"
        (folder / "scene").mkdir(parents=True, exist_ok=True)
        self._scene.save(folder / "scene")
        entries = list(self._ring)[-int(self._age[row]) :]
        keys = sorted({key for entry in entries for key in entry.parameters})
        parameters = {
            f"{name}|{body}": np.stack([_value(entry, (name, body), row, entries[-1]) for entry in entries])
            for name, body in keys
        }
        np.savez_compressed(
            folder / "ring.npz",
            allow_pickle=False,
            qpos=np.stack([e.qpos[row] for e in entries]),
            qvel=np.stack([e.qvel[row] for e in entries]),
            ctrl=np.stack([e.ctrl[row] for e in entries]),
            steps=np.array([e.steps for e in entries]),
            **parameters,
        )
        (folder / "timing.json").write_text(json.dumps(asdict(self._timing)))
        self._written += 1


def _value(entry: _Entry, key: tuple[Parameter, str], row: int, last: _Entry) -> ndarray:
    """A parameter at that call, nan where it was not set yet."""
    return entry.parameters[key][row] if key in entry.parameters else np.full_like(last.parameters[key][row], np.nan)


@dataclass(frozen=True, kw_only=True)
class StrongContact:
    """Two bodies that press on each other."""

    bodies: tuple[str, str]
    force_n: float
    depth_m: float


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Where a replayed simulation breaks down. The last state before it is looked at: what accelerates most, what presses."""

    is_reproduced: bool
    step: int
    """Time step from the start of the recording."""
    time_s: float
    joint: str
    """'<joint>:<component>' of the largest acceleration."""
    acceleration: float
    """[m/s2 or rad/s2]."""
    contacts: tuple[StrongContact, ...]
    drift: float
    """Largest difference in qpos between the recorded and the replayed states: 0 where the recording begins with a reset."""

    def in_words(self) -> str:
        if not self.is_reproduced:
            return f"The recording does not diverge again in {self.step} steps on {MujocoCpu.name} (drift {self.drift:.1e})."
        lines = [
            f"Diverges at step {self.step}, {self.time_s:.4f} s after the recording begins (drift {self.drift:.1e}).",
            f"Largest acceleration before: {self.joint}, {self.acceleration:.3g}.",
        ]
        for contact in self.contacts:
            where = " and ".join(contact.bodies)
            lines.append(f"Contact of {where}: {contact.force_n:.0f} N, {1000 * contact.depth_m:.1f} mm deep.")
        return "\n".join(lines if self.contacts else [*lines, "No contacts."])


def replay(folder: Path) -> Divergence:
    """Run what `guarded` wrote again, one time step at a time, on mujoco_cpu; raises `BadRecording`."""
    scene, timing, ring = _read(folder)
    batch = MujocoCpu().load(scene, count=1, timing=timing, threads=1)
    batch.reset(ring["qpos"][:1], ring["qvel"][:1])
    drift, step = 0.0, 0
    for i, steps in enumerate(ring["steps"]):
        for key in (key for key in ring if "|" in key):
            name, body = key.split("|")
            if np.isfinite(ring[key][i]).all():
                batch.set_parameter(cast(Parameter, name), ring[key][i : i + 1], body=body or None)
        drift = max(drift, float(np.abs(batch.state()[0] - ring["qpos"][i]).max(initial=0.0)))
        for _ in range(int(steps)):
            before = batch.state()
            batch.step(ring["ctrl"][i : i + 1])
            step += 1
            if batch.has_diverged()[0]:
                return _explained(scene, timing, ring, i, (before[0][0], before[1][0]), step=step, drift=drift)
    return Divergence(
        is_reproduced=False, step=step, time_s=step * timing.timestep_s, joint="", acceleration=0.0, contacts=(), drift=drift
    )


def _read(folder: Path) -> tuple[SimScene, Timing, dict[str, ndarray]]:
    try:
        timing = Timing(**json.loads((folder / "timing.json").read_text()))
        with np.load(folder / "ring.npz", allow_pickle=False) as npz:
            ring = {name: npz[name] for name in npz.files}
        return SimScene.load(folder / "scene"), timing, ring
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise BadRecording(folder, str(error)) from error


def _explained(
    scene: SimScene, timing: Timing, ring: Mapping[str, ndarray], at: int, state: tuple[ndarray, ndarray], **where: Any
) -> Divergence:
    """Look at the state before the breakdown, in call `at` of the recording."""
    mj = mujoco()
    model = load_model(scene, timing)
    model.opt.disableflags |= int(mj.mjtDisableBit.mjDSBL_AUTORESET)
    data = mj.MjData(model)
    data.qpos, data.qvel = state
    data.ctrl = ring["ctrl"][at]
    for key in (key for key in ring if key.startswith("force_n|")):
        data.body(key.split("|")[1]).xfrc_applied[:3] = np.nan_to_num(ring[key][at])
    mj.mj_forward(model, data)
    size = np.where(np.isfinite(data.qacc), np.abs(data.qacc), np.inf)
    worst = int(size.argmax())
    return Divergence(
        is_reproduced=True,
        time_s=where["step"] * timing.timestep_s,
        joint=velocity_names(scene.qpos_names)[worst],
        acceleration=float(size[worst]),
        contacts=_strongest(model, data),
        **where,
    )


def _strongest(model: MjModel, data: Any) -> tuple[StrongContact, ...]:
    mj, found = mujoco(), []
    for i, contact in enumerate(data.contact):
        force = np.zeros(6)
        mj.mj_contactForce(model, data, i, force)
        bodies = [model.body(int(model.geom_bodyid[geom])).name for geom in contact.geom]
        found.append(StrongContact(bodies=(bodies[0], bodies[1]), force_n=float(force[0]), depth_m=-float(contact.dist)))
    return tuple(sorted(found, key=lambda c: -c.force_n)[:SHOWN_CONTACTS])
