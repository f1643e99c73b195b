import os
from importlib.util import find_spec

import pytest

from hsimul3r.errors import UnknownBackend, UnsupportedParameter
from sim_envs import BACKENDS, backend
from sim_envs.conformance import REQUIREMENTS, blocks_scene
from sim_envs.contract import JUDGE
from sim_envs.isaacgym.client import INTERPRETER, WorkerBackend

WARP = pytest.mark.skipif(find_spec("mujoco_warp") is None, reason="mujoco_warp is not installed: pip install -e '.[warp]'")
ISAAC = pytest.mark.skipif(INTERPRETER not in os.environ, reason=f"no Isaac Gym is named in {INTERPRETER}")
MARKS = {"mujoco_warp": (WARP, pytest.mark.slow), "isaacgym": (ISAAC, pytest.mark.slow)}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: r.__name__)
@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in BACKENDS])
def test_backend_meets_the_contract(name, requirement):
    requirement(backend(name))


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: r.__name__)
def test_a_worker_process_meets_the_contract(requirement):
    requirement(WorkerBackend("mujoco"))


def test_unknown_backend_says_which_exist():
    with pytest.raises(UnknownBackend, match="mujoco_cpu"):
        backend("bullet")


def test_unknown_parameter_raises():
    batch = backend("mujoco_cpu").load(blocks_scene(0.1), count=1, timing=JUDGE)
    with pytest.raises(UnsupportedParameter, match="viscosity"):
        batch.set_parameter("viscosity", [1.0])
