"""Dresses a body: skin with a painted face, hair, top, trousers and shoes, all made on the T-pose and skinned with the body.

A garment is the body's own surface within a region, smoothed, eased outwards and folded. Only appearance: the truth of a case
is the bare body.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_matrix
from scipy.spatial import ConvexHull

from hsimul3r.benchmark.camera.shot import Material, TexturedMesh
from hsimul3r.benchmark.look import swatches, textures
from hsimul3r.benchmark.scene import PersonLook
from hsimul3r.body.model import SmplxFormatBody, rodrigues
from hsimul3r.conventions import SMPLX_JOINTS

Rng = np.random.Generator
HEAD_M = 0.36
"""Side of the square of the T-pose that the head's pictures (front and back) cover."""
HAIRLINE = np.array(
    [
        [-0.08, -0.060],
        [0.0, -0.055],
        [0.022, 0.004],
        [0.05, 0.012],
        [0.058, -0.012],
        [0.068, -0.010],
        [0.08, 0.022],
        [0.115, 0.050],
        [0.15, 0.058],
    ]
)
"""Lowest hair (height above the eyes) by depth z in the T-pose, metres."""
BOB_LINE = np.array(
    [[-0.08, -0.125], [0.0, -0.12], [0.03, -0.10], [0.05, -0.07], [0.068, 0.0], [0.08, 0.022], [0.115, 0.05], [0.15, 0.058]]
)
HAIR_M = {"short": 0.016, "parted": 0.022, "bun": 0.014, "ponytail": 0.014, "bob": 0.026, "cropped": 0.007, "shaved": 0.003}
EASE_M = {"tee": 0.011, "shirt": 0.010, "sweater": 0.016, "longsleeve": 0.009, "jacket": 0.021}


@dataclass(frozen=True, kw_only=True)
class Cloth:
    """A surface on the T-pose: points with skinning weights, and triangles."""

    points: Float[ndarray, "points 3"]
    weights: Float[ndarray, "points 55"]
    faces: Int[ndarray, "faces 3"]

    @property
    def normals(self) -> Float[ndarray, "points 3"]:
        return np.asarray(trimesh.Trimesh(self.points, self.faces, process=False).vertex_normals)

    def region(self, mask: Bool[ndarray, "points"]) -> "Cloth":
        """The triangles whose three corners are in `mask`."""
        faces = self.faces[mask[self.faces].all(1)]
        used, index = np.unique(faces, return_inverse=True)
        return Cloth(points=self.points[used], weights=self.weights[used], faces=index.reshape(-1, 3))

    @property
    def is_border(self) -> Bool[ndarray, "points"]:
        unique, count = self._edges
        border = np.zeros(len(self.points), bool)
        border[unique[count == 1]] = True
        return border

    @property
    def _edges(self) -> tuple[Int[ndarray, "edges 2"], Int[ndarray, "edges"]]:
        """Edges, smaller end first, and how many triangles each has."""
        edges = np.sort(np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]), axis=1)
        keys, count = np.unique(edges[:, 0] * len(self.points) + edges[:, 1], return_counts=True)
        return np.column_stack(np.divmod(keys, len(self.points))), count

    def smoothed(self, rounds: int) -> "Cloth":
        """Each point at the mean of its neighbours, `rounds` times; border points stay."""
        edges = np.concatenate([self._edges[0], self._edges[0][:, ::-1]])
        count = np.bincount(edges[:, 0], minlength=len(self.points))
        mean = csr_matrix((1.0 / count[edges[:, 0]], (edges[:, 0], edges[:, 1])), shape=(len(self.points),) * 2)
        points, border = self.points.copy(), self.is_border
        for _ in range(rounds):
            points = np.where(border[:, None], points, 0.5 * points + 0.5 * (mean @ points))
        return replace(self, points=points)

    def eased(self, body: "Cloth", ease: Float[ndarray, "points"] | float) -> "Cloth":
        """Moved outwards so that every point is at least `ease` off the body's point that it came from."""
        normals = body.normals
        lift = np.maximum(ease - np.einsum("pk,pk->p", self.points - body.points, normals), 0.0)
        return replace(self, points=self.points + lift[:, None] * normals)

    def subdivided(self) -> "Cloth":
        """Every triangle cut into four at its edges' midpoints, weights interpolated."""
        mixed, faces = trimesh.remesh.subdivide(np.column_stack([self.points, self.weights]), self.faces)[:2]
        return Cloth(points=mixed[:, :3], weights=mixed[:, 3:], faces=faces)

    def displaced(self, heights: Float[ndarray, "points"]) -> "Cloth":
        return replace(self, points=self.points + heights[:, None] * self.normals)


