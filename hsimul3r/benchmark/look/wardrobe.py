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
from hsimul3r.benchmark.look import textures
from hsimul3r.benchmark.scene import PersonLook, PosedBody
from hsimul3r.body.model import SkinnedPoints, SmplxFormatBody, rodrigues
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
        edges = np.sort(np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]), axis=1)
        unique, count = np.unique(edges, axis=0, return_counts=True)
        border = np.zeros(len(self.points), bool)
        border[unique[count == 1]] = True
        return border

    def smoothed(self, rounds: int) -> "Cloth":
        """Each point at the mean of its neighbours, `rounds` times; border points stay."""
        edges = np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
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
class _Figure:
    """The T-pose to dress, its joints, and how to pose what was made on it."""

    body: SmplxFormatBody
    posed: PosedBody
    bare: Cloth
    joints: Float[ndarray, "55 3"]

    def joint(self, name: str) -> Float[ndarray, "3"]:
        return self.joints[SMPLX_JOINTS.index(name)]

    @property
    def eyes(self) -> Float[ndarray, "3"]:
        """The middle between the eyes."""
        return (self.joint("left_eye_smplhf") + self.joint("right_eye_smplhf")) / 2

    def pose(self, cloth: Cloth) -> Float[ndarray, "points 3"]:
        """Linear blend skinning of a cloth."""
        betas = torch.as_tensor(self.posed.betas)
        R, _, offsets = self.body.skeleton.transforms(
            betas, rodrigues(torch.as_tensor(self.posed.pose)), torch.as_tensor(self.posed.transl)
        )
        still = torch.zeros(len(cloth.points), 3, 10, dtype=torch.float64)
        points = SkinnedPoints(template=torch.as_tensor(cloth.points), shapes=still, weights=torch.as_tensor(cloth.weights))
        return points.posed(betas, R, offsets).numpy()

    def mesh(self, name: str, cloth: Cloth, uv: Float[ndarray, "faces 3 2"]) -> TexturedMesh:
        """A cloth as the renderer wants it; its material has its name."""
        return TexturedMesh(
            name=name, group="person", material=name, vertices=self.pose(cloth), faces=cloth.faces, uv=uv, is_smooth=True
        )


def dress(
    body: SmplxFormatBody, posed: PosedBody, look: PersonLook, rng: Rng
) -> tuple[list[TexturedMesh], dict[str, Material]]:
    """Meshes and materials of a clothed person. `body` is the fine version of the embedded body."""
    rest = np.zeros((55, 3))
    bare = Cloth(points=body.vertices(posed.betas, rest, np.zeros(3)), weights=body.weights, faces=body.faces)
    figure = _Figure(body=body, posed=posed, bare=bare, joints=body.joints(posed.betas, rest, np.zeros(3)))
    meshes = [
        *_skin(figure, look),
        *_hair(figure, look, rng),
        _top(figure, look, rng),
        _trousers(figure, rng),
        *_shoes(figure),
    ]
    return meshes, _materials(figure, look, rng)


def _materials(figure: _Figure, look: PersonLook, rng: Rng) -> dict[str, Material]:
    return {
        "head": Material(image=_face_picture(figure, look, rng), roughness=0.5),
        "skin": Material(image=textures.skin(rng, 512, look.skin), roughness=0.5),
        "eyes": Material(image=_eye_picture(), roughness=0.1),
        "hair": Material(image=_hair_picture(look, rng), roughness=0.55, bump_m=0.002),
        "top": Material(image=_top_picture(look, rng), roughness=0.9, bump_m=0.001, sheen=0.2),
        "trousers": Material(
            image=textures.fabric(rng, 1024, look.trousers, flecks=0.25), roughness=0.9, bump_m=0.001, sheen=0.1
        ),
        "shoes": Material(image=_shoe_picture(look), roughness=0.6),
    }


