"""A run to train a policy on: a case of HSIBench with a reconstruction's errors, held by plain servos and sampling control.

    python benchmarks/policy_run.py sit_down_chair_dining_chair_00 --noise drift --seed 0
    hsimul3r train-policy sit_down_chair_dining_chair_00_drift_0 --config configs/policy_smoke.yaml

and then benchmarks/policy.py on its folders.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from control_cases import BANK, Noise, noisy, staged_scene
from rich.console import Console

from hsimul3r.artifacts import AlignedScene
from hsimul3r.config import PipelineConfig
from hsimul3r.pipeline import build_simulation, hold, suited
from hsimul3r.progress import Progress
from hsimul3r.run_store import RunStore
from hsimul3r.tracking.noise import ErrorBank

CONSOLE = Console(highlight=False)


@dataclass(frozen=True, kw_only=True)
class Args:
    """Which case."""

    case: tyro.conf.Positional[str]
    noise: Noise = "drift"
    seed: int = 0
    runs: Path = Path("runs")


def main(args: Args) -> None:
    def stage(*, cfg: Args, out: Path, progress: Progress) -> AlignedScene:
        return noisy(staged_scene(cfg.case), cfg.case, cfg.noise, cfg.seed, ErrorBank.load(BANK))

    cfg = PipelineConfig()
    with RunStore(args.runs / f"{args.case}_{args.noise}_{args.seed}", Progress(CONSOLE)) as store:
        (store.folder / "source").write_text(f"{args.case}, {args.noise} {args.seed}")
        scene = build_simulation(store.stage("60_aligned", AlignedScene, stage, cfg=args), store, cfg)
        for controller in ("pd", suited(scene)):
            _, verdict = hold(scene, store, replace(cfg, tracking=replace(cfg.tracking, controller=controller)))
            CONSOLE.print(f"{controller}: type {verdict.feedback_type}. {verdict.reason}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main(tyro.cli(Args))
