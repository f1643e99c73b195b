"""One body's parameters for another's: the target's skin is laid onto the source's, joints near joints of the same name.

Betas of two body models have nothing in common, and their rest poses differ by some degrees, so parameters are fitted: rounds
of nearest points, Levenberg-Marquardt on distances along the source's normals. What is left is reported.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial import KDTree
from torch import Tensor

from hsimul3r.body.model import BodyModel, SkinnedPoints, SmplxFormatBody, rodrigues
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.levenberg import Term, minimise
from hsimul3r.geometry.mesh import vertex_normals

JOINTS = len(BODY_JOINTS)
BETAS = 10
STEP = 1e-6
"""Of the difference quotients, in float64."""


@dataclass(frozen=True, kw_only=True)
class ConversionConfig:
    """Spreads of what is compared, and how long to search."""

    rounds: int = 8
    steps: int = 4
    """Of Levenberg-Marquardt in a round."""
    skin_sigma_m: float = 0.01
    joint_sigma_m: float = 0.05
    """Wide: what one model calls a hip is not where the other has it."""
    turn_sigma: float = 0.1
    """Of a joint's turn against the source's [rad]."""
    beta_sigma: float = 3.0
    reach_m: float = 0.06
    """Skin farther from the source's than this counts as hidden from it, after the first rounds."""
    least_agreement: float = 0.5
    """Smallest cosine between normals of matched skin."""


@dataclass(frozen=True, kw_only=True)
class ConvertedBody:
    """Parameters of the target model, and how far its body is from the source's."""

    betas: Float[ndarray, "10"]
    pose: Float[ndarray, "55 3"]
    transl: Float[ndarray, "3"]
    skin_error_m: float
    """Mean distance of the target's skin (hands left out) from the source's surface, along its normals."""
    skin_error_95_m: float
    """Of 95 in 100 points of the skin the distance is less."""
    joint_error_m: float
    """Mean distance between body joints of the same name."""


@dataclass(frozen=True, kw_only=True)
class _Matches:
    """Points of the source's surface and its normals there, for some of the target's vertices."""

    vertex: ndarray
    points: Tensor
    normals: Tensor


