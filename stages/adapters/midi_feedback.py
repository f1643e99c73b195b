"""MIDI as feedback collects it: one sample a seed, from one photo, judged as a dense mesh."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadMesh
from hsimul3r.generator.feedback.alone import Tested, alone, support_of, up_to_failure
from hsimul3r.generator.feedback.forward import ask_person, refused
from hsimul3r.generator.feedback.images import ImageSet, PersonScene, Truth
from hsimul3r.generator.feedback.judge import SUPPORT, JudgeConfig, Judged
from hsimul3r.generator.feedback.record import ID_LENGTH, Check, Judgement
from hsimul3r.generator.feedback.shape import Shape, shape_figures
from hsimul3r.generator.registration import START_SIZE_M, fitting_size
from hsimul3r.geometry.mesh import Surface, manifold_of
from stages.adapters.lora import load_adapter, merged
from stages.adapters.midi3d import FAMILY, LICENCES, MidiModel, MidiSettings, made_object, midi_shape
from stages.adapters.midi_inputs import ScenePictures
from stages.adapters.networks.midi_sampler import Conditions

SEAT_WINDOW_M = 0.03
"""What looks up within so much of height belongs to one seat or top."""


@dataclass(frozen=True, kw_only=True)
class MidiSampler:
    """`feedback.sampler.Sampler` by MIDI; every machine finds its weights under the same path."""

    folder: Path
    cfg: MidiSettings
    model: str
    adapters: tuple[Path, ...] = ()
    """What each round of tuning learnt, in peft's format; they are merged in this order."""

    @classmethod
    def of(cls, folder: Path, cfg: MidiSettings, adapters: Sequence[Path] = ()) -> "MidiSampler":
        """With the id of what the files hold."""
        return cls(folder=folder, cfg=cfg, model=_files_id([folder, *adapters]), adapters=tuple(adapters))

    def about(self) -> Mapping[str, Any]:
        return {"family": FAMILY, "adapters": [str(adapter) for adapter in self.adapters], "licences": list(LICENCES)}

    def settings(self) -> Mapping[str, Any]:
        return {name: value for name, value in asdict(self.cfg).items() if name not in ("weights", "points_a_call")}

    def loaded(self) -> MidiModel:
        """Read once by every process. Raises what `MidiModel.load` raises."""
        return _model(self.folder, self.cfg.device, self.adapters)

    def conditions(self, images: ImageSet, keys: Sequence[str]) -> Conditions:
        """What the transformer is told of images, one row each."""
        eyes = self.loaded().eyes
        seen = [eyes.look(ScenePictures.of(one.photo, one.mask[None])) for one in map(images.picture, keys)]
        return Conditions(clip=torch.cat([one.clip for one in seen]), dino=torch.cat([one.dino for one in seen]))

    def samples(self, images: ImageSet, key: str, seeds: Sequence[int]) -> Float[ndarray, "seeds tokens channels"]:
        """As the generator draws them, one by one; kept in half precision where the network computes in it."""
        seen = images.picture(key)
        pictures = ScenePictures.of(seen.photo, seen.mask[None])
        made = self.loaded().latents(pictures, self.cfg.flow, tokens=self.cfg.tokens, seeds=seeds)[:, 0].cpu()
        return made.to(torch.float32 if made.dtype == torch.float32 else torch.float16).numpy()

    def judged(
        self, sample: Float[ndarray, "tokens channels"], cfg: JudgeConfig, *, person: PersonScene | None, truth: Truth | None
    ) -> Judged:
        """A mesh has no parts that could be attached: both judgements are one. It is compared with no truth, since which way
        it is turned, and how large it is, only the photos say."""
        try:
            shape = self._shape(sample)
        except BadMesh as error:
            found = Judgement(checks=up_to_failure(alone(None, cfg.tests, why=str(error))), has_person=person is not None)
            return Judged(as_made=found, attached=found, figures={})
        size = fitting_size(shape[0], person.observation) if person else START_SIZE_M
        tested = self._tested((size * shape[0], shape[1]))
        checks = up_to_failure(alone(tested, cfg.tests))
        if person is not None and all(check.holds for check in checks):
            checks += self._asked(shape, size, cfg, person)
        found = Judgement(checks=checks, has_person=person is not None)
        figures = dict(shape_figures(Shape.of(tested.surface, tested.pieces), None))
        figures |= {"pieces": float(tested.pieces), SUPPORT: support_of(tested, cfg.tests)}
        return Judged(as_made=found, attached=found, figures=figures)

    def shape(self, sample: Float[ndarray, "tokens channels"], cfg: JudgeConfig) -> Shape | None:
        try:
            surface = self._shape(sample)
        except BadMesh:
            return None
        return Shape.of(surface, _pieces(surface))

    def _asked(self, shape: Surface, size: float, cfg: JudgeConfig, person: PersonScene) -> tuple[Check, ...]:
        """The person's checks of the object in convex pieces."""
        try:
            made = made_object(shape, size, self.cfg, category=person.view.category)
        except BadMesh as error:
            return (refused(error),)
        return ask_person(made, person, cfg.forward)

    def _tested(self, surface: Surface) -> Tested:
        return Tested(
            surface=surface, pieces=_pieces(surface), bearing=bearing(surface), density_kg_m3=self.cfg.density_kg_m3,
            friction=self.cfg.friction,
        )  # fmt: skip

    def _shape(self, sample: Float[ndarray, "tokens channels"]) -> Surface:
        model = self.loaded()
        return midi_shape(model, torch.from_numpy(sample).to(next(model.vae.parameters())), self.cfg)


def bearing(surface: Surface) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Box of the faces that look up where most of them are at one height: a seat, a table top."""
    corner = surface[0][surface[1]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    corner, area = (value[normal[:, 2] > np.sqrt(0.5) * np.linalg.norm(normal, axis=1)] for value in (corner, normal[:, 2]))
    height = corner[:, :, 2].mean(axis=1)
    order = np.argsort(height)
    total = np.concatenate([[0.0], np.cumsum(area[order])])
    ends = np.searchsorted(height[order], height[order] + SEAT_WINDOW_M, side="right")
    first = int((total[ends] - total[:-1]).argmax())
    points = corner[order[first : ends[first]]].reshape(-1, 3)
    return points.min(axis=0), points.max(axis=0)


def _pieces(surface: Surface) -> int:
    """Closed surfaces that do not touch; hollows within one do not count."""
    return sum(piece.volume() > 0 for piece in manifold_of(*surface, FAMILY).decompose())


@functools.lru_cache(maxsize=1)
def _model(folder: Path, device: str, adapters: tuple[Path, ...]) -> MidiModel:
    model = MidiModel.load(folder, device)
    for adapter in adapters:
        merged(load_adapter(model.transformer, adapter))
    return model


def _files_id(folders: Sequence[Path]) -> str:
    """Of all weights below the folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.safetensors")):
            digest.update(str(path.relative_to(folder)).encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:ID_LENGTH]
