"""Small robots, and any robot as an MJCF without shapes."""

from xml.sax.saxutils import quoteattr

import numpy as np

from hsimul3r.retarget.robot import Capsule, RobotBody, RobotDescription, RobotJoint

UPRIGHT = np.array([1.0, 0, 0, 0])


def body(name, parent, position, joint=None):
    return RobotBody(
        name=name, parent=parent, position=np.array(position, float), quaternion=UPRIGHT, mass_kg=1.0, centre=np.zeros(3),
        inertia=np.eye(3), joint=joint,
    )  # fmt: skip


def hinge(name, axis, low=-2.0, high=2.0, velocity_rad_s=10.0):
    return RobotJoint(
        name=name, axis=np.array(axis, float), low=low, high=high, velocity_rad_s=velocity_rad_s, torque_n_m=10.0,
        armature=0.01, stiffness=10.0, damping=1.0, home=0.0,
    )  # fmt: skip


def two_links():
    """Hinges about Y half a metre over the root, and a metre farther up."""
    return RobotDescription(
        name="two_links",
        source="test",
        licence="none",
        bodies=(
            body("base", None, (0, 0, 0)),
            body("lower", "base", (0, 0, 0.5), hinge("first", (0, 1, 0))),
            body("upper", "lower", (0, 0, 1.0), hinge("second", (0, 1, 0))),
        ),
        capsules=(Capsule(name="tip", body="upper", start=np.zeros(3), end=np.array([0, 0, 0.3]), radius_m=0.05),),
        surfaces=(),
        key_points=(),
    )


def mjcf_of(robot):
    """Bodies and joints only."""
    children = {}
    for link in robot.bodies:
        children.setdefault(link.parent, []).append(link)

    def written(link):
        numbers = {"pos": link.position, "quat": link.quaternion}
        inner = "".join(written(child) for child in children.get(link.name, []))
        joint = "<freejoint/>" if link.parent is None else ""
        if link.joint is not None:
            joint = f"<joint name={quoteattr(link.joint.name)} axis={quoteattr(spaced(link.joint.axis))}/>"
        attributes = " ".join(f"{name}={quoteattr(spaced(value))}" for name, value in numbers.items())
        inertial = '<inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>'
        return f"<body name={quoteattr(link.name)} {attributes}>{inertial}{joint}{inner}</body>"

    return f"<mujoco><compiler angle='radian'/><worldbody>{written(robot.bodies[0])}</worldbody></mujoco>"


def spaced(values):
    return " ".join(repr(float(value)) for value in values)
