"""Isaac Gym (Preview 4) as a worker's engine. Python 3.8.

NEVER RUN: Isaac Gym cannot be installed where this project is tested. The calls follow its documentation and public code that
uses it; `mujoco_engine.py`, which has the same methods, is what the tests hold to the contract.

PhysX runs on the GPU, states pass through the CPU: only so are contacts given body by body. It does a fixed number of solver
iterations, averages the friction of two surfaces where MuJoCo takes the larger, and pushes bodies out of one another at up to
`MAX_DEPENETRATION_M_S`. Velocities of a body are taken to be those of its centre of mass, as PhysX has them.
"""

from __future__ import annotations

from typing import Dict  # noqa: UP035

import numpy as np

SUBSTEP_HZ = 120.0
MAX_DEPENETRATION_M_S = 1.0
POSITION_ITERATIONS, VELOCITY_ITERATIONS = 8, 2
SPACING_M = 5.0
LARGEST_STATE = 1e4


class Engine:
    """See `mujoco_engine.Engine`."""

    def __init__(self) -> None:
        from isaacgym import gymapi  # pyright: ignore

        self.api = gymapi
        self.gym = gymapi.acquire_gym()
        self.version = "isaacgym"

    def load(self, scene: dict, folder: str, count: int, timestep_s: float) -> None:
        """Open `count` environments of the scene's actors on a floor."""
        self.actors = scene["actors"]
        self.dof_start = np.cumsum([0] + [len(actor["dofs"]) for actor in self.actors])
        self.body_start = np.cumsum([0] + [len(actor["bodies"]) for actor in self.actors])
        self.sim = self._open(scene, timestep_s)
        assets = [self._asset(folder, actor) for actor in self.actors]
        self.envs = [self._environment(assets, i, count) for i in range(count)]
        self.forces: Dict[str, np.ndarray] = {}  # noqa: UP006
        self.diverged = np.zeros(count, bool)
        self.gym.prepare_sim(self.sim)

    def reset(self, rows: list[int], root: np.ndarray, dof: np.ndarray) -> None:
        """Start anew: all bodies of an actor at its root, then its joints."""
        api, gym = self.api, self.gym
        for row, roots, dofs in zip(rows, root, dof):
            env, handles = self.envs[row]
            self.diverged[row] = False
            for actor, handle in enumerate(handles):
                state, body = roots[actor], gym.get_actor_rigid_body_states(env, handle, api.STATE_ALL)
                speed = state[7:10] + np.cross(state[10:13], turned(state[3:7], self.centres[row][actor]))
                body["pose"]["p"].fill(tuple(state[:3]))
                body["pose"]["r"].fill((state[4], state[5], state[6], state[3]))
                body["vel"]["linear"].fill(tuple(speed))
                body["vel"]["angular"].fill(tuple(state[10:13]))
                gym.set_actor_rigid_body_states(env, handle, body, api.STATE_ALL)
                mine = dofs[self.dof_start[actor] : self.dof_start[actor + 1]][self.order[actor]]
                if len(mine):
                    joints = gym.get_actor_dof_states(env, handle, api.STATE_ALL)
                    joints["pos"], joints["vel"] = mine[:, 0], mine[:, 1]
                    gym.set_actor_dof_states(env, handle, joints, api.STATE_ALL)
                    gym.set_actor_dof_position_targets(env, handle, mine[:, 0].astype(np.float32))

    def step(self, targets: np.ndarray, steps: int) -> None:
        """Advance with the servos' target angles (sims, dofs)."""
        for (env, handles), target in zip(self.envs, targets):
            for actor, handle in enumerate(handles):
                mine = target[self.dof_start[actor] : self.dof_start[actor + 1]][self.order[actor]]
                if len(mine):
                    self.gym.set_actor_dof_position_targets(env, handle, mine.astype(np.float32))
        for _ in range(steps):
            self._push()
            self.gym.simulate(self.sim)
            self.gym.fetch_results(self.sim, True)

    def refresh(self) -> None:
        """Everything is that of the last step's end already."""

    def read(self, shared: dict, rows) -> None:  # noqa: ANN001
        """Write root, dof, body, torque, diverged and capped of those simulations."""
        api, gym = self.api, self.gym
        for row in rows:
            env, handles = self.envs[row]
            for actor, handle in enumerate(handles):
                body = gym.get_actor_rigid_body_states(env, handle, api.STATE_ALL)
                place, turn = fields(body["pose"]["p"], "xyz"), fields(body["pose"]["r"], "wxyz")
                linear, angular = fields(body["vel"]["linear"], "xyz"), fields(body["vel"]["angular"], "xyz")
                off = np.cross(angular[0], turned(turn[0], self.centres[row][actor]))
                shared["root"][row, actor] = np.concatenate([place[0], turn[0], linear[0] - off, angular[0]])
                mine = slice(self.body_start[actor], self.body_start[actor + 1])
                shared["body"][row, mine] = np.concatenate([place, turn], axis=1)[self.kept[actor]]
                if len(self.order[actor]):
                    joints = gym.get_actor_dof_states(env, handle, api.STATE_ALL)
                    at = self.dof_start[actor] + self.order[actor]
                    shared["dof"][row, at, 0], shared["dof"][row, at, 1] = joints["pos"], joints["vel"]
                    shared["torque"][row, at] = gym.get_actor_dof_forces(env, handle)
            state = np.concatenate([shared["root"][row].ravel(), shared["dof"][row].ravel()])
            self.diverged[row] |= not bool((np.abs(state) < LARGEST_STATE).all())
            shared["diverged"][row] = float(self.diverged[row])
            shared["capped"][row] = 0.0

    def contacts(self, sim: int):  # noqa: ANN201
        """(body, body, normal force, point, depth) of every contact of the last substep that pushes."""
        env, handles = self.envs[sim]
        bodies = [self.gym.get_actor_rigid_body_states(env, handle, self.api.STATE_POS) for handle in handles]
        place = np.concatenate([fields(body["pose"]["p"], "xyz") for body in bodies])
        turn = np.concatenate([fields(body["pose"]["r"], "wxyz") for body in bodies])
        for contact in self.gym.get_env_rigid_contacts(env):
            first, second = int(contact["body0"]), int(contact["body1"])
            holder, spot = (first, contact["localPos0"]) if first >= 0 else (second, contact["localPos1"])
            point = place[holder] + turned(turn[holder], np.array([spot["x"], spot["y"], spot["z"]]))
            depth = max(0.0, -float(contact["minDist"]))
            yield self.number.get(first, -1), self.number.get(second, -1), float(contact["lambda"]), point, depth

    def set_parameter(self, name: str, body: str, values: np.ndarray) -> None:
        """Set a parameter from (sims, 3), a number in the first column."""
        if name == "force_n":
            self.forces[body] = values
            return
        actor, link = self.named[body]
        for (env, handles), value in zip(self.envs, values):
            handle = handles[actor]
            if name == "mass_kg":
                properties = self.gym.get_actor_rigid_body_properties(env, handle)
                properties[link].mass = float(value[0])
                self.gym.set_actor_rigid_body_properties(env, handle, properties, True)
            else:
                shapes = self.gym.get_actor_rigid_shape_properties(env, handle)
                owned = self.gym.get_actor_rigid_body_shape_indices(env, handle)[link]
                for shape in shapes[owned.start : owned.start + owned.count]:
                    shape.friction = float(value[0])
                self.gym.set_actor_rigid_shape_properties(env, handle, shapes)

    def _open(self, scene: dict, timestep_s: float):  # noqa: ANN202
        api, params = self.api, self.api.SimParams()
        params.dt, params.up_axis = timestep_s, api.UP_AXIS_Z
        params.substeps = max(1, int(np.ceil(timestep_s * SUBSTEP_HZ - 1e-9)))
        params.gravity = api.Vec3(0.0, 0.0, -scene["gravity_m_s2"])
        params.use_gpu_pipeline, params.physx.use_gpu = False, True
        params.physx.solver_type = 1
        params.physx.num_position_iterations, params.physx.num_velocity_iterations = POSITION_ITERATIONS, VELOCITY_ITERATIONS
        params.physx.contact_offset, params.physx.rest_offset = 0.02, 0.0
        params.physx.max_depenetration_velocity = MAX_DEPENETRATION_M_S
        params.physx.contact_collection = api.CC_LAST_SUBSTEP
        sim = self.gym.create_sim(0, -1, api.SIM_PHYSX, params)
        if sim is None:
            raise RuntimeError("create_sim gave no simulation: no CUDA device?")
        plane = api.PlaneParams()
        plane.normal = api.Vec3(0.0, 0.0, 1.0)
        plane.static_friction = plane.dynamic_friction = scene["floor_friction"]
        self.gym.add_ground(sim, plane)
        return sim

    def _asset(self, folder: str, actor: dict):  # noqa: ANN202
        options = self.api.AssetOptions()
        options.collapse_fixed_joints, options.fix_base_link = False, False
        options.override_com, options.override_inertia = False, False
        options.linear_damping, options.angular_damping = 0.0, 0.0
        options.max_angular_velocity = 100.0
        options.default_dof_drive_mode = int(self.api.DOF_MODE_POS)
        return self.gym.load_asset(self.sim, folder, actor["urdf"], options)

    def _environment(self, assets: list, index: int, count: int):  # noqa: ANN202
        api, gym = self.api, self.gym
        corner = api.Vec3(-SPACING_M, -SPACING_M, 0.0), api.Vec3(SPACING_M, SPACING_M, SPACING_M)
        env = gym.create_env(self.sim, corner[0], corner[1], int(np.ceil(np.sqrt(count))))
        handles = []
        for i, (actor, asset) in enumerate(zip(self.actors, assets)):
            handle = gym.create_actor(env, asset, api.Transform(), actor["name"], index, 1 << i)
            handles.append(handle)
            self._furnish(env, handle, actor)
        if index == 0:
            self.order, self.kept, self.named, self.number, self.centres = [], [], {}, {}, []
            for i, handle in enumerate(handles):
                self._name(env, handle, i)
        masses = [gym.get_actor_rigid_body_properties(env, handle)[0].com for handle in handles]
        self.centres.append([np.array([com.x, com.y, com.z]) for com in masses])
        return env, handles

    def _furnish(self, env, handle, actor: dict) -> None:  # noqa: ANN001
        """Friction of all shapes, and gains, limits and armature of all joints, of one actor."""
        gym = self.gym
        shapes = gym.get_actor_rigid_shape_properties(env, handle)
        for shape in shapes:
            shape.friction, shape.restitution = actor["friction"], 0.0
        gym.set_actor_rigid_shape_properties(env, handle, shapes)
        if not actor["dofs"]:
            return
        wanted = {dof["joint"]: dof for dof in actor["dofs"]}
        properties = gym.get_actor_dof_properties(env, handle)
        for i, name in enumerate(gym.get_actor_dof_names(env, handle)):
            dof = wanted[name]
            properties["driveMode"][i] = int(self.api.DOF_MODE_POS)
            properties["stiffness"][i], properties["damping"][i] = dof["stiffness"], dof["damping"] + dof["passive"]
            properties["effort"][i], properties["armature"][i] = dof["effort"], dof["armature"]
            properties["lower"][i], properties["upper"][i] = -dof["limit"], dof["limit"]
        gym.set_actor_dof_properties(env, handle, properties)
        gym.enable_actor_dof_force_sensors(env, handle)

    def _name(self, env, handle, index: int) -> None:  # noqa: ANN001
        """Where Isaac Gym has an actor's joints and bodies: it orders them breadth-first, links between hinges among them."""
        gym, actor = self.gym, self.actors[index]
        wanted = [dof["joint"] for dof in actor["dofs"]]
        self.order.append(np.array([wanted.index(name) for name in gym.get_actor_dof_names(env, handle)], int))
        links = list(gym.get_actor_rigid_body_names(env, handle))
        full = list(actor["links"].items())
        self.kept.append([links.index(link) for link, _ in full])
        for i, (link, name) in enumerate(full):
            self.named[name] = (index, links.index(link))
            inside = gym.find_actor_rigid_body_index(env, handle, link, self.api.DOMAIN_ENV)
            self.number[int(inside)] = int(self.body_start[index]) + i

    def _push(self) -> None:
        """Isaac Gym forgets a force after every step."""
        for name, values in self.forces.items():
            actor, link = self.named[name]
            for (env, handles), value in zip(self.envs, values):
                body = self.gym.get_actor_rigid_body_handle(env, handles[actor], link)
                force = self.api.Vec3(float(value[0]), float(value[1]), float(value[2]))
                self.gym.apply_body_forces(env, body, force, None, self.api.ENV_SPACE)


def fields(structured: np.ndarray, names: str) -> np.ndarray:
    """Columns of a structured array side by side."""
    return np.stack([structured[name] for name in names], axis=-1).astype(np.float64)


def turned(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """A vector turned by a quaternion wxyz."""
    w, axis = quaternion[0], np.asarray(quaternion[1:])
    across = np.cross(axis, vector)
    return vector + 2.0 * (w * across + np.cross(axis, across))
