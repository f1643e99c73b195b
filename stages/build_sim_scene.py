"""Turn an aligned scene into one that a physics engine accepts: humanoids, free objects, floor, and the MJCF of it all."""

from dataclasses import dataclass, replace
from pathlib import Path

from hsimul3r.artifacts import AlignedScene, SimScene
from hsimul3r.errors import ScaleUnknown
from hsimul3r.progress import Progress
from hsimul3r.tracking.layout import human_name
from sim_envs.humanoid import BoneGeometry, HumanoidConfig, TorquePreset


@dataclass(frozen=True, kw_only=True)
class BuildSimSceneConfig:
    """What the humanoids are made of."""

    humanoid: BoneGeometry = "hull"
    """Convex hulls of the skin, or capsules, which are faster and rounder."""
    torques: TorquePreset = "phc"
    """Torque limits as PHC has them, or a person's: less is stable then, and what is stable means more."""


def run(aligned: AlignedScene, *, cfg: BuildSimSceneConfig, out: Path, progress: Progress) -> SimScene:
    """Writes `scene.xml` and `assets/` into `out`; raises `ScaleUnknown` for a scene without metres."""
    from sim_envs.scene_builder import SceneParts, describe, write_mjcf

    if aligned.provenance.scale_source == "unknown":
        raise ScaleUnknown(aligned.provenance.frame)
    parts = SceneParts(
        body_model=aligned.body_model,
        bodies=aligned.bodies,
        humans=tuple(human_name(body.person) for body in aligned.bodies),
        assets=aligned.assets,
        humanoid=HumanoidConfig(geometry=cfg.humanoid, torques=cfg.torques),
    )
    model = describe(parts)
    path = write_mjcf(parts, out)
    return SimScene(
        provenance=replace(aligned.provenance, adapter="MjSpec", frame="world"),
        mjcf=path.name,
        body_model=aligned.body_model,
        bodies=aligned.bodies,
        assets=aligned.assets,
        contacts=aligned.contacts,
        object_paths=aligned.object_paths,
        humans=parts.humans,
        humanoid=cfg.humanoid,
        torques=cfg.torques,
        human_mass_kg=model.human_mass_kg,
        joint_names=model.joint_names,
        qpos_names=model.qpos_names,
        qpos=model.qpos,
        report={
            "bodies": float(model.body_count),
            "degrees_of_freedom": float(model.dof_count),
            "object_mass_kg": sum(asset.mass_kg for asset in aligned.assets),
            "deepest_initial_contact_m": model.deepest_contact_m,
        },
    )
