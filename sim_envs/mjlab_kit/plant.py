"""mjlab's environment, one of it, in plain MuJoCo: state, step and observation without a pass over a batch.

A step on a CPU costs a tenth of mjlab's. `observation` is what mjlab's managers compute, undisturbed; layout.py says its order.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy import ndarray

from .task import COMMAND

ROBOT = "robot"


@dataclass(frozen=True, kw_only=True)
class Motion:
    """motion.npz in the model's coordinates; joints in the robot's order."""

    qpos: ndarray
    """(frames, nq)."""
    qvel: ndarray
    """(frames, nv)."""
    joint_pos: ndarray
    joint_vel: ndarray
    anchor_pos: ndarray
    """(frames, 3)."""
    anchor_quat: ndarray
    object_pos: ndarray
    """(frames, objects, 3)."""
    object_quat: ndarray

    def __len__(self) -> int:
        return len(self.qpos)


@dataclass(frozen=True, kw_only=True)
class Plant:
    """Everything by name."""

    model: Any
    data: Any
    motion: Motion
    decimation: int
    joints: tuple[str, ...]
    objects: tuple[str, ...]
    anchor: str
    home: ndarray
    """(joints,) where actions of zero ask for [rad]."""
    scale: ndarray
    """(joints,) rad an action."""
    servos: ndarray
    """(joints,) places in ctrl, as the next two are in qpos and qvel."""
    joint_places: ndarray
    joint_rates: ndarray
    root_place: int
    root_rate: int

    @property
    def root_rates(self) -> ndarray:
        """Places of the root's six velocities."""
        return self.root_rate + np.arange(6)

    @classmethod
    def of(cls, env: Any) -> Self:
        """Of mjlab's environment over the task."""
        import mujoco

        model, robot = env.sim.mj_model, env.scene["robot"]
        command, action = env.command_manager.get_term(COMMAND), env.action_manager.get_term("joint_pos")
        table = dict(np.load(command.cfg.motion_file))
        anchor = table["body_names"].tolist().index(command.cfg.anchor_body_name)
        qpos, qvel = _coordinates(model, table)
        servo = {model.joint(int(model.actuator_trnid[i, 0])).name: i for i in range(model.nu)}
        joints = [model.joint(f"{ROBOT}/{name}") for name in robot.joint_names]
        root = model.joint(_free_joint(model, ROBOT))
        motion = Motion(
            qpos=qpos, qvel=qvel, joint_pos=table["joint_pos"], joint_vel=table["joint_vel"],
            anchor_pos=table["body_pos_w"][:, anchor], anchor_quat=table["body_quat_w"][:, anchor],
            object_pos=table["scene_object_pos_w"], object_quat=table["scene_object_quat_w"],
        )  # fmt: skip
        return cls(
            model=model, data=mujoco.MjData(model), motion=motion, decimation=env.cfg.decimation,
            joints=tuple(robot.joint_names), objects=tuple(command.names), anchor=command.cfg.anchor_body_name,
            home=robot.data.default_joint_pos[0].cpu().numpy(), scale=action._scale[0].cpu().numpy(),
            servos=np.array([servo[joint.name] for joint in joints]),
            joint_places=np.array([joint.qposadr[0] for joint in joints]),
            joint_rates=np.array([joint.dofadr[0] for joint in joints]),
            root_place=int(root.qposadr[0]), root_rate=int(root.dofadr[0]),
        )  # fmt: skip

    def put(self, qpos: ndarray, qvel: ndarray) -> None:
        """Start in a state."""
        import mujoco

        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos, self.data.qvel = qpos, qvel

    def advance(self, targets: ndarray) -> None:
        """Hold the servos' targets (joints,) for one step of the policy."""
        import mujoco

        self.data.ctrl[self.servos] = targets
        for _ in range(self.decimation):
            mujoco.mj_step(self.model, self.data)

    def state(self) -> tuple[ndarray, ndarray]:
        return self.data.qpos.copy(), self.data.qvel.copy()

    def difference(self, qpos: ndarray, qvel: ndarray, from_qpos: ndarray, from_qvel: ndarray) -> ndarray:
        """(2 nv,), positions in the tangent space of the second state."""
        import mujoco

        found = np.empty(self.model.nv)
        mujoco.mj_differentiatePos(self.model, found, 1.0, from_qpos, qpos)
        return np.concatenate([found, qvel - from_qvel])

    def observation(self, frame: int, action: ndarray) -> ndarray:
        """What the actor sees in the present state when `frame` is the reference's, after `action`."""
        import mujoco

        motion, data = self.motion, self.data
        mujoco.mj_forward(self.model, data)
        anchor = data.body(f"{ROBOT}/{self.anchor}")
        R = anchor.xmat.reshape(3, 3)

        def in_anchor(position: ndarray, turn: ndarray) -> tuple[ndarray, ndarray]:
            return R.T @ (position - anchor.xpos), (R.T @ turn)[:, :2].ravel()

        now = [data.body(f"{name}/{name}") for name in self.objects]
        seen = [in_anchor(body.xpos, body.xmat.reshape(3, 3)) for body in now]
        wanted = [in_anchor(p, _matrix(q)) for p, q in zip(motion.object_pos[frame], motion.object_quat[frame])]
        parts = [
            motion.joint_pos[frame], motion.joint_vel[frame],
            *in_anchor(motion.anchor_pos[frame], _matrix(motion.anchor_quat[frame])),
            data.sensor(f"{ROBOT}/imu_lin_vel").data, data.sensor(f"{ROBOT}/imu_ang_vel").data,
            data.qpos[self.joint_places] - self.home, data.qvel[self.joint_rates], action,
            *(value for pose in (*seen, *wanted) for value in pose),
        ]  # fmt: skip
        return np.concatenate(parts).astype(np.float32)


