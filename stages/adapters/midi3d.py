"""MIDI (Huang et al., CVPR 2025), the paper's generator: objects of a photo to shapes, with the user's own weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.errors import BadMesh, BadWeights, NoAccelerator
from hsimul3r.generator.flow.generator import SEAT_CATEGORIES
from hsimul3r.generator.objective import OBJECT, best_views
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.generator.registration import Guess, MadeObject, RegistrationConfig, centred, fitting_size, placed
from hsimul3r.geometry.decompose import convex_pieces
from hsimul3r.geometry.mesh import Surface, manifold_of, surface_of
from stages.adapters.midi_inputs import MidiEyes, ScenePictures
from stages.adapters.networks.checkpoints import Checkpoint, load_weights, read_checkpoint
from stages.adapters.networks.midi_net import MidiTransformer, read_midi_config
from stages.adapters.networks.midi_sampler import Conditions, FlowSettings, sample
from stages.adapters.networks.midi_surface import FieldSurface, SurfaceSettings, find_surface
from stages.adapters.networks.midi_vae import MidiVae, read_midi_vae_config

FAMILY = "midi3d"
LICENCES = (
    "MIDI-3D weights (Huang et al. 2025): Apache-2.0; the network's design carries Tencent's HunyuanDiT licence, "
    "which is not granted in the European Union; from the user's own path",
)
MIDI_UP_TO_Z = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""MIDI's +Y is up, ours is +Z."""


@dataclass(frozen=True, kw_only=True)
class MidiSettings:
    """How MIDI is run."""

    weights: str = ""
    """Its published folder: transformer, vae, image_encoder_1, image_encoder_2, feature_extractor_1, feature_extractor_2."""
    device: str = "cuda"
    """On "cpu" one object takes half a day."""
    tokens: int = 2048
    """Of an object, as published."""
    flow: FlowSettings = field(default_factory=FlowSettings)
    surface: SurfaceSettings = field(default_factory=SurfaceSettings)
    points_a_call: int = 65536
    """How many points of the field are asked at once: bounds the memory."""
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)
    tolerance: float = 0.004
    """How far the surface may be moved to save triangles, of the object's largest extent."""
    most_parts: int = 24
    """Convex parts for the simulation."""
    density_kg_m3: float = 150.0
    friction: float = 0.8


@dataclass(frozen=True, kw_only=True)
class MidiModel:
    """MIDI's networks."""

    eyes: MidiEyes
    transformer: MidiTransformer
    vae: MidiVae

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """From the published folder, as the files' own precision has it (float32 on a CPU).

        Raises `BadWeights`, `WrongWeights`, or `NoAccelerator` where the device is not there.
        """
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise NoAccelerator("MIDI", "an NVIDIA GPU of 16 GB", "on 'cpu' one object takes about half a day")
        transformer, vae = _whole(folder / "transformer"), _whole(folder / "vae")
        with torch.device("meta"):
            network = MidiTransformer(read_midi_config(transformer.arguments))
            autoencoder = MidiVae(read_midi_vae_config(vae.arguments))
        load_weights(network, transformer, model="MIDI's transformer")
        load_weights(autoencoder, vae, model="MIDI's autoencoder")
        precision = torch.float32 if device == "cpu" else network.proj_in.weight.dtype
        eyes = MidiEyes.load(folder).to(device, precision)
        return cls(
            eyes=eyes, transformer=network.to(device, precision).eval(), vae=autoencoder.to(device, precision).eval()
        )  # fmt: skip

    def latents(
        self, pictures: ScenePictures, flow: FlowSettings, *, tokens: int, seeds: Sequence[int]
    ) -> Float[Tensor, "samples objects tokens channels"]:
        """One sample of the whole scene for each seed; its objects see one another. Noise is drawn on the CPU, so that a seed
        means the same on every device."""
        conditions, channels = self.eyes.look(pictures), self.transformer.config.in_channels
        return torch.stack([self._sample(conditions, flow, (len(pictures.masks), tokens, channels), seed) for seed in seeds])

    @torch.no_grad()
    def surface(
        self, latents: Float[Tensor, "tokens channels"], settings: SurfaceSettings, *, points_a_call: int
    ) -> FieldSurface:
        """The surface of one object, in MIDI's box."""
        prepared = self.vae.prepare(latents[None])

        def field_at(points: Float[ndarray, "points 3"]) -> Float[ndarray, "points"]:
            asked = torch.from_numpy(points).to(prepared)
            found = [self.vae.query(prepared, some[None])[0, :, 0].float().cpu() for some in asked.split(points_a_call)]
            return torch.cat(found).numpy() if found else np.zeros(0, np.float32)

        return find_surface(field_at, settings)

    def _sample(
        self, conditions: Conditions, flow: FlowSettings, shape: tuple[int, int, int], seed: int
    ) -> Float[Tensor, "objects tokens channels"]:
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(conditions.dino)
        return sample(self.transformer, noise, conditions, flow, instances=shape[0])


