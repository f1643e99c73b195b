"""`hsimul3r collect-feedback`: samples of a model on many images, judged by the simulator and kept, and what they amount to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import tyro

from hsimul3r.errors import NoCases, NoGeneratorWeights
from hsimul3r.files import owned_folder, write_whole
from hsimul3r.generator.feedback.cases import CaseImages, RunImages
from hsimul3r.generator.feedback.collect import CollectConfig, collect
from hsimul3r.generator.feedback.images import FurnitureImages, ImageSet, Known
from hsimul3r.generator.feedback.record import RolloutStore
from hsimul3r.generator.feedback.sampler import FlowSampler, Sampler
from hsimul3r.generator.feedback.summary import Summary, summarise
from hsimul3r.generator.flow.build_dataset import BuildDatasetConfig, build_dataset
from hsimul3r.generator.flow.generator import SHIPPED
from hsimul3r.generator.flow.weights import WEIGHTS, load_network
from hsimul3r.progress import Progress
from stages.adapters.catalogue import weights_path
from stages.adapters.midi3d import FAMILY as MIDI
from stages.adapters.midi3d import MidiSettings
from stages.adapters.midi_feedback import MidiSampler

SUMMARY: Final = "summary.md"


@dataclass(frozen=True, kw_only=True)
class FeedbackConfig:
    """Settings of `run_feedback`."""

    generator: Literal["part_flow", "midi3d"] = "part_flow"
    """Whose samples: the embedded network's, or MIDI's, by your own weights."""
    images: Literal["furniture", "cases", "runs"] = "furniture"
    """Random furniture, which nobody uses; cases of HSIBench with their people; or finished runs with theirs."""
    data: str = ""
    """Folder of flow.build_dataset (made where none is given), of built cases, or of runs."""
    split: Literal["train", "held_out"] = "train"
    """Of random furniture."""
    count: int = 96
    """Objects of furniture, or cases or runs, the first ones; 0 for all of these."""
    names: tuple[str, ...] = ()
    """Cases or runs, in place of all."""
    views: int = 0
    """Pictures of an object: 1 to 3 of furniture (1), 4, 10 or 16 of a case (4). 0 is the number in brackets."""
    known: Known = (False, False, False, False)
    """What the network is told of furniture: turns between cameras, the object's yaw, widths of the crops, extents."""
    weights: str = ""
    """Folder of the embedded network, also a tuned one; by default the one that comes with the package."""
    midi: MidiSettings = field(default_factory=MidiSettings)
    adapters: tuple[str, ...] = ()
    """Folders of what rounds of tuning taught MIDI (peft's format), in their order."""
    candidates: int = 4
    """The summary's row of choosing the best of so many samples; all rollouts are of single ones."""
    collect: Annotated[CollectConfig, tyro.conf.arg(name="")] = field(default_factory=CollectConfig)


def run_feedback(cfg: FeedbackConfig, out: Path, progress: Progress) -> Summary:
    """Collect into `out`, where a stopped call goes on, and sum up.

    Raises `NoGeneratorWeights`, `WeightsNotGiven`, `NoDataset`, `NoCases`, `NoRollouts`, `WorkersDied`, `FolderBusy`.
    """
    sampler, judge = sampler_of(cfg), cfg.collect.judge
    with owned_folder(out, option="--out"):
        images = image_set(cfg, out, progress)
        found = collect(sampler, images, RolloutStore(out), cfg.collect, progress)
        summary = summarise(found.rollouts, lambda one: sampler.shape(one.sample, judge), candidates=cfg.candidates)
        head = [f"Model {found.model} ({cfg.generator}), judge {found.judge}, {cfg.images}", ""]
        write_whole(out / SUMMARY, "\n".join([*head, *summary.lines()]) + "\n")
    return summary


def sampler_of(cfg: FeedbackConfig) -> Sampler:
    """The generator that the settings name."""
    if cfg.generator == MIDI:
        return MidiSampler.of(weights_path(MIDI, cfg.midi.weights), cfg.midi, [Path(one) for one in cfg.adapters])
    weights = Path(cfg.weights) if cfg.weights else SHIPPED
    if not (weights / WEIGHTS).exists():
        raise NoGeneratorWeights(weights)
    return FlowSampler.of(load_network(weights), cfg.collect.sampling)


def image_set(cfg: FeedbackConfig, out: Path, progress: Progress) -> ImageSet:
    """The images that the settings name."""
    if cfg.images != "furniture" and not cfg.data:
        raise NoCases("No folder of cases or runs was given.")
    if cfg.images == "cases":
        return CaseImages(folder=Path(cfg.data), names=cfg.names, count=cfg.count, views=cfg.views or 4)
    if cfg.images == "runs":
        return RunImages(folder=Path(cfg.data), names=cfg.names, count=cfg.count)
    views = cfg.views or 1
    return FurnitureImages(
        folder=_furniture(cfg, views, out, progress), split=cfg.split, count=cfg.count, views=views, known=cfg.known
    )  # fmt: skip


def _furniture(cfg: FeedbackConfig, views: int, out: Path, progress: Progress) -> Path:
    """The folder given, or one made with as many objects as are asked for."""
    if cfg.data:
        return Path(cfg.data)
    progress.say("pictures of random furniture")
    count, held_out = (cfg.count, 1) if cfg.split == "train" else (1, cfg.count)
    folder = out / "furniture"
    build_dataset(BuildDatasetConfig(out=folder, count=count, held_out=held_out, views=views))
    return folder
