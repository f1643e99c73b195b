"""MuJoCo as a worker's engine: what Isaac Gym's adapter must do, with an engine that can be run. Python 3.8, mujoco >= 3.2.

It reads the same URDFs, so that they are tested too, and integrates at 1/240 s or finer whatever the step.
"""

from __future__ import annotations

import copy
import os
import xml.etree.ElementTree as ET
from typing import Any, Dict  # noqa: UP035

import numpy as np

FINEST_HZ = 240.0
BAD = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC")


class Engine:
    """Bodies are numbered as the scene lists them, actor by actor; -1 is the floor. Quaternions are wxyz."""

    def __init__(self) -> None:
        import mujoco

        self.mj: Any = mujoco
        self.version = "mujoco " + self.mj.__version__

    def load(self, scene: dict, folder: str, count: int, timestep_s: float) -> None:
        """Open `count` simulations in the pose of the URDFs."""
        mj = self.mj
        self.substeps = max(1, int(np.ceil(timestep_s * FINEST_HZ - 1e-9)))
        model = mj.MjModel.from_xml_string(mjcf_of(scene, folder, timestep_s / self.substeps))
        self.models = [copy.copy(model) for _ in range(count)]
        self.data = [mj.MjData(model) for model in self.models]
        self.bodies = [model.body(name).id for actor in scene["actors"] for name in actor["bodies"]]
        self.number = {body: i for i, body in enumerate(self.bodies)}
        self.roots = [model.joint(actor["name"] + ":free") for actor in scene["actors"]]
        dofs = [dof["name"] for actor in scene["actors"] for dof in actor["dofs"]]
        self.dof_qpos = [int(model.joint(name).qposadr[0]) for name in dofs]
        self.dof_qvel = [int(model.joint(name).dofadr[0]) for name in dofs]
        self.servo = [model.actuator(name).id for name in dofs]
        self.forces: Dict[int, np.ndarray] = {}  # noqa: UP006
        self.capped = np.zeros(count, int)
        mj.set_mju_user_warning(lambda message: None)

    def reset(self, rows: list[int], root: np.ndarray, dof: np.ndarray) -> None:
        """Start anew. root (rows, actors, 13): position, quaternion, velocity and angular velocity, all world; dof (rows, dofs,
        2): angle and rate."""
        for row, roots, dofs in zip(rows, root, dof):
            model, data = self.models[row], self.data[row]
            self.mj.mj_resetData(model, data)
            for joint, state in zip(self.roots, roots):
                at, speed = int(joint.qposadr[0]), int(joint.dofadr[0])
                data.qpos[at : at + 7] = state[:7]
                data.qvel[speed : speed + 3] = state[7:10]
                data.qvel[speed + 3 : speed + 6] = self._turned(state[3:7], state[10:13], is_inverse=True)
            data.qpos[self.dof_qpos] = dofs[:, 0]
            data.qvel[self.dof_qvel] = dofs[:, 1]
            for body, force in self.forces.items():
                data.xfrc_applied[body, :3] = force[row]
            self.capped[row] = 0
            self.mj.mj_forward(model, data)

    def step(self, targets: np.ndarray, steps: int) -> None:
        """Advance with the servos' target angles (sims, dofs)."""
        for sim, (model, data) in enumerate(zip(self.models, self.data)):
            data.ctrl[self.servo] = targets[sim]
            for _ in range(steps):
                for _ in range(self.substeps):
                    self.mj.mj_step(model, data)
                self.capped[sim] += int(np.max(data.solver_niter) >= model.opt.iterations)

    def refresh(self) -> None:
        """Make poses, contacts and torques those of the present state."""
        for model, data in zip(self.models, self.data):
            self.mj.mj_forward(model, data)

    def read(self, shared: dict, rows) -> None:  # noqa: ANN001
        """Write root, dof, body, torque, diverged and capped of those simulations."""
        bad = [getattr(self.mj.mjtWarning, name) for name in BAD]
        for row in rows:
            data = self.data[row]
            for actor, joint in enumerate(self.roots):
                at, speed = int(joint.qposadr[0]), int(joint.dofadr[0])
                state = shared["root"][row, actor]
                state[:7] = data.qpos[at : at + 7]
                state[7:10] = data.qvel[speed : speed + 3]
                state[10:13] = self._turned(state[3:7], data.qvel[speed + 3 : speed + 6], is_inverse=False)
            shared["dof"][row, :, 0] = data.qpos[self.dof_qpos]
            shared["dof"][row, :, 1] = data.qvel[self.dof_qvel]
            shared["body"][row, :, :3] = data.xpos[self.bodies]
            shared["body"][row, :, 3:] = data.xquat[self.bodies]
            shared["torque"][row] = data.actuator_force[self.servo]
            shared["diverged"][row] = float(any(data.warning[int(kind)].number > 0 for kind in bad))
            shared["capped"][row] = self.capped[row]

    def contacts(self, sim: int):  # noqa: ANN201
        """(body, body, normal force, point, depth) of every contact that pushes."""
        model, data, force = self.models[sim], self.data[sim], np.zeros(6)
        for i in range(data.ncon):
            contact = data.contact[i]
            first, second = (self.number.get(int(model.geom_bodyid[geom]), -1) for geom in (contact.geom1, contact.geom2))
            self.mj.mj_contactForce(model, data, i, force)
            yield first, second, float(force[0]), np.array(contact.pos), max(0.0, -float(contact.dist))

    def set_parameter(self, name: str, body: str, values: np.ndarray) -> None:
        """Set a parameter from (sims, 3), a number in the first column."""
        for sim, (model, data) in enumerate(zip(self.models, self.data)):
            if name == "gravity_m_s2":
                model.opt.gravity[:] = values[sim]
                continue
            at = model.body(body).id
            if name == "force_n":
                self.forces[at] = values
                data.xfrc_applied[at, :3] = values[sim]
            elif name == "mass_kg":
                model.body_inertia[at] *= values[sim, 0] / model.body_mass[at]
                model.body_mass[at] = values[sim, 0]
                self.mj.mj_setConst(model, self.mj.MjData(model))
            else:
                model.geom_friction[model.geom_bodyid == at, 0] = values[sim, 0]

    def _turned(self, quaternion: np.ndarray, vector: np.ndarray, is_inverse: bool) -> np.ndarray:
        out, turn = np.zeros(3), np.array(quaternion)
        if is_inverse:
            self.mj.mju_negQuat(turn, np.array(quaternion))
        self.mj.mju_rotVecQuat(out, np.array(vector), turn)
        return out


