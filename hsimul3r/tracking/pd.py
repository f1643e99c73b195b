"""The plain baseline: start as reconstructed and let the servos follow the reconstructed pose."""

from collections.abc import Sequence

import numpy as np

from hsimul3r.tracking.layout import HumanLayout
from hsimul3r.tracking.problem import TrackingProblem
from hsimul3r.tracking.recording import Plan


def follow_reconstruction(problem: TrackingProblem, qpos_names: Sequence[str], ctrl_names: Sequence[str]) -> Plan:
    """The PD controller's plan, a command a frame of the problem."""
    ctrl = np.zeros((problem.frames, len(ctrl_names)))
    for person in problem.people:
        HumanLayout.of(person.name, qpos_names, ctrl_names).write_targets(ctrl, person.pose)
    return Plan(qpos=problem.qpos, ctrl=ctrl)
