from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import AlignedScene, Contact, SimScene
from hsimul3r.benchmark.interactions import foot_on_stool
from hsimul3r.body.model import embedded_body
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


@pytest.fixture(scope="session")
def standing(simulated: Callable[[AlignedScene], SimScene]) -> SimScene:
    """A second with one foot on the floor and the other on a stool, at rest."""
    scene, model = simulated(foot_on_stool()), embedded_body()
    body = scene.bodies[0]
    raised = next(contact.part for contact in scene.contacts if contact.part.endswith("_foot"))
    soles = dict(zip(("left_foot", "right_foot"), model.soles(body.betas, body.pose[0], body.transl[0])))
    part = next(name for name in soles if name != raised)
    on_floor = Contact(person=0, part=part, target="floor", gap_m=0.0, point=soles[part].mean(axis=0) * [1, 1, 0])
    pose, transl = np.repeat(body.pose, 31, axis=0), np.repeat(body.transl, 31, axis=0)
    still = replace(body, pose=pose, transl=transl, fps=30.0)
    return replace(scene, bodies=(still,), contacts=(*scene.contacts, on_floor))
