"""A motion without photos of its surroundings, as a scene: on the floor, with the furniture and the contacts that it needs."""

from dataclasses import replace

import numpy as np

from hsimul3r.artifacts import AlignedScene, BodySequence, Provenance
from hsimul3r.body.model import SmplxFormatBody, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.cameras import no_cameras
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.interaction.contacts_from_motion import Moves, Rest, RestConfig, floor_height, rests_of
from hsimul3r.interaction.supports import SupportConfig, Supports, build_supports


def motion_scene(
    body: BodySequence, provenance: Provenance, *, rest: RestConfig, supports: SupportConfig
) -> AlignedScene:  # fmt: skip
    """The scene of one person's motion."""
    model = embedded_body()
    moves = Moves.of(model, body)
    rests = rests_of(moves, rest)
    built = build_supports(moves, rests, model.faces, person=body.person, cfg=supports)
    return AlignedScene(
        provenance=provenance, body_model=model.name, bodies=(body,), assets=built.assets, contacts=built.contacts,
        cameras=no_cameras(), tracks=no_tracks(), report=_report(body, rests, built),
    )  # fmt: skip


def on_floor(model: SmplxFormatBody, body: BodySequence, cfg: RestConfig) -> BodySequence:
    """The floor at z = 0, the origin below the pelvis in the first frame."""
    floor = floor_height(Moves.of(model, body), cfg)
    pelvis = model.joints(body.betas, body.pose[0], body.transl[0])[SMPLX_JOINTS.index("pelvis")]
    return replace(body, transl=body.transl - np.array([*pelvis[:2], floor]), report={**body.report, "floor_m": floor})


def _report(body: BodySequence, rests: tuple[Rest, ...], supports: Supports) -> dict[str, float]:
    return {
        **body.report,
        "rests": len(rests),
        "rests_on_floor": sum(rest.is_on_floor for rest in rests),
        "rests_without_support": len(supports.unsupported),
        "grips": sum(rest.needs_grip for rest in rests),
        "furniture_mass_kg": sum(asset.mass_kg for asset in supports.assets),
    }
