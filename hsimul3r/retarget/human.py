"""A person's joints and soles over time, as the retargeter reads them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import SMPLX_JOINTS


@dataclass(frozen=True, kw_only=True)
class Human:
    """One person in the world."""

    fps: float
    places: Float[ndarray, "frames 55 3"]
    turns: Float[ndarray, "frames 55 3 3"]
    rest: Float[ndarray, "55 3"]
    """In the T-pose, +Y up."""
    soles: Float[ndarray, "frames 2 4 3"]
    """Under the feet (left, right): heel, ball inside, ball outside, toe tip."""
    ankle_m: float
    """Height of the ankles over the soles in the T-pose."""

    @classmethod
    def of(cls, model: BodyModel, body: BodySequence) -> "Human":
        """Every frame of a sequence."""
        zero = np.zeros((len(SMPLX_JOINTS), 3))
        frames = model.fk(body.betas, body.pose, body.transl)
        rest = model.joints(body.betas, zero, np.zeros(3))
        ankles = [_index("left_ankle"), _index("right_ankle")]
        return cls(
            fps=body.fps,
            places=frames[..., :3, 3],
            turns=frames[..., :3, :3],
            rest=rest,
            soles=model.soles(body.betas, body.pose, body.transl),
            ankle_m=float(rest[ankles, 1].mean() - model.soles(body.betas, zero, np.zeros(3))[..., 1].mean()),
        )

    def __len__(self) -> int:
        return len(self.places)

    def scaled(self, factor: float) -> "Human":
        """The same motion of a person, and through a world, of another size."""
        return replace(
            self, places=self.places * factor, rest=self.rest * factor, soles=self.soles * factor, ankle_m=self.ankle_m * factor
        )

    def place(self, joint: str) -> Float[ndarray, "frames 3"]:
        return self.places[:, _index(joint)]

    def turn(self, joint: str) -> Float[ndarray, "frames 3 3"]:
        return self.turns[:, _index(joint)]

    def hips(self) -> Float[ndarray, "frames 3"]:
        """Middle of the hip joints."""
        return (self.place("left_hip") + self.place("right_hip")) / 2

    def palm(self, side: str) -> Float[ndarray, "frames 3"]:
        """Middle of a hand."""
        return (self.place(f"{side}_wrist") + self.place(f"{side}_middle1")) / 2

    def length(self, *joints: str) -> float:
        """Of a chain of joints in the T-pose."""
        path = self.rest[[_index(joint) for joint in joints]]
        return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def _index(joint: str) -> int:
    return SMPLX_JOINTS.index(joint)