def _skin(figure: _Figure, look: PersonLook) -> list[TexturedMesh]:
    """Head, eyeballs, and the skin that clothes leave bare."""
    bare, owner = figure.bare, figure.bare.weights.argmax(1)
    is_eye = np.isin(owner, [SMPLX_JOINTS.index(f"{side}_eye_smplhf") for side in ("left", "right")])
    neck = figure.joint("neck")[1] - 0.03
    is_head = ~is_eye & (bare.points[:, 1] > neck) & (np.abs(bare.points[:, 0]) < 0.15)
    sleeve = _sleeve_end(figure, look) - 0.03
    is_limb = (
        ~is_head
        & ~is_eye
        & ((np.abs(bare.points[:, 0]) > sleeve) | ((bare.points[:, 1] > neck - 0.07) & (np.abs(bare.points[:, 0]) < 0.12)))
    )
    head, limbs = bare.region(_grown(bare, is_head)), bare.region(_grown(bare, is_limb))
    eyes = bare.region(is_eye)
    side = np.sign(eyes.points[:, 0])[:, None]
    centre = np.column_stack([side * abs(figure.joint("left_eye_smplhf")[0]), np.full(len(side), figure.eyes[1])])
    eye_uv = 0.5 + (eyes.points[:, :2] - centre) / 0.036
    return [
        figure.mesh("head", head, _front_back_uv(head, figure.eyes[:2] - (0, 0.02), HEAD_M)),
        figure.mesh("skin", limbs, _side_uv(limbs, 0.5)),
        figure.mesh("eyes", eyes, eye_uv[eyes.faces]),
    ]


def _hair(figure: _Figure, look: PersonLook, rng: Rng) -> list[TexturedMesh]:
    """A cap of hair over the scalp, thinner at its border; a bun where the haircut has one."""
    bare, eyes = figure.bare, figure.eyes
    height, depth = bare.points[:, 1] - eyes[1], bare.points[:, 2] - eyes[2] + 0.113
    is_ear = (np.abs(bare.points[:, 0]) > 0.072) & (height < 0.012) & (depth > 0.005)
    scalp = (height > np.interp(depth, HAIRLINE[:, 0], HAIRLINE[:, 1])) & ~is_ear & (np.abs(bare.points[:, 0]) < 0.13)
    thick = {"short": 0.016, "parted": 0.022, "bun": 0.014, "cropped": 0.007}[look.haircut]
    below = bare.region(scalp)
    rim = np.where(below.is_border, 0.003, thick)
    cap = below.eased(below, rim).smoothed(3).eased(below, 0.8 * rim).subdivided().subdivided()
    side = 1 + 0.35 * np.tanh(cap.points[:, 0] / 0.03) if look.haircut == "parted" else 1.0
    tufts = 0.16 * thick * _waves(rng, cap.points, (0.012, 0.05)) * side
    cap = cap.displaced(np.where(cap.is_border, 0.0, tufts))
    meshes = [figure.mesh("hair", cap, _polar_uv(cap, eyes))]
    if look.haircut == "bun":
        meshes.append(replace(_bun(figure, rng), name="bun"))
    return meshes


def _bun(figure: _Figure, rng: Rng) -> TexturedMesh:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.042)
    centre = figure.eyes + np.array([0, 0.055, -0.185])
    weights = np.zeros((len(ball.vertices), 55))
    weights[:, SMPLX_JOINTS.index("head")] = 1.0
    cloth = Cloth(points=np.asarray(ball.vertices) * (1, 0.85, 0.8) + centre, weights=weights, faces=np.asarray(ball.faces))
    cloth = cloth.displaced(0.002 * _waves(rng, cloth.points, (0.01, 0.03)))
    return figure.mesh("hair", cloth, _polar_uv(cloth, centre))


