"""The subject, the furniture and the dice that a motion's plan is drawn with."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.objects.pieces import Furniture, Surface
from hsimul3r.benchmark.posing.motions_plan import PlanObject
from hsimul3r.benchmark.scene import CaseSpec
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS

REFERENCE_STATURE_M = 1.70


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One case's ingredients. `size` is the stature over 1.70 m."""

    name: str
    betas: Float[ndarray, "10"]
    furniture: tuple[Furniture, ...]
    rng: np.random.Generator
    thigh_m: float
    shin_m: float
    size: float

    @classmethod
    def of(cls, spec: CaseSpec) -> "Stage":
        body = embedded_body()
        betas = np.asarray(spec.subject.betas, float)
        joints = body.joints(betas, np.zeros((55, 3)), np.zeros(3))
        hip, knee, ankle = (joints[SMPLX_JOINTS.index(f"left_{name}")] for name in ("hip", "knee", "ankle"))
        return cls(
            name=spec.name,
            betas=betas,
            furniture=tuple(build_furniture(name) for name in spec.objects),
            rng=np.random.default_rng(spec.seed),
            thigh_m=float(np.linalg.norm(knee - hip)),
            shin_m=float(np.linalg.norm(ankle - knee)),
            size=float(body.stature(betas)) / REFERENCE_STATURE_M,
        )

    def around(self, value: float, spread: float) -> float:
        """A value drawn evenly within `spread` of another."""
        return float(self.rng.uniform(value - spread, value + spread))

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