def convert_body(
    source: BodyModel, betas: ndarray, pose: Float[ndarray, "55 3"], transl: Float[ndarray, "3"],
    target: SmplxFormatBody, *, cfg: ConversionConfig = ConversionConfig(),
) -> ConvertedBody:  # fmt: skip
    """The target's parameters of a posed source; fingers, jaw and eyes turn as the source's do."""
    fit = _Fit(source, betas, pose, transl, target, cfg)
    x = fit.start()
    for round_ in range(cfg.rounds):
        matches = fit.matches(x, reach_m=np.inf if round_ < cfg.rounds // 2 else cfg.reach_m)
        x = fit.improved(x, matches)
    return fit.result(x)


class _Fit:
    """Unknowns x: betas (10), translation (3), turns of the body joints (22 x 3, axis-angle)."""

    def __init__(
        self, source: BodyModel, betas: ndarray, pose: ndarray, transl: ndarray, target: SmplxFormatBody,
        cfg: ConversionConfig,
    ):  # fmt: skip
        self.target, self.cfg, self.pose = target, cfg, pose
        self.vertices = source.vertices(betas, pose, transl)
        self.normals = vertex_normals(self.vertices, source.faces)
        self.tree = KDTree(self.vertices)
        self.joints = torch.as_tensor(source.joints(betas, pose, transl)[:JOINTS])
        self.turns = torch.as_tensor(np.asarray(pose, float)[:JOINTS].reshape(-1))
        self.skin = target.skin.on_body_joints(JOINTS)
        self.matched = np.flatnonzero(np.asarray(target.weights)[:, JOINTS:].sum(axis=1) < 0.5)

    def start(self) -> Float[ndarray, "unknowns"]:
        x = torch.cat([torch.zeros(BETAS + 3, dtype=torch.float64), self.turns])
        x[BETAS : BETAS + 3] = self.joints[0] - self.target.skeleton.template[0]
        return x.numpy()

    def matches(self, x: Float[ndarray, "unknowns"], *, reach_m: float) -> _Matches:
        """Nearest points of the source for the skin of the target that faces the same way."""
        skin = self._posed(torch.as_tensor(x))[0].numpy()
        normals = vertex_normals(skin, self.target.faces)
        distance, near = (np.asarray(found) for found in self.tree.query(skin[self.matched]))
        agrees = (normals[self.matched] * self.normals[near]).sum(axis=1) > self.cfg.least_agreement
        kept = agrees & (distance < reach_m)
        return _Matches(
            vertex=self.matched[kept], points=torch.as_tensor(self.vertices[near[kept]]),
            normals=torch.as_tensor(self.normals[near[kept]]),
        )  # fmt: skip

    def improved(self, x: Float[ndarray, "unknowns"], matches: _Matches) -> Float[ndarray, "unknowns"]:
        """A few steps with the matches as they are."""
        skin = self._some_skin(matches.vertex)

        def terms(state: ndarray) -> list[Term]:
            beside = np.concatenate([state[None], state + STEP * np.eye(len(state))])
            found = self._residuals(torch.as_tensor(beside), skin, matches).numpy()
            jacobian = (found[1:] - found[0]).T / STEP
            columns = np.broadcast_to(np.arange(len(state)), jacobian.shape)
            return [Term(name="all", values=found[0][:, None], columns=columns, jacobian=jacobian[:, None], huber=3.0)]

        def retract(state: ndarray, step: ndarray) -> ndarray:
            return state + step

        free = np.ones(len(x), bool)
        return minimise(x, terms=terms, retract=retract, is_free=free, max_iterations=self.cfg.steps).state

    def result(self, x: Float[ndarray, "unknowns"]) -> ConvertedBody:
        at, matches = torch.as_tensor(x), self.matches(x, reach_m=np.inf)
        skin, joints = self._posed(at)
        away = ((skin[matches.vertex] - matches.points) * matches.normals).sum(-1).abs().numpy()
        pose = np.array(self.pose, float)
        pose[:JOINTS] = x[BETAS + 3 :].reshape(-1, 3)
        return ConvertedBody(
            betas=x[:BETAS], pose=pose, transl=x[BETAS : BETAS + 3], skin_error_m=float(away.mean()),
            skin_error_95_m=float(np.quantile(away, 0.95)), joint_error_m=float((joints - self.joints).norm(dim=-1).mean()),
        )  # fmt: skip

    def _some_skin(self, vertex: ndarray) -> SkinnedPoints:
        return SkinnedPoints(
            template=self.skin.template[vertex], shapes=self.skin.shapes[vertex], weights=self.skin.weights[vertex]
        )

    def _posed(self, x: Float[Tensor, "*batch unknowns"], skin: SkinnedPoints | None = None) -> tuple[Tensor, Tensor]:
        """Skin and body joints in the world."""
        betas, transl, turns = x[..., :BETAS], x[..., BETAS : BETAS + 3], x[..., BETAS + 3 :].unflatten(-1, (JOINTS, 3))
        rotations, joints, offsets = self.target.skeleton.transforms(betas, rodrigues(turns), transl)
        return (skin or self.skin).posed(betas, rotations, offsets), joints

    def _residuals(
        self, x: Float[Tensor, "*batch unknowns"], skin: SkinnedPoints, matches: _Matches
    ) -> Float[Tensor, "*batch residuals"]:
        """In units of their spreads; the skin counts as much as a hundred independent points."""
        points, joints = self._posed(x, skin)
        share = (100 / max(len(matches.vertex), 1)) ** 0.5
        away = ((points - matches.points) * matches.normals).sum(-1) / self.cfg.skin_sigma_m * share
        apart = (joints - self.joints).flatten(-2) / self.cfg.joint_sigma_m
        turned = (x[..., BETAS + 3 :] - self.turns) / self.cfg.turn_sigma
        return torch.cat([away, apart, turned, x[..., :BETAS] / self.cfg.beta_sigma], -1)