class MidiGenerator:
    """`Generator` by MIDI, as Eq. 2 has it: the object alone, from the view that shows it largest. The shape is then put where
    all views show it (registration.py)."""

    def __init__(self, model: MidiModel, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: MidiSettings):
        self.model, self.images, self.cfg = model, images, cfg

    @property
    def name(self) -> str:
        return FAMILY

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """`count` samples, the one that fits the silhouettes best first, see `Generator`.

        Raises `NoObject` where no view shows the object, `BadMesh` where no sample has an inside.
        """
        view, mask = clearest_view(observation)
        pictures = ScenePictures.of(self.images[view], mask[None])
        seeds = [seed + 1000 * k for k in range(count)]
        samples = self.model.latents(pictures, self.cfg.flow, tokens=self.cfg.tokens, seeds=seeds)
        found = [self._candidate(latents[0], observation, seed) for latents in samples]
        made = [candidate for candidate in found if candidate is not None]
        if not made:
            raise BadMesh(observation.category or "object", "has no inside in any of MIDI's samples")
        return tuple(sorted(made, key=lambda candidate: candidate.energy))

    def _candidate(self, latents: Tensor, observation: Observation, seed: int) -> Candidate | None:
        """A sample in metres in the world; None where it is no solid."""
        try:
            shape = midi_shape(self.model, latents, self.cfg)
        except BadMesh:
            return None
        made = made_object(shape, fitting_size(shape[0], observation), self.cfg, category=observation.category)
        return placed(made, observation, cfg=self.cfg.registration, seed=seed)


def clearest_view(observation: Observation) -> tuple[int, Bool[ndarray, "height width"]]:
    """The view with most of the object's pixels, and these. Raises `NoObject`."""
    view = best_views(observation)[0]
    return view, np.asarray(observation.labels[view]) == OBJECT


def midi_shape(model: MidiModel, latents: Float[Tensor, "tokens channels"], cfg: MidiSettings) -> Surface:
    """The surface of a sample with as few triangles as the tolerance allows, upright, on the floor, its mean extent 1.

    Raises `BadMesh` where it is not closed or has no inside.
    """
    found = model.surface(latents, cfg.surface, points_a_call=cfg.points_a_call)
    if not len(found.faces):
        raise BadMesh(FAMILY, "has no inside")
    upright = centred(found.vertices @ MIDI_UP_TO_Z.T)
    reach = cfg.tolerance * float(np.ptp(upright, axis=0).max())
    vertices, faces = surface_of(manifold_of(upright, found.faces, FAMILY).simplify(reach), FAMILY)
    return vertices / np.ptp(vertices, axis=0).mean(), faces


def made_object(shape: Surface, size_m: float, cfg: MidiSettings, *, category: str) -> MadeObject:
    """A shape of that mean extent, in convex pieces. Which way it is turned is not known, nor where its seat is."""
    vertices, faces = size_m * shape[0], shape[1]
    parts = convex_pieces(vertices, faces, limit=cfg.most_parts)
    guess = Guess(
        parts=parts, outlines=parts, yaw=None, knee=float(vertices[:, 2].max()), is_seat=category in SEAT_CATEGORIES,
        has_front=False,
    )  # fmt: skip
    return MadeObject(
        family=FAMILY, guess=guess, surface=(vertices, faces), density_kg_m3=cfg.density_kg_m3, friction=cfg.friction
    )


def _whole(folder: Path) -> Checkpoint:
    """All weights of a folder, in one file or in several."""
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise BadWeights(folder, "it holds no .safetensors file")
    read = [read_checkpoint(path) for path in paths]
    weights = {name: value for one in read for name, value in one.weights.items()}
    return Checkpoint(path=folder, weights=weights, arguments=read[0].arguments)
