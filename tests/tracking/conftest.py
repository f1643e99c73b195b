from collections.abc import Callable
from dataclasses import replace

import pytest

from hsimul3r.artifacts import AlignedScene, SimScene
from sim_envs.conformance import scene_of
from sim_envs.scene_builder import SceneParts


@pytest.fixture(scope="session")
def simulated() -> Callable[[AlignedScene], SimScene]:
    """An aligned scene as a scene for the engine, without files."""

    def build(aligned: AlignedScene) -> SimScene:
        humans = tuple(f"person{body.person}" for body in aligned.bodies)
        parts = SceneParts(body_model=aligned.body_model, bodies=aligned.bodies, humans=humans, assets=aligned.assets)
        return replace(scene_of(parts), contacts=aligned.contacts)

    return build