def _coordinates(model: Any, table: dict[str, ndarray]) -> tuple[ndarray, ndarray]:
    frames = len(table["joint_pos"])
    qpos, qvel = np.tile(model.qpos0, (frames, 1)), np.zeros((frames, model.nv))
    for i, name in enumerate(table["joint_names"].tolist()):
        joint = model.joint(f"{ROBOT}/{name}")
        qpos[:, joint.qposadr[0]], qvel[:, joint.dofadr[0]] = table["joint_pos"][:, i], table["joint_vel"][:, i]
    root = [table[f"body_{name}"][:, 0].astype(float) for name in ("pos_w", "quat_w", "lin_vel_w", "ang_vel_w")]
    _place(model, ROBOT, qpos, qvel, root)
    for i, name in enumerate(table["scene_object_names"].tolist()):
        pose = [table[f"scene_object_{part}_w"][:, i].astype(float) for part in ("pos", "quat")]
        _place(model, name, qpos, qvel, [*pose, np.zeros((frames, 3)), np.zeros((frames, 3))])
    return qpos, qvel


def _place(model: Any, entity: str, qpos: ndarray, qvel: ndarray, at: list[ndarray]) -> None:
    """Position, quaternion, linear and angular velocity in the world; a free joint has its turn rate in its own frame."""
    joint = model.joint(_free_joint(model, entity))
    place, rate = joint.qposadr[0], joint.dofadr[0]
    position, quat, velocity, turn = at
    qpos[:, place : place + 3], qpos[:, place + 3 : place + 7], qvel[:, rate : rate + 3] = position, quat, velocity
    for t in range(len(qpos)):
        qvel[t, rate + 3 : rate + 6] = _matrix(quat[t]).T @ turn[t]


def _free_joint(model: Any, entity: str) -> str:
    """Name of an entity's free joint."""
    import mujoco

    names = [model.joint(i).name for i in range(model.njnt) if model.jnt_type[i] == mujoco.mjtJoint.mjJNT_FREE]
    return next(name for name in names if name.split("/")[0] == entity)


def _matrix(quat: ndarray) -> ndarray:
    """Of wxyz."""
    import mujoco

    found = np.empty(9)
    mujoco.mju_quat2Mat(found, np.asarray(quat, float))
    return found.reshape(3, 3)
