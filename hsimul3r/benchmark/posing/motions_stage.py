"""The subject, the furniture and the dice that a motion's plan is drawn with."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.objects.pieces import Furniture, Surface
from hsimul3r.benchmark.posing.keyposes import Arm
from hsimul3r.benchmark.posing.motions_distance import PlanePieces
from hsimul3r.benchmark.posing.motions_plan import PlanObject
from hsimul3r.benchmark.posing.solids import edge_y
from hsimul3r.benchmark.scene import CaseSpec
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import NotPosable

REFERENCE_STATURE_M = 1.70
SIDES = (("left", 1), ("right", -1))
"""Sides of the body and their sign along +X of a person who looks along -Y."""
FOREVER_S = 60.0
"""Beyond the end of every motion."""
UNDER_TOP_M = 0.015
"""How far below a table's top its edge is measured."""
HANGING = Arm(flex=4, lower=74, elbow=14, pronate=15)
FOOT_X_M, FOOT_Y_M, FOOT_Z_M = np.linspace(-0.06, 0.06, 5), np.linspace(-0.2, 0.07, 9), np.linspace(0.005, 0.12, 6)
"""A foot's box around its ankle, toes to -Y."""
SHIN_Y_M, SHIN_LOW_M = np.linspace(-0.1, 0.055, 5), 0.12
"""The room of a shin above it, up to the knee."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One case's ingredients. `size` is the stature over 1.70 m."""

    name: str
    betas: Float[ndarray, "10"]
    furniture: tuple[Furniture, ...]
    rng: np.random.Generator
    thigh_m: float
    shin_m: float
    knee_m: float
    """Height of the knees who stands."""
    size: float

    @classmethod
    def of(cls, spec: CaseSpec) -> "Stage":
        body = embedded_body()
        betas = np.asarray(spec.subject.betas, float)
        joints = body.joints(betas, np.zeros((55, 3)), np.zeros(3))
        hip, knee, ankle = (joints[SMPLX_JOINTS.index(f"left_{name}")] for name in ("hip", "knee", "ankle"))
        soles = body.soles(betas, np.zeros((55, 3)), np.zeros(3))
        return cls(
            name=spec.name,
            betas=betas,
            furniture=tuple(build_furniture(name) for name in spec.objects),
            rng=np.random.default_rng(spec.seed),
            thigh_m=float(np.linalg.norm(knee - hip)),
            shin_m=float(np.linalg.norm(ankle - knee)),
            knee_m=float(knee[1] - soles[0, :, 1].min()),
            size=float(body.stature(betas)) / REFERENCE_STATURE_M,
        )

    def around(self, value: float, spread: float) -> float:
        """A value drawn evenly within `spread` of another."""
        return float(self.rng.uniform(value - spread, value + spread))

    def times(self, *seconds: float) -> list[float]:
        """Moments at this case's pace."""
        return [float(moment) for moment in np.array(seconds) * self.around(1.05, 0.15)]

    def surfaces(self, kind: str, item: int = 0) -> tuple[Surface, ...]:
        """The places of a kind on one of the objects."""
        return tuple(surface for surface in self.furniture[item].surfaces if surface.kind == kind)

    def standing(self, item: int = 0, *, at: tuple[float, float] = (0.0, 0.0), yaw_deg: float = 0.0) -> PlanObject:
        """One of the objects where it does not move."""
        T = np.eye(4)
        T[:2, 3] = at
        c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
        T[:2, :2] = [[c, -s], [s, c]]
        return PlanObject(name=self.furniture[item].name, furniture=self.furniture[item], T_plan_object=T[None])

    def edge_y(self, x: float, z: float, item: int = 0, *, side: float = 1.0) -> float:
        """Where an object begins, coming from +Y (side 1) or -Y (side -1) at (x, z) of its own frame."""
        return edge_y(self.furniture[item].name, x=x, z=z, side=side)

    def clear_y(self, x: tuple[float, ...], start: float, item: int = 0) -> float:
        """Where ankles at these x, coming from `start` towards -Y, and their shins are clear of the object."""
        pieces = PlanePieces.of(self.furniture[item])
        shin_z = np.linspace(SHIN_LOW_M, self.knee_m / self.size - 0.03, 9)
        grids = ((FOOT_X_M, FOOT_Y_M, FOOT_Z_M), (FOOT_X_M, SHIN_Y_M, shin_z))
        box = np.concatenate([np.stack(np.meshgrid(*grid, indexing="ij"), -1).reshape(-1, 3) for grid in grids]) * self.size
        for y in np.arange(start, start - 0.6, -0.01):
            feet = np.concatenate([box + np.array([ankle_x, y, 0.0]) for ankle_x in x])
            if pieces.query(feet[None], np.eye(4)[None], 1.0)[0].min() > 0.004:
                return float(y)
        raise NotPosable(self.name, f"the feet find no place before {self.furniture[item].name}")
