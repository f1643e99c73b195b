"""A robot among objects as a MuJoCo model: the description's links, motors and capsules in the scene that people get.

Names: bodies 'robot/<link>', free joint 'robot/root', hinges and servos 'robot/<joint>', shapes 'robot/<capsule>', contact
sensors 'robot/<part>/<object>/<link>' with the floor among the objects.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.retarget.check.problem import FLOOR_NAME, ROBOT_NAME
from hsimul3r.retarget.robot import Capsule, RobotBody, RobotDescription, RobotJoint
from sim_envs.contract import Timing
from sim_envs.engine import MjModel, MjsBody, MjSpec, mujoco
from sim_envs.humanoid import FLOOR, HUMAN, OBJECT
from sim_envs.mujoco_cpu import MujocoBatch
from sim_envs.scene_builder import WORLD, SceneParts, WorldConfig, add_contact_sensors, build_spec

FRICTION = 0.6
"""Of the robot's soles (mjlab); MuJoCo takes the larger of two surfaces' friction."""


def load_robot(
    robot: RobotDescription, assets: Sequence[ObjectAsset], *, count: int, timing: Timing, threads: int = 0
) -> MujocoBatch:
    """Open `count` simulations of a robot in a scene at its size."""
    targets = (*(asset.name for asset in assets), FLOOR_NAME)
    model = robot_model(robot, assets, timing)
    return MujocoBatch(model, (ROBOT_NAME,), targets, count=count, threads=threads, parts=links_of_parts(robot))


def robot_model(robot: RobotDescription, assets: Sequence[ObjectAsset], timing: Timing) -> MjModel:
    """Compiled, all objects where their assets stand."""
    world = WorldConfig()
    spec = build_spec(SceneParts(body_model="", bodies=(), humans=(), assets=tuple(assets), world=world), timing)
    for key in list(spec.keys):
        spec.delete(key)
    _add_links(spec, robot)
    _add_self_contacts(spec, robot, world)
    targets = {asset.name: asset.name for asset in assets} | {FLOOR_NAME: WORLD}
    add_contact_sensors(spec, {ROBOT_NAME: f"{ROBOT_NAME}/{robot.root}"}, targets, links_of_parts(robot))
    for geom in spec.geoms:
        geom.solref = [world.contact_time_s, 1.0]
    return spec.compile()


def links_of_parts(robot: RobotDescription) -> Mapping[str, tuple[str, ...]]:
    """The links that carry the capsules of each surface."""
    owner = {capsule.name: capsule.body for capsule in robot.capsules}
    return {
        surface.part: tuple(dict.fromkeys((surface.body, *(owner[name] for name in surface.capsules))))
        for surface in robot.surfaces
    }


def _add_links(spec: MjSpec, robot: RobotDescription) -> None:
    bodies: dict[str, MjsBody] = {}
    for link in robot.bodies:
        above = spec.worldbody if link.parent is None else bodies[link.parent]
        bodies[link.name] = _add_link(above, link)
        if link.parent is None:
            bodies[link.name].add_freejoint(name=f"{ROBOT_NAME}/root")
        elif link.joint is not None:
            _add_motor(spec, bodies[link.name], link.joint)
    for capsule in robot.capsules:
        _add_capsule(bodies[capsule.body], capsule)


def _add_link(above: MjsBody, link: RobotBody) -> MjsBody:
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = link.inertia
    return above.add_body(
        name=f"{ROBOT_NAME}/{link.name}",
        pos=link.position,
        quat=link.quaternion,
        mass=link.mass_kg,
        ipos=link.centre,
        fullinertia=[xx, yy, zz, xy, xz, yz],
        explicitinertial=True,
    )


def _add_motor(spec: MjSpec, body: MjsBody, joint: RobotJoint) -> None:
    mj = mujoco()
    name = f"{ROBOT_NAME}/{joint.name}"
    body.add_joint(
        name=name,
        type=mj.mjtJoint.mjJNT_HINGE,
        axis=joint.axis,
        range=[joint.low, joint.high],
        limited=True,
        armature=joint.armature,
    )
    servo = spec.add_actuator(
        name=name,
        trntype=mj.mjtTrn.mjTRN_JOINT,
        target=name,
        forcelimited=True,
        forcerange=[-joint.torque_n_m, joint.torque_n_m],
    )
    servo.set_to_position(kp=joint.stiffness, kv=joint.damping)


def _add_capsule(body: MjsBody, capsule: Capsule) -> None:
    kind = mujoco().mjtGeom
    common = {
        "name": f"{ROBOT_NAME}/{capsule.name}",
        "mass": 0.0,
        "contype": HUMAN,
        "conaffinity": OBJECT | FLOOR,
        "friction": [FRICTION, 0.005, 0.0001],
        "rgba": [0.62, 0.64, 0.68, 1.0],
        "size": [capsule.radius_m, 0, 0],
    }
    if np.linalg.norm(capsule.end - capsule.start) < 1e-6:
        body.add_geom(type=kind.mjGEOM_SPHERE, pos=capsule.start, **common)
    else:
        body.add_geom(type=kind.mjGEOM_CAPSULE, fromto=[*capsule.start, *capsule.end], **common)


def _add_self_contacts(spec: MjSpec, robot: RobotDescription, world: WorldConfig) -> None:
    """Only the pairs of capsules that the retargeter keeps apart."""
    for one, other in robot.apart:
        pair = spec.add_pair(geomname1=f"{ROBOT_NAME}/{one}", geomname2=f"{ROBOT_NAME}/{other}", condim=3)
        pair.solref = [world.contact_time_s, 1.0]