@dataclass(frozen=True, kw_only=True)
class Garment:
    """Something worn (skin and hair too), ready to be posed; its material has the name `material`."""

    name: str
    material: str
    cloth: Cloth
    uv: Float[ndarray, "faces 3 2"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A dressed person: made once in T-pose, posed for every moment."""

    body: SmplxFormatBody
    betas: Float[ndarray, "10"]
    garments: tuple[Garment, ...]
    materials: dict[str, Material]
    skinning: csr_matrix
    """Weights of all garments' points, one after the other."""

    def posed(self, pose: Float[ndarray, "55 3"], transl: Float[ndarray, "3"]) -> list[TexturedMesh]:
        """Meshes in the world by linear blend skinning; faces and texture coordinates are the same arrays in every pose."""
        R, _, offsets = self.body.skeleton.transforms(
            torch.as_tensor(self.betas), rodrigues(torch.as_tensor(pose)), torch.as_tensor(transl)
        )
        frames = np.concatenate([R.numpy(), offsets.numpy()[..., None]], axis=-1).reshape(55, 12)
        blended = (self.skinning @ frames).reshape(-1, 3, 4)
        rest = np.concatenate([garment.cloth.points for garment in self.garments])
        points = np.einsum("pxy,py->px", blended[..., :3], rest) + blended[..., 3]
        starts = np.cumsum([len(garment.cloth.points) for garment in self.garments])[:-1]
        return [
            TexturedMesh(
                name=garment.name, group="person", material=garment.material, vertices=vertices, faces=garment.cloth.faces,
                uv=garment.uv, is_smooth=True,
            )
            for garment, vertices in zip(self.garments, np.split(points, starts))
        ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Dummy:
    """The T-pose to dress and its joints."""

    bare: Cloth
    joints: Float[ndarray, "55 3"]

    def joint(self, name: str) -> Float[ndarray, "3"]:
        return self.joints[SMPLX_JOINTS.index(name)]

    @property
    def eyes(self) -> Float[ndarray, "3"]:
        """The middle between the eyes."""
        return (self.joint("left_eye_smplhf") + self.joint("right_eye_smplhf")) / 2


def dress(body: SmplxFormatBody, betas: Float[ndarray, "10"], look: PersonLook, rng: Rng, *, scale: int = 1) -> Figure:
    """Dress a person. `body` is the fine version of the embedded body, `scale` that of the textures (swatches.py)."""
    rest = np.zeros((55, 3))
    bare = Cloth(points=body.vertices(betas, rest, np.zeros(3)), weights=body.weights, faces=body.faces)
    dummy = _Dummy(bare=bare, joints=body.joints(betas, rest, np.zeros(3)))
    garments = (
        *_skin(dummy, look),
        *_hair(dummy, look, rng),
        _top(dummy, look, rng),
        _legs(dummy, look, rng),
        _shoes(dummy),
    )
    skinning = csr_matrix(np.concatenate([garment.cloth.weights for garment in garments]))
    materials = _materials(dummy, look, rng, scale)
    return Figure(body=body, betas=np.asarray(betas, float), garments=garments, materials=materials, skinning=skinning)


def _materials(dummy: _Dummy, look: PersonLook, rng: Rng, scale: int) -> dict[str, Material]:
    skin = swatches.tinted(swatches.drawn("skin", rng, scale), look.skin)
    legs = swatches.tinted(swatches.drawn("fabric", rng, scale), look.trousers)
    hair = swatches.tinted(swatches.drawn("strands", rng, scale), look.hair)
    return {
        "head": Material(image=_face_picture(skin, look), roughness=0.5),
        "skin": Material(image=skin, roughness=0.5),
        "eyes": Material(image=_eye_picture(), roughness=0.1),
        "hair": Material(image=hair, roughness=0.55, bump_m=0.002),
        "top": Material(image=_top_picture(look, rng, scale), roughness=0.9, bump_m=0.001, sheen=0.2),
        "trousers": Material(image=legs, roughness=0.9, bump_m=0.001, sheen=0.1),
        "shoes": Material(image=_shoe_picture(look), roughness=0.6),
    }


def _skin(dummy: _Dummy, look: PersonLook) -> list[Garment]:
    """Head, eyeballs, and the skin that clothes leave bare."""
    bare, owner = dummy.bare, dummy.bare.weights.argmax(1)
    x, y, _ = bare.points.T
    is_eye = np.isin(owner, [SMPLX_JOINTS.index(f"{side}_eye_smplhf") for side in ("left", "right")])
    neck = dummy.joint("neck")[1] - 0.03
    is_head = ~is_eye & (y > neck) & (np.abs(x) < 0.15)
    is_bare = (np.abs(x) > _sleeve_end(dummy, look) - 0.03) | (
        (y > _collar(dummy, look, bare.points) - 0.025) & (np.abs(x) < 0.12)
    )
    if look.legwear != "trousers":
        is_bare |= (y < _hem(dummy, look) + 0.04) & (y > dummy.joint("left_ankle")[1] + 0.005) & (np.abs(x) < 0.35)
    head, limbs = bare.region(_grown(bare, is_head)), bare.region(_grown(bare, is_bare & ~is_head & ~is_eye))
    eyes = bare.region(is_eye)
    side = np.sign(eyes.points[:, 0])[:, None]
    centre = np.column_stack([side * abs(dummy.joint("left_eye_smplhf")[0]), np.full(len(side), dummy.eyes[1])])
    eye_uv = 0.5 + (eyes.points[:, :2] - centre) / 0.036
    return [
        _garment("head", head, _front_back_uv(head, dummy.eyes[:2] - (0, 0.02), HEAD_M)),
        _garment("skin", limbs, _side_uv(limbs, 0.5)),
        _garment("eyes", eyes, eye_uv[eyes.faces]),
    ]


def _garment(name: str, cloth: Cloth, uv: Float[ndarray, "faces 3 2"], material: str | None = None) -> Garment:
    return Garment(name=name, material=material or name, cloth=cloth, uv=uv)


def _hair(dummy: _Dummy, look: PersonLook, rng: Rng) -> list[Garment]:
    """A cap of hair over the scalp, thinner at its border; a bun or a tail where the haircut has one."""
    bare, eyes, is_bob = dummy.bare, dummy.eyes, look.haircut == "bob"
    height, depth = bare.points[:, 1] - eyes[1], bare.points[:, 2] - eyes[2] + 0.113
    line = HAIRLINE if not is_bob else BOB_LINE
    is_ear = (np.abs(bare.points[:, 0]) > 0.072) & (height < 0.012) & (depth > 0.005) & (not is_bob)
    scalp = (height > np.interp(depth, line[:, 0], line[:, 1])) & ~is_ear & (np.abs(bare.points[:, 0]) < 0.13)
    thick = HAIR_M[look.haircut]
    below = bare.region(scalp)
    rim = np.where(below.is_border, 0.003, thick)
    cap = below.eased(below, rim).smoothed(12 if is_bob else 3).eased(below, 0.8 * rim).subdivided()
    side = 1 + 0.35 * np.tanh(cap.points[:, 0] / 0.03) if look.haircut == "parted" else 1.0
    tufts = 0.16 * thick * _waves(rng, cap.points, (0.012, 0.05)) * side
    cap = cap.displaced(np.where(cap.is_border, 0.0, tufts))
    garments = [_garment("hair", cap, _polar_uv(cap, eyes))]
    if look.haircut in ("bun", "ponytail"):
        garments.append(_knot(dummy, rng, is_tail=look.haircut == "ponytail"))
    return garments


def _knot(dummy: _Dummy, rng: Rng, *, is_tail: bool) -> Garment:
    """A bun, or a tail that hangs down behind the neck; both turn with the head."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.042)
    points = np.asarray(ball.vertices) * (1, 0.85, 0.8)
    if is_tail:
        down = (1 - points[:, 1] / 0.036) / 2
        points = points * (0.62 + 0.2 * np.sin(np.pi * down))[:, None] - np.outer(down, (0, 0.17, 0.012))
    centre = dummy.eyes + np.array([0, 0.055, -0.185])
    weights = np.zeros((len(points), 55))
    weights[:, SMPLX_JOINTS.index("head")] = 1.0
    cloth = Cloth(points=points + centre, weights=weights, faces=np.asarray(ball.faces))
    cloth = cloth.displaced(0.002 * _waves(rng, cloth.points, (0.01, 0.03)))
    return _garment("knot", cloth, _polar_uv(cloth, centre), material="hair")


def _top(dummy: _Dummy, look: PersonLook, rng: Rng) -> Garment:
    bare, hem, sleeve = dummy.bare, _top_hem(dummy), _sleeve_end(dummy, look)
    x, y, _ = bare.points.T
    is_below_collar = y < _collar(dummy, look, bare.points)
    below = bare.region((y > hem) & (np.abs(x) < sleeve) & ((np.abs(x) > 0.2) | is_below_collar))
    loose = 0.009 * np.clip((hem + 0.16 - below.points[:, 1]) / 0.12, 0, 1)
    cloth = below.smoothed(6).eased(below, EASE_M[look.outfit] + loose).smoothed(2)
    cloth = _cut(cloth, below, sleeve, hem)
    is_collar = cloth.is_border & (cloth.points[:, 1] > hem + 0.3) & (np.abs(cloth.points[:, 0]) < 0.2)
    points = cloth.points.copy()
    points[is_collar, 1] = _collar(dummy, look, points[is_collar])
    cloth = replace(cloth, points=points).subdivided()
    calm = np.clip((cloth.points[:, 1] - hem) / 0.15, 0.35, 1.0)
    folds = calm * (0.0035 * _waves(rng, cloth.points, (0.05, 0.20)) + 0.0012 * _waves(rng, cloth.points, (0.02, 0.05)))
    return _garment("top", cloth.displaced(folds), _front_back_uv(cloth, np.array([0.0, 0.24]), 1.5))


def _cut(cloth: Cloth, below: Cloth, sleeve: float, hem: float) -> Cloth:
    """Straight hem and cuffs, standing off the body."""
    points, border = cloth.points + 0.006 * below.normals * cloth.is_border[:, None], cloth.is_border
    is_cuff = border & (np.abs(points[:, 0]) > sleeve - 0.06)
    points[is_cuff, 0] = np.sign(points[is_cuff, 0]) * sleeve
    points[border & (points[:, 1] < hem + 0.06), 1] = hem
    return replace(cloth, points=points)


def _collar(dummy: _Dummy, look: PersonLook, points: Float[ndarray, "points 3"]) -> Float[ndarray, "points"]:
    """Height of the top's opening over each point's depth: lower in front."""
    neck, drop = dummy.joint("neck"), 0.012 if look.outfit in ("tee", "longsleeve") else -0.006
    return neck[1] - drop - 0.30 * (points[:, 2] - neck[2])


def _top_hem(dummy: _Dummy) -> float:
    """Height of the top's lower end in the T-pose."""
    return dummy.joint("pelvis")[1] - 0.045


def _legs(dummy: _Dummy, look: PersonLook, rng: Rng) -> Garment:
    """Trousers or shorts; tight where the top hangs over them."""
    bare, pelvis, hem, covered = dummy.bare, dummy.joint("pelvis")[1], _hem(dummy, look), _top_hem(dummy)
    y = bare.points[:, 1]
    below = bare.region((y < pelvis + 0.02) & (y > hem) & (np.abs(bare.points[:, 0]) < 0.35))
    fall = np.clip((covered - below.points[:, 1]) / (covered - hem), 0, 1)
    cloth = below.smoothed(5).eased(below, 0.002 + 0.005 * np.minimum(fall / 0.06, 1) + 0.016 * fall**1.5)
    points, border = cloth.points.copy(), cloth.is_border
    points[border & (points[:, 1] < hem + 0.06), 1] = hem
    cloth = replace(cloth, points=points).subdivided()
    fold = np.clip((covered - cloth.points[:, 1]) / 0.3, 0.0, 1.0)
    folds = fold * (0.003 * _waves(rng, cloth.points, (0.04, 0.16)) + 0.001 * _waves(rng, cloth.points, (0.015, 0.04)))
    return _garment("trousers", cloth.displaced(folds), _side_uv(cloth, 0.6))


def _hem(dummy: _Dummy, look: PersonLook) -> float:
    """Height of the trousers' lower end in the T-pose."""
    ankle, knee = dummy.joint("left_ankle")[1], dummy.joint("left_knee")[1]
    return ankle + 0.012 if look.legwear == "trousers" else knee + 0.05


def _shoes(dummy: _Dummy) -> Garment:
    """Smooth shoes around the bare feet, the sole as low as the bare foot's and no lower, so that they stand where it does."""
    bare, ankle = dummy.bare, dummy.joint("left_ankle")[1] + 0.028
    below = bare.region(bare.points[:, 1] < ankle)
    sole = below.points[:, 1].min()
    upper = np.clip((below.points[:, 1] - sole - 0.055) / 0.02, 0, 1)
    cloth, low = below.smoothed(30), below.points[:, 1] < sole + 0.075
    for rounds in (6, 3, 1):
        cloth = cloth.displaced((1 - upper) * _way_out_of_hull(cloth, below.points, low)).smoothed(rounds)
    cloth = cloth.eased(below, np.where(upper > 0.5, 0.004, -1.0)).displaced(np.full(len(upper), 0.004))
    cloth = replace(
        cloth, points=np.column_stack([cloth.points[:, 0], np.maximum(cloth.points[:, 1], sole), cloth.points[:, 2]])
    )
    along = (cloth.points[:, 2] - cloth.points[:, 2].min()) / np.ptp(cloth.points[:, 2])
    uv = np.stack([np.clip(along, 0.01, 0.99), np.clip((cloth.points[:, 1] - sole) / 0.16, 0.01, 0.99)], axis=-1)
    return _garment("shoes", cloth, uv[cloth.faces])


def _way_out_of_hull(
    cloth: Cloth, foot: Float[ndarray, "points 3"], spans: Bool[ndarray, "points"]
) -> Float[ndarray, "points"]:
    """How far each point moves along its normal to leave the convex hull of its own foot's points in `spans`."""
    way, normals = np.zeros(len(foot)), cloth.normals
    for is_side in (foot[:, 0] > 0, foot[:, 0] <= 0):
        planes = ConvexHull(foot[is_side & spans]).equations
        speed = normals[is_side] @ planes[:, :3].T
        room = -(cloth.points[is_side] @ planes[:, :3].T + planes[:, 3])
        way[is_side] = np.where(speed > 0.05, room / np.maximum(speed, 0.05), np.inf).min(1)
    return np.clip(way, 0.0, 0.05)


def _sleeve_end(dummy: _Dummy, look: PersonLook) -> float:
    """Distance of the cuff from the midline in the T-pose."""
    shoulder, elbow, wrist = (dummy.joint(f"left_{name}")[0] for name in ("shoulder", "elbow", "wrist"))
    return shoulder + 0.62 * (elbow - shoulder) if look.outfit == "tee" else elbow + 0.9 * (wrist - elbow)


def _grown(cloth: Cloth, mask: Bool[ndarray, "points"]) -> Bool[ndarray, "points"]:
    """`mask` and its neighbours, so that adjoining regions overlap."""
    grown = mask.copy()
    grown[cloth.faces[mask[cloth.faces].any(1)]] = True
    return grown


def _waves(rng: Rng, points: Float[ndarray, "points 3"], lengths_m: tuple[float, float]) -> Float[ndarray, "points"]:
    """A smooth random field of standard deviation one: plane waves of random direction, longer ones stronger."""
    lengths = rng.uniform(lengths_m[0], lengths_m[1], 40)
    direction = rng.normal(size=(40, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    phase = points @ (2 * np.pi * direction / lengths[:, None]).T + rng.uniform(0, 2 * np.pi, 40)
    field = np.sin(phase) @ lengths
    return field / field.std()


def _front_back_uv(cloth: Cloth, centre: Float[ndarray, "2"], side_m: float) -> Float[ndarray, "faces 3 2"]:
    """Projection along z: a square of `side_m` around `centre`, front on the left half of the picture, back on the right."""
    flat = 0.5 + (cloth.points[:, :2] - centre) / side_m
    corners = cloth.points[cloth.faces]
    is_back = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] < 0
    uv = np.clip(flat, 0.002, 0.998)[cloth.faces]
    uv[..., 0] = np.where(is_back[:, None], 0.5 + (1 - uv[..., 0]) / 2, uv[..., 0] / 2)
    return uv


def _side_uv(cloth: Cloth, image_m: float) -> Float[ndarray, "faces 3 2"]:
    """Projection along the axis that each triangle faces most."""
    corners = cloth.points[cloth.faces]
    facing = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).argmax(1)
    axes = np.array([[2, 1], [0, 2], [0, 1]])[facing]
    return np.take_along_axis(corners, axes[:, None, :], axis=2) / image_m


def _polar_uv(cloth: Cloth, centre: Float[ndarray, "3"]) -> Float[ndarray, "faces 3 2"]:
    """Angle about the vertical and height, for strands that fall."""
    offset = cloth.points - centre + (0, 0, 0.08)
    angle = np.arctan2(offset[:, 0], offset[:, 2]) / (2 * np.pi)
    uv = np.stack([angle, offset[:, 1] / 0.4], axis=-1)[cloth.faces]
    wraps = np.ptp(uv[..., 0], axis=1) > 0.5
    uv[wraps, :, 0] = np.where(uv[wraps, :, 0] < 0, uv[wraps, :, 0] + 1, uv[wraps, :, 0])
    return uv


def _face_picture(skin: textures.Image, look: PersonLook) -> textures.Image:
    """Front and back of the head, side by side: skin, brows, lids, nostrils, lips, cheeks; stubble under short hair."""
    side = len(skin)
    per_m = side / HEAD_M

    def at(x: float, y: float) -> tuple[int, int]:
        return int(side / 2 + x * per_m), int(side / 2 - (y + 0.02) * per_m)

    face = skin.copy()
    cheeks, stubble = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    for sign in (-1, 1):
        cv2.circle(cheeks, at(sign * 0.045, -0.04), int(0.02 * per_m), 1.0, -1)
    cv2.ellipse(stubble, at(0, -0.075), (int(0.044 * per_m), int(0.034 * per_m)), 0, 0, 360, 1.0, -1)
    face = _tinted(face, cheeks, (1.0, 0.78, 0.74), 0.5, per_m)
    if look.beard > 0:
        face = _tinted(face, stubble, np.clip(np.asarray(look.hair) / look.skin, 0.25, 1.0).tolist(), 0.9 * look.beard, per_m)
    dark, hair = np.asarray(look.skin) * 0.35, np.asarray(look.hair)
    for sign in (-1, 1):
        arc = np.array([at(sign * x, y) for x, y in ((0.013, 0.014), (0.024, 0.019), (0.036, 0.019), (0.048, 0.012))], np.int32)
        cv2.polylines(face, [arc], False, (0.7 * hair + 0.3 * dark).tolist(), int(0.0055 * per_m), cv2.LINE_AA)
        lid = np.array(
            [at(sign * x, y) for x, y in ((0.014, -0.001), (0.022, 0.0055), (0.032, 0.007), (0.045, 0.001))], np.int32
        )
        cv2.polylines(face, [lid], False, (0.5 * dark).tolist(), int(0.0022 * per_m), cv2.LINE_AA)
        cv2.ellipse(face, at(sign * 0.0085, -0.0425), (int(0.004 * per_m), int(0.002 * per_m)), 0, 0, 360, dark.tolist(), -1)
    lips = np.asarray(look.skin) * (0.86, 0.52, 0.52)
    cv2.ellipse(
        face, at(0, -0.0655), (int(0.024 * per_m), int(0.0055 * per_m)), 0, 180, 360, (0.9 * lips).tolist(), -1, cv2.LINE_AA
    )
    cv2.ellipse(face, at(0, -0.069), (int(0.022 * per_m), int(0.0085 * per_m)), 0, 0, 180, lips.tolist(), -1, cv2.LINE_AA)
    cv2.line(face, at(-0.024, -0.0675), at(0.024, -0.0675), (0.6 * dark).tolist(), int(0.0016 * per_m), cv2.LINE_AA)
    return np.clip(np.concatenate([cv2.GaussianBlur(face, (0, 0), 0.0006 * per_m), skin], axis=1), 0, 1)


def _tinted(image: textures.Image, mask: ndarray, tint: Sequence[float], strength: float, per_m: float) -> textures.Image:
    soft = strength * cv2.GaussianBlur(mask, (0, 0), 0.012 * per_m)[..., None]
    return image * (1 - soft + soft * np.asarray(tint))


def _eye_picture() -> textures.Image:
    eye = np.full((128, 128, 3), (0.90, 0.88, 0.85), np.float32)
    for radius, color in ((23, (0.13, 0.09, 0.06)), (20, (0.30, 0.20, 0.12)), (9, (0.02, 0.02, 0.02))):
        cv2.circle(eye, (64, 64), radius, color, -1, cv2.LINE_AA)
    return eye


def _top_picture(look: PersonLook, rng: Rng, scale: int) -> textures.Image:
    """Front and back of the top: printed tee, checked shirt, striped sweater, plain long sleeves, zipped jacket."""
    cloth = swatches.tinted(swatches.drawn("fabric", rng, scale), (1.0, 1.0, 1.0))
    side = len(cloth)
    accent = _pattern(look, side, rng)[..., None]
    color = (np.asarray(look.top) * (1 - accent) + np.asarray(look.top_accent) * accent).astype(np.float32)
    front, back = color.copy(), color
    if look.outfit == "tee":
        _print_logo(front, look, rng)
    elif look.outfit == "shirt":
        cv2.line(front, (side // 2, 0), (side // 2, side), (0.8 * np.asarray(look.top)).tolist(), max(side // 200, 1))
        for i in range(14):
            cv2.circle(front, (side // 2, int((0.33 + 0.035 * i) * side)), side // 256, look.top_accent, -1, cv2.LINE_AA)
    elif look.outfit == "jacket":
        cv2.line(front, (side // 2, 0), (side // 2, side), look.top_accent, max(side // 90, 1), cv2.LINE_AA)
        for sign in (-1, 1):
            low, high = (
                (int((0.5 + sign * 0.055) * side), int(0.62 * side)),
                (int((0.5 + sign * 0.10) * side), int(0.56 * side)),
            )
            cv2.line(front, low, high, (0.6 * np.asarray(look.top)).tolist(), max(side // 128, 1), cv2.LINE_AA)
    return np.clip(np.concatenate([front * cloth, back * cloth[:, ::-1]], axis=1), 0, 1)


def _pattern(look: PersonLook, side: int, rng: Rng) -> Float[ndarray, "side side"]:
    """Share of the accent colour: checks, stripes, or none."""
    x, y = np.meshgrid(np.arange(side, dtype=np.float32) / side, np.arange(side, dtype=np.float32) / side)
    if look.outfit == "shirt":
        count = rng.integers(30, 70)
        vertical, level = 0.45 * (np.mod(x * count, 1) < 0.28), 0.45 * (np.mod(y * count, 1) < 0.28)
        return vertical + level * (rng.random() < 0.7)
    if look.outfit == "sweater":
        low = rng.uniform(0.32, 0.44)
        return ((np.mod(y * rng.integers(14, 30), 1) < 0.3) & (y > low) & (y < low + rng.uniform(0.06, 0.3))).astype(np.float32)
    return np.zeros((side, side), np.float32)


def _print_logo(front: textures.Image, look: PersonLook, rng: Rng) -> None:
    """A round, a bar or a word on the chest, in place."""
    side, tone, ground = len(front), look.top_accent, look.top
    kind = rng.integers(4)
    if kind == 0:
        cv2.circle(front, (side // 2, int(0.46 * side)), int(0.055 * side), tone, -1, cv2.LINE_AA)
        band = (int(0.085 * side), int(0.018 * side))
        cv2.ellipse(front, (side // 2, int(0.475 * side)), band, -12, 0, 360, ground, -1, cv2.LINE_AA)
        cv2.rectangle(front, (int(0.44 * side), int(0.53 * side)), (int(0.56 * side), int(0.545 * side)), tone, -1)
    elif kind == 1:
        cv2.rectangle(front, (int(0.3 * side), int(0.42 * side)), (int(0.7 * side), int(0.47 * side)), tone, -1)
    elif kind == 2:
        word = "".join(rng.choice(list("AEKMNORSTUVXZ"), 4))
        at, thick, ink = (int(0.41 * side), int(0.47 * side)), max(side // 128, 1), np.zeros((side, side), np.uint8)
        cv2.putText(ink, word, at, cv2.FONT_HERSHEY_DUPLEX, side / 512, 255, thick, cv2.LINE_AA)
        front += (ink / np.float32(255))[..., None] * (np.asarray(tone, np.float32) - front)


def _shoe_picture(look: PersonLook) -> textures.Image:
    """A shoe from its side, heel left: sole, toe and heel caps, laces over the instep."""
    upper, is_dark = np.asarray(look.shoes), sum(look.shoes) < 1.5
    shoe = np.full((256, 512, 3), upper, np.float32)
    for ends in ((0, 90), (410, 512)):
        shoe[60:, ends[0] : ends[1]] = 0.8 * upper
    shoe[:90, 230:400] = 0.65 * upper + 0.1
    for x in range(240, 400, 26):
        cv2.line(shoe, (x, 20), (x + 14, 150), (0.9 - 0.7 * upper).tolist(), 6, cv2.LINE_AA)
    shoe[-44:] = 0.88 if is_dark else 0.30
    shoe[-52:-44] = 0.5 * upper
    return np.clip(shoe, 0, 1)