def _top(figure: _Figure, look: PersonLook, rng: Rng) -> TexturedMesh:
    bare, neck = figure.bare, figure.joint("neck")
    x, y, z = bare.points.T
    hem, sleeve = figure.joint("pelvis")[1] - 0.045, _sleeve_end(figure, look)
    opening = neck[1] - (0.012 if look.outfit == "tee" else -0.006) - 0.30 * (z - neck[2])
    is_arm = np.abs(x) > 0.2
    below = bare.region((y > hem) & (np.abs(x) < sleeve) & (is_arm | (y < opening)))
    ease = {"tee": 0.011, "shirt": 0.010, "sweater": 0.016}[look.outfit]
    cloth = below.smoothed(6).eased(below, ease).smoothed(2)
    cloth = _cut(cloth, below, sleeve, hem).subdivided().subdivided()
    folds = 0.0035 * _waves(rng, cloth.points, (0.05, 0.20)) + 0.0012 * _waves(rng, cloth.points, (0.02, 0.05))
    return figure.mesh("top", cloth.displaced(folds), _front_back_uv(cloth, np.array([0.0, 0.24]), 1.5))


def _cut(cloth: Cloth, below: Cloth, sleeve: float, hem: float) -> Cloth:
    """Straight hem and cuffs, standing off the body."""
    points, border = cloth.points + 0.006 * below.normals * cloth.is_border[:, None], cloth.is_border
    is_cuff = border & (np.abs(points[:, 0]) > sleeve - 0.06)
    points[is_cuff, 0] = np.sign(points[is_cuff, 0]) * sleeve
    points[border & (points[:, 1] < hem + 0.06), 1] = hem
    return replace(cloth, points=points)


def _trousers(figure: _Figure, rng: Rng) -> TexturedMesh:
    bare, waist, hem = figure.bare, figure.joint("pelvis")[1] + 0.055, figure.joint("left_ankle")[1] + 0.012
    below = bare.region((bare.points[:, 1] < waist) & (bare.points[:, 1] > hem) & (np.abs(bare.points[:, 0]) < 0.35))
    fall = np.clip((figure.joint("pelvis")[1] - below.points[:, 1]) / (figure.joint("pelvis")[1] - hem), 0, 1)
    cloth = below.smoothed(5).eased(below, 0.006 + 0.016 * fall**1.5)
    points, border = cloth.points.copy(), cloth.is_border
    points[border & (points[:, 1] < hem + 0.06), 1] = hem
    cloth = replace(cloth, points=points).subdivided().subdivided()
    fold = np.clip((figure.joint("pelvis")[1] - cloth.points[:, 1]) / 0.4, 0.3, 1.0)
    folds = fold * (0.003 * _waves(rng, cloth.points, (0.04, 0.16)) + 0.001 * _waves(rng, cloth.points, (0.015, 0.04)))
    return figure.mesh("trousers", cloth.displaced(folds), _side_uv(cloth, 0.6))


def _shoes(figure: _Figure) -> list[TexturedMesh]:
    """Smooth shoes around the bare feet, the sole as low as the bare foot's and no lower, so that they stand where it does."""
    bare, ankle = figure.bare, figure.joint("left_ankle")[1] + 0.028
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
    uv = np.stack([cloth.points[:, 2] / 0.4, np.clip((cloth.points[:, 1] - sole) / 0.16, 0.01, 0.99)], axis=-1)
    return [figure.mesh("shoes", cloth, uv[cloth.faces])]


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


def _sleeve_end(figure: _Figure, look: PersonLook) -> float:
    """Distance of the cuff from the midline in the T-pose."""
    shoulder, elbow, wrist = (figure.joint(f"left_{name}")[0] for name in ("shoulder", "elbow", "wrist"))
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


def _face_picture(figure: _Figure, look: PersonLook, rng: Rng) -> textures.Image:
    """Front and back of the head, side by side: skin, brows, lids, nostrils, lips, cheeks; stubble under short hair."""
    side = 1024
    per_m = side / HEAD_M
    skin = textures.skin(rng, side, look.skin)

    def at(x: float, y: float) -> tuple[int, int]:
        return int(side / 2 + x * per_m), int(side / 2 - (y + 0.02) * per_m)

    face = skin.copy()
    cheeks, stubble = np.zeros((side, side)), np.zeros((side, side))
    for sign in (-1, 1):
        cv2.circle(cheeks, at(sign * 0.045, -0.04), int(0.02 * per_m), 1.0, -1)
    cv2.ellipse(stubble, at(0, -0.07), (int(0.055 * per_m), int(0.04 * per_m)), 0, 0, 360, 1.0, -1)
    face = _tinted(face, cheeks, (1.0, 0.78, 0.74), 0.5, per_m)
    if look.haircut in ("cropped", "parted", "short"):
        face = _tinted(face, stubble, (0.72, 0.70, 0.70), 0.6, per_m)
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
    return np.clip(np.concatenate([cv2.GaussianBlur(face, (0, 0), 1.6), skin], axis=1), 0, 1)