def mjcf_of(scene: dict, folder: str, timestep_s: float) -> str:
    """A model of all actors' URDFs on a floor, each free in the world; actors collide with one another, not with themselves."""
    root = ET.Element("mujoco", model="wire")
    ET.SubElement(root, "compiler", angle="radian", eulerseq="XYZ", meshdir=os.path.abspath(folder))  # noqa: PTH100
    ET.SubElement(
        root, "option", timestep=repr(timestep_s), integrator="implicitfast", cone="elliptic", impratio="3", iterations="50"
    )
    ET.SubElement(ET.SubElement(root, "default"), "geom", solref="0.01 1")
    asset, world = ET.SubElement(root, "asset"), ET.SubElement(root, "worldbody")
    actuator = ET.SubElement(root, "actuator")
    friction = "{} 0.005 0.0001"
    floor = friction.format(scene["floor_friction"])
    ET.SubElement(world, "geom", type="plane", size="0 0 1", contype="1", conaffinity=str((1 << 30) - 1), friction=floor)
    for i, actor in enumerate(scene["actors"]):
        own = 2 << i
        common = {
            "contype": str(own),
            "conaffinity": str(((1 << 30) - 1) & ~own),
            "friction": friction.format(actor["friction"]),
        }
        add_actor(actor, ET.parse(os.path.join(folder, actor["urdf"])).getroot(), asset, world, common)  # noqa: PTH118
        for dof in actor["dofs"]:
            strongest = dof["effort"]
            limits: Any = {"forcelimited": "true", "forcerange": f"{-strongest!r} {strongest!r}"}
            gains: Any = {"kp": repr(dof["stiffness"]), "kv": repr(dof["damping"])}
            ET.SubElement(actuator, "position", name=dof["name"], joint=dof["name"], **gains, **limits)
    return ET.tostring(root, encoding="unicode")


def add_actor(actor: dict, urdf: Any, asset: ET.Element, world: ET.Element, common: dict) -> None:
    """Hang the links of a URDF under one another."""
    armature = {dof["joint"]: repr(dof["armature"]) for dof in actor["dofs"]}
    full_name = {dof["joint"]: dof["name"] for dof in actor["dofs"]}
    joints = {joint.find("child").get("link"): joint for joint in urdf.findall("joint")}
    elements = {}
    for link in urdf.findall("link"):
        name, joint = link.get("name"), joints.get(link.get("name"))
        if joint is None:
            body = ET.SubElement(world, "body", name=actor["links"][name])
            ET.SubElement(body, "freejoint", name=actor["name"] + ":free")
        else:
            parent, title = elements[joint.find("parent").get("link")], joint.get("name")
            known = actor["links"].get(name, actor["name"] + "//" + name)
            body = ET.SubElement(parent, "body", name=known, pos=joint.find("origin").get("xyz"))
            limit, axis = joint.find("limit"), joint.find("axis").get("xyz")
            span = limit.get("lower") + " " + limit.get("upper")
            passive = joint.find("dynamics").get("damping")
            kind = {"type": "hinge", "axis": axis, "range": span, "limited": "true", "damping": passive}
            ET.SubElement(body, "joint", name=full_name[title], armature=armature[title], **kind)
        elements[name] = body
        add_link(link, body, asset, common)


def add_link(link: Any, body: ET.Element, asset: ET.Element, common: dict) -> None:
    """Inertia and collision shapes, boxes and convex meshes, of a link."""
    inertial = link.find("inertial")
    inertia = inertial.find("inertia")
    full = " ".join(inertia.get(key) for key in ("ixx", "iyy", "izz", "ixy", "ixz", "iyz"))
    mass, centre = inertial.find("mass").get("value"), inertial.find("origin").get("xyz")
    ET.SubElement(body, "inertial", pos=centre, mass=mass, fullinertia=full)
    for collision in link.findall("collision"):
        box, mesh = collision.find("geometry").find("box"), collision.find("geometry").find("mesh")
        if box is not None:
            half = " ".join(repr(float(side) / 2) for side in box.get("size").split())
            origin = collision.find("origin")
            ET.SubElement(body, "geom", type="box", size=half, pos=origin.get("xyz"), euler=origin.get("rpy"), **common)
        else:
            ET.SubElement(asset, "mesh", name=mesh.get("filename"), file=mesh.get("filename"))
            ET.SubElement(body, "geom", type="mesh", mesh=mesh.get("filename"), **common)
