"""The learning curve as CSV: a row an iteration, added to when a run is resumed."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import csv
import time
from pathlib import Path
from typing import Any

from rsl_rl.utils.log_writer import LogWriter

CURVE = "curve.csv"
TAGS = {
    "Train/mean_reward": "reward",
    "Train/mean_episode_length": "episode_steps",
    "Policy/mean_std": "action_std",
    "Loss/value": "value_loss",
    "Loss/learning_rate": "learning_rate",
    "Metrics/motion/error_body_pos": "body_error_m",
    "Episode_Reward/contact_places": "reward_contact_places",
    "Episode_Reward/contacts_borne": "reward_contacts_borne",
    "Episode_Termination/motion_ended": "ended_by_motion",
    "Episode_Termination/anchor_pos": "ended_by_height",
    "Episode_Termination/anchor_ori": "ended_by_lean",
    "Episode_Termination/ee_body_pos": "ended_by_hands_or_feet",
    "Episode_Termination/object_left": "ended_by_object",
}
COLUMNS = ("iteration", "cpu_s", *TAGS.values())


class CurveWriter(LogWriter):
    """What rsl-rl writes to; reward and length are means over the last 100 episodes, endings counts a step."""

    def __init__(self, log_dir: str, **_: Any) -> None:
        self.path = Path(log_dir) / CURVE
        self.row: dict[str, Any] = {}
        if not self.path.is_file():
            self._add(COLUMNS)

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int) -> None:
        """Values of one iteration come together; a tag that is not of `TAGS` is left out."""
        if tag not in TAGS:
            return
        if self.row and self.row["iteration"] != global_step:
            self._finish()
        known = {"iteration": global_step, "cpu_s": round(time.process_time(), 2)}
        self.row |= known | {TAGS[tag]: float(scalar_value)}

    def stop(self) -> None:
        self._finish()

    def _finish(self) -> None:
        self._add([self.row.get(name, "") for name in COLUMNS])
        self.row = {}

    def _add(self, values: Any) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(values)
