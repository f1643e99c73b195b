"""`check-robot`: from a scene to the verdict on a robot in it, by one command."""

import numpy as np
import pytest
from interaction import toys

from hsimul3r.artifacts import AlignedScene, Contact
from hsimul3r.body.model import EMBEDDED
from hsimul3r.cli import main
from hsimul3r.geometry.cameras import no_cameras
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.retarget.check.verdict import RobotCheck
from hsimul3r.run_store import RunStore


@pytest.mark.slow
def test_a_seated_robot_is_judged(tmp_path, capsys):
    human = toys.body(toys.SIT)
    chair = toys.chair(toys.lowest_of(human, "buttocks"))
    seat = Contact(person=0, part="buttocks", target="chair", gap_m=0.0, point=np.array([0, 0, chair.vertices[:, 2].max()]))
    motion, _, _ = toys.inputs([human], [])
    scene = AlignedScene(
        provenance=motion.provenance, body_model=EMBEDDED, bodies=(human,), assets=(chair,), contacts=(seat,),
        cameras=no_cameras(), tracks=no_tracks(), report={},
    )  # fmt: skip
    folder = tmp_path / "runs" / "sitter"
    with RunStore(folder) as store:
        store.stage("60_aligned", AlignedScene, lambda **_: scene, cfg=None)
    (folder / "source").write_text("test")
    options = ["--robot-check.follow.controller", "lead", "--robot-check.follow.hold-s", "0.5"]
    assert main(["check-robot", "sitter", "--runs", str(folder.parent), *options]) == 0
    check = RobotCheck.load(folder / "96_robot_check")
    touched = next(c for c in check.criteria if c.name == "time the robot touches chair [share]")
    assert touched.value > 0.5
    assert check.reason in " ".join(capsys.readouterr().out.split())
