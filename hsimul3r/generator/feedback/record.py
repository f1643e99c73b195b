"""What the simulator said of one sampled object, and a store of it on disk that a killed process leaves whole.

<store>/settings/<id>.json   what a model or a judge of that id is
<store>/shards/<id>.npz      some rollouts, written once and never changed: their samples, and the rest as JSON
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from hsimul3r.errors import DamagedArtifact
from hsimul3r.files import write_whole, write_whole_bytes

Kind = Literal[1, 2, 3, 4]
"""The types of Fig. 3: 1 falls under gravity, 2 falls during the interaction or under the load that stands for it, 3 stands but
no contact is held, 4 a stable interaction."""
TestName = Literal["solid", "connected", "gravity", "payload", "settled", "contact"]
KIND_OF_FAILURE: Final[Mapping[TestName, Kind]] = {
    "solid": 1, "connected": 1, "gravity": 1, "payload": 2, "settled": 2, "contact": 3,
}  # fmt: skip
"""What an object is that fails in a test; one that falls apart falls."""
ID_LENGTH: Final = 16
SHARDS: Final = "[0-9a-f]*.npz"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measured quantity against its limit; `margin` is positive where it holds, in units of the limit."""

    test: TestName
    name: str
    value: float
    limit: float
    margin: float

    @property
    def holds(self) -> bool:
        return self.margin >= 0.0


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Every test that an object went through; it is stopped at the first that fails."""

    checks: tuple[Check, ...]
    has_person: bool
    """False where no person was there to ask: an object that stands and bears its load is then of type 4."""

    @property
    def kind(self) -> Kind:
        """The type of Fig. 3, by the first test that fails."""
        failed: list[Kind] = [KIND_OF_FAILURE[check.test] for check in self.checks if not check.holds]
        return failed[0] if failed else 4

    @property
    def is_stable(self) -> bool:
        """The bit l of Eq. 7: type 4 only."""
        return self.kind == 4

    def holds(self, test: TestName) -> bool | None:
        """Whether it passed a test; None where it was not asked."""
        found = [check.holds for check in self.checks if check.test == test]
        return all(found) if found else None


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A sampled object and its judgement."""

    image: str
    """What it was made from: a key of an `ImageSet`."""
    seed: int
    """Of the sampler's noise."""
    model: str
    """`model_id` of the network that made it."""
    judge: str
    """`settings_id` of all that the judgement depends on."""
    sample: Float[ndarray, "..."]
    """x0 as the sampler returned it; of the part flow (tokens, channels)."""
    as_made: Judgement
    """Of the object as it was sampled."""
    attached: Judgement
    """Of the object after its parts were attached to each other (flow.attach)."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Of the object's shape, attached: parts, volume, likeness to the truth (`feedback.shape`)."""

    @property
    def id(self) -> str:
        """Image, seed, model and judge: what makes a rollout the same."""
        return rollout_id(self.image, self.seed, self.model, self.judge)

    def judgement(self, *, is_attached: bool) -> Judgement:
        return self.attached if is_attached else self.as_made


def rollout_id(image: str, seed: int, model: str, judge: str) -> str:
    """Of a rollout that may not have been made yet."""
    return _digest(json.dumps([image, seed, model, judge]).encode())


def settings_id(settings: Mapping[str, Any]) -> str:
    """Of anything that JSON holds."""
    return _digest(json.dumps(settings, sort_keys=True).encode())


def model_id(network: nn.Module) -> str:
    """Of all weights of a network, those of its adapter too."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        content = value.detach().cpu().contiguous()
        digest.update(f"{name} {content.dtype} {tuple(content.shape)}".encode())
        digest.update(content.float().numpy().tobytes())
    return digest.hexdigest()[:ID_LENGTH]


class RolloutStore:
    """Rollouts in a folder. Every `add` writes one file, whole or not at all; what is there already is not written again."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._known = {rollout.id for rollout in self.read(has_samples=False)}

    def __contains__(self, rollout: str) -> bool:
        """Whether the rollout of this id is there."""
        return rollout in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, rollouts: Iterable[Rollout]) -> int:
        """Write those that are new; returns how many that were. Their samples have one shape."""
        new = {rollout.id: rollout for rollout in rollouts if rollout.id not in self._known}
        if new:
            path = self.folder / "shards" / f"{_digest(''.join(sorted(new)).encode())}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole_bytes(path, _packed(list(new.values())))
            self._known |= set(new)
        return len(new)

    def describe(self, key: str, settings: Mapping[str, Any]) -> None:
        """Write down what the model or judge of that id is."""
        path = self.folder / "settings" / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(settings, indent=1, sort_keys=True) + "\n")

    def read(
        self, *, models: Sequence[str] | None = None, judges: Sequence[str] | None = None, has_samples: bool = True
    ) -> tuple[Rollout, ...]:
        """All rollouts, or those of some models and judges, by image and seed; without samples they are empty arrays.

        Raises `DamagedArtifact`.
        """
        found: dict[str, Rollout] = {}
        for path in sorted((self.folder / "shards").glob(SHARDS)):
            found |= {rollout.id: rollout for rollout in _unpacked(path, has_samples=has_samples)}
        chosen = [
            rollout for rollout in found.values()
            if (models is None or rollout.model in models) and (judges is None or rollout.judge in judges)
        ]  # fmt: skip
        return tuple(sorted(chosen, key=lambda rollout: (rollout.image, rollout.seed, rollout.model, rollout.judge)))


def _packed(rollouts: Sequence[Rollout]) -> bytes:
    rows = [{name: value for name, value in asdict(rollout).items() if name != "sample"} for rollout in rollouts]
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(rows).encode(), np.uint8)
    np.savez_compressed(content, allow_pickle=False, samples=np.stack([rollout.sample for rollout in rollouts]), rows=text)
    return content.getvalue()


def _unpacked(path: Path, *, has_samples: bool) -> list[Rollout]:
    try:
        with np.load(path, allow_pickle=False) as file:
            rows = json.loads(file["rows"].tobytes())
            samples = file["samples"] if has_samples else np.zeros((len(rows), 0))
        return [_rollout(row, sample) for row, sample in zip(rows, samples, strict=True)]
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedArtifact(path, f"it is no shard of rollouts ({error})") from error


def _rollout(row: dict[str, Any], sample: ndarray) -> Rollout:
    as_made, attached = (_judgement(row.pop(name)) for name in ("as_made", "attached"))
    return Rollout(**row, sample=sample, as_made=as_made, attached=attached)


def _judgement(row: dict[str, Any]) -> Judgement:
    return Judgement(has_person=row["has_person"], checks=tuple(Check(**check) for check in row["checks"]))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:ID_LENGTH]