def _tinted(image: textures.Image, mask: ndarray, tint: Sequence[float], strength: float, per_m: float) -> textures.Image:
    soft = strength * cv2.GaussianBlur(mask, (0, 0), 0.012 * per_m)[..., None]
    return image * (1 - soft + soft * np.asarray(tint))


def _eye_picture() -> textures.Image:
    eye = np.ones((128, 128, 3)) * (0.90, 0.88, 0.85)
    for radius, color in ((23, (0.13, 0.09, 0.06)), (20, (0.30, 0.20, 0.12)), (9, (0.02, 0.02, 0.02))):
        cv2.circle(eye, (64, 64), radius, color, -1, cv2.LINE_AA)
    return eye


def _hair_picture(look: PersonLook, rng: Rng) -> textures.Image:
    strands = textures.fractal_noise(rng, (1024, 1024), slope=0.6, stretch=30)
    locks = textures.fractal_noise(rng, (1024, 1024), slope=1.4, stretch=8)
    return np.clip(np.asarray(look.hair) * (0.45 + 0.7 * strands + 0.7 * locks)[..., None], 0, 1)


def _top_picture(look: PersonLook, rng: Rng) -> textures.Image:
    """Front and back of the top: a printed tee, a checked shirt with a button strip, or a striped sweater."""
    side = 1024
    cloth = textures.fabric(rng, side, (1.0, 1.0, 1.0), flecks=0.15 if look.outfit != "sweater" else 0.4)
    x, y = np.meshgrid(np.arange(side) / side, np.arange(side) / side)
    accent = np.zeros((side, side))
    if look.outfit == "shirt":
        accent = 0.45 * (np.mod(x * 62, 1) < 0.28) + 0.45 * (np.mod(y * 62, 1) < 0.28)
    elif look.outfit == "sweater":
        accent = ((np.mod(y * 26, 1) < 0.22) & (y > 0.34) & (y < 0.50)).astype(float)
    color = np.asarray(look.top) * (1 - accent[..., None]) + np.asarray(look.top_accent) * accent[..., None]
    front, back = color.copy(), color
    if look.outfit == "tee":
        cv2.circle(front, (side // 2, int(0.46 * side)), int(0.055 * side), look.top_accent, -1, cv2.LINE_AA)
        cv2.ellipse(
            front,
            (side // 2, int(0.475 * side)),
            (int(0.085 * side), int(0.018 * side)),
            -12,
            0,
            360,
            look.top,
            -1,
            cv2.LINE_AA,
        )
        cv2.rectangle(front, (int(0.44 * side), int(0.53 * side)), (int(0.56 * side), int(0.545 * side)), look.top_accent, -1)
    if look.outfit == "shirt":
        cv2.line(front, (side // 2, 0), (side // 2, side), (0.8 * np.asarray(look.top)).tolist(), 5)
        for i in range(14):
            cv2.circle(front, (side // 2, int(0.33 * side) + i * 36), 4, look.top_accent, -1, cv2.LINE_AA)
    return np.clip(np.concatenate([front * cloth, back * cloth[:, ::-1]], axis=1), 0, 1)


def _shoe_picture(look: PersonLook) -> textures.Image:
    shoe = np.ones((256, 512, 3)) * look.shoes
    shoe[-18:] = 0.92 if sum(look.shoes) < 1.8 else 0.35
    for x in range(300, 430, 26):
        cv2.line(shoe, (x, 60), (x + 12, 200), (0.95 - 0.8 * np.asarray(look.shoes)).tolist(), 4, cv2.LINE_AA)
    return np.clip(shoe, 0, 1)
