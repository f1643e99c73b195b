"""What a controller needs of a simulation, whatever engine runs it; engines implement `sim_envs.contract.SimBatch`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from jaxtyping import Bool, Float, Int
from numpy import ndarray

Fidelity = Literal["plan", "judge"]
"""`plan` is the coarse, fast simulation in which samples are compared; `judge` the fine one that decides."""

Parameter = Literal["contact_recovery_s", "gravity_m_s2", "force_n", "mass_kg", "friction"]
"""What may differ between the simulations of a batch: contact_recovery_s (sims,) is the time constant with which penetration
decays, 0 for the hardest contact; gravity_m_s2 (sims, 3) the acceleration; force_n (sims, 3) a world force at a body's centre
of mass; mass_kg and friction (sims,) a body's."""


@dataclass(frozen=True, kw_only=True)
class ContactReadings:
    """Contacts by pair name, see `Simulation.contact_names`."""

    force_n: Float[ndarray, "sims pairs"]
    """Sum of the normal forces."""
    point: Float[ndarray, "sims pairs 3"]
    """Centre of the contacts weighted by force [m, world]; zero where there is none."""


class Simulation(Protocol):
    """`count` simulations of one scene, side by side, in world frame and SI units. Everything is addressed by name."""

    @property
    def count(self) -> int: ...
    @property
    def timestep_s(self) -> float: ...
    @property
    def qpos_names(self) -> tuple[str, ...]:
        """'<joint>:<component>'; free joints have x y z qw qx qy qz, ball joints qw qx qy qz."""
        ...

    @property
    def qvel_names(self) -> tuple[str, ...]:
        """'<joint>:<component>'; free joints have vx vy vz (world) wx wy wz (own frame), ball joints wx wy wz."""
        ...

    @property
    def ctrl_names(self) -> tuple[str, ...]:
        """'<joint>/x', '/y', '/z': the target of a ball joint's servo, one component of a rotation vector [rad]."""
        ...

    @property
    def contact_names(self) -> tuple[str, ...]:
        """'<human>/<part>/<object>' for every person, every key of CONTACT_PARTS and every object."""
        ...

    def reset(
        self,
        qpos: Float[ndarray, "some nq"],
        qvel: Float[ndarray, "some nv"] | None = None,
        *,
        only: Int[ndarray, "some"] | None = None,
    ) -> None:
        """Start anew from a state: time, controls, forces and velocities (unless given) are zero; parameters stay.

        `only` lists the simulations to start anew, without it all; nothing of the others changes, not a bit.
        """
        ...

    def step(self, ctrl: Float[ndarray, "sims nu"], steps: int = 1, *, is_exact: bool = False) -> None:
        """Advance by `steps` time steps. Poses and contacts then belong to the last step's start, `is_exact` to its end."""
        ...

    def state(self) -> tuple[Float[ndarray, "sims nq"], Float[ndarray, "sims nv"]]:
        """Copies of positions and velocities."""
        ...

    def body_poses(self, names: Sequence[str]) -> tuple[Float[ndarray, "sims bodies 3"], Float[ndarray, "sims bodies 4"]]:
        """Frame origins and orientations (wxyz) of the named bodies."""
        ...

    def contacts(self) -> ContactReadings:
        """Forces between body parts and objects, in the order of `contact_names`."""
        ...

    def penetration_m(self) -> Float[ndarray, "sims"]:
        """How deep the deepest contact between a person and an object is; 0 without contact."""
        ...

    def has_diverged(self) -> Bool[ndarray, "sims"]:
        """True where the engine gave up on a simulation since its last reset; its state then means nothing."""
        ...

    def servo_torques(self) -> Float[ndarray, "sims nu"]:
        """What each servo gives about its axis [N m], in the order of `ctrl_names`; belongs to the moment that poses do."""
        ...

    def capped_steps(self) -> Int[ndarray, "sims"]:
        """Time steps since a simulation's last reset that the contact solver ended at its limit of iterations, unconverged."""
        ...

    def set_parameter(self, name: Parameter, values: Float[ndarray, "sims *size"], *, body: str | None = None) -> None:
        """Set a parameter in every simulation; `body` where it belongs to a body."""
        ...


Simulator = Callable[[Fidelity, int], Simulation]
"""Opens so many simulations of the scene at hand."""
