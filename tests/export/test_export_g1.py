"""From a scene to a robot's files by one command: a person who sits, as reconstructed, without a simulation."""

import json

import numpy as np
import pytest
from interaction import toys

from hsimul3r.artifacts import AlignedScene, Contact
from hsimul3r.body.model import EMBEDDED
from hsimul3r.cli import main
from hsimul3r.export.convert import ROBOT_FORMATS
from hsimul3r.geometry.cameras import no_cameras
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.retarget.robot import robot_named
from hsimul3r.run_store import RunStore


@pytest.fixture
def run_folder(tmp_path):
    human = toys.body(toys.SIT)
    chair = toys.chair(toys.lowest_of(human, "buttocks"))
    seat = Contact(person=0, part="buttocks", target="chair", gap_m=0.0, point=np.array([0, 0, chair.vertices[:, 2].max()]))
    motion, _, _ = toys.inputs([human], [])
    scene = AlignedScene(provenance=motion.provenance, body_model=EMBEDDED, bodies=(human,), assets=(chair,), contacts=(seat,),
                         cameras=no_cameras(), tracks=no_tracks(), report={})  # fmt: skip
    folder = tmp_path / "runs" / "sitter"
    with RunStore(folder) as store:
        store.stage("60_aligned", AlignedScene, lambda **_: scene, cfg=None)
    (folder / "source").write_text("test")
    return folder


@pytest.mark.slow
def test_a_scene_becomes_a_robot_s_files(run_folder, capsys):
    pytest.importorskip("mujoco", reason="the scene's MJCF is written by mujoco")
    assert main(["export-g1", "sitter", "--runs", str(run_folder.parent)]) == 0
    out = run_folder / "94_robot_export"
    assert str(out) in capsys.readouterr().out.replace("\n", "")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["robot"] == "unitree_g1_29dof" and all((out / file).is_file() for file in manifest["files"])
    clip = ROBOT_FORMATS["mjlab"].read(out / "motion/mjlab.npz", robot_named("unitree_g1_29dof"), None)
    assert len(clip) == 1 and [track.name for track in clip.objects] == ["chair"]
    knee = clip.joint_position[0, clip.robot.joint_names.index("left_knee_joint")]
    assert knee > 0.8
