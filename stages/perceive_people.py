"""People in 2D: who stands where in each photo, and who is who across the photos.

MoveNet looks for people in many windows of a photo; BlazePose looks again, alone, at each person found. Whom both see alike
is kept and their estimates are fused. Two independent networks rarely err alike: bags, tripods and sofas fall out here.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Capture, People, PersonView, Provenance
from hsimul3r.errors import NoPerson
from hsimul3r.geometry.overlay import draw_label_mask, draw_skeletons, person_color
from hsimul3r.geometry.skeletons import lift
from hsimul3r.perception.boxes import Window, square_windows
from hsimul3r.perception.identity import IdentityCosts, SeenPerson, clothes_colour, link_people
from hsimul3r.perception.keypoints import COCO_COUNT, MIRRORED, fuse_estimates, keypoint_similarity, rows, visible_area
from hsimul3r.perception.masks import refine_mask, warp_probability
from hsimul3r.perception.pooling import VISIBLE, PooledPose, pool_poses
from hsimul3r.progress import Progress
from stages.adapters.blazepose import BodyEstimate, Region, estimate_body
from stages.adapters.choices import PoseChoice, SkeletonChoice, open_pose_estimator, open_skeleton_estimator
from stages.adapters.hmr2 import Hmr2Model
from stages.adapters.hsfm_people import people_of_steps
from stages.adapters.movenet import estimate_poses
from stages.adapters.nanodet import detect_objects
from stages.adapters.smpl_people import skeleton_of
from stages.adapters.vitpose import VitPose

LICENCES = ("MoveNet: Apache-2.0", "BlazePose: Apache-2.0", "NanoDet: Apache-2.0")


@dataclass(frozen=True, kw_only=True)
class PerceivePeopleConfig:
    """How people are searched and when one is believed."""

    whole_sizes: tuple[int, ...] = (256, 384, 512, 768)
    """Network sizes at which the whole photo is searched."""
    window_size: int = 448
    window_shares: tuple[float, ...] = (0.6, 0.45)
    """Sides of the square windows relative to the photo's long side."""
    box_size: int = 320
    box_margin: float = 1.4
    box_threshold: float = 0.3
    """Around each person's box of the object detector a window is searched, `box_margin` times as large."""
    pose_threshold: float = 0.1
    """Score from which on a single pose is gathered."""
    min_confidence: float = 0.22
    min_support: float = 0.5
    min_agreement: float = 0.45
    min_presence: float = 0.9
    """A person is believed above all four: mean keypoint confidence, share of the searches that found it, OKS of the two
    estimators, BlazePose's own presence."""
    duplicate_similarity: float = 0.45
    """Two fused skeletons more similar (OKS) than this are one person."""
    region_steps: int = 3
    mask_radius: float = 0.006
    """Reach of the masks' refinement relative to the photo's long side."""
    focal_ratio: float = 0.75
    """Focal length over long side, used to place skeletons for identity where the capture does not know it."""
    identity: IdentityCosts = field(default_factory=IdentityCosts)
    results: str = ""
    """Folder that HSfM's steps left of these photos (demo_output/<name>): its people are taken as they are."""
    pose: PoseChoice = field(default_factory=PoseChoice)
    skeleton: SkeletonChoice = field(default_factory=SkeletonChoice)


@dataclass(frozen=True, kw_only=True)
class _Person:
    """One person believed in one view."""

    view: PersonView
    mask: Bool[ndarray, "height width"]


def run(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], *, cfg: PerceivePeopleConfig, out: Path,
    progress: Progress,
) -> People:  # fmt: skip
    """People of all views with identities and masks; writes `keypoints_<view>.png` into `out`.

    Raises `NoPerson` where no person is found, or none in two views of several, and `BadForeignFile` for results of others.
    """
    if cfg.results:
        return _given(capture, images, Path(cfg.results).expanduser(), out)
    estimator, poser = open_pose_estimator(cfg.pose), open_skeleton_estimator(cfg.skeleton)
    found = [
        _bent(image, _refined(image, _find_people(image, v, cfg), estimator), poser)
        for v, image in enumerate(progress.track(images, "people", len(images)))
    ]
    _require_people(capture, [len(people) for people in found])
    people = [person for view in found for person in view]
    identities = _identities(people, capture, images, cfg)
    _require_somebody(max(identities) + 1, len(found))
    views = tuple(replace(p.view, person=identity) for p, identity in zip(people, identities))
    masks = tuple(_union(image, [p.mask for p in view]) for image, view in zip(images, found))
    result = People(
        provenance=_provenance(estimator, poser),
        views=views,
        masks=masks,
        person_count=max(identities) + 1,
    )
    _draw(images, result, out)
    return result


def _given(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], folder: Path, out: Path
) -> People:  # fmt: skip
    """The people whom HSfM's steps found."""
    people = people_of_steps(folder, capture)
    _require_people(capture, [sum(one.view == v for one in people.views) for v in range(len(images))])
    _require_somebody(people.person_count, len(images))
    _draw(images, people, out)
    return people


def _require_somebody(persons: int, photos: int) -> None:
    if persons == 0:
        raise NoPerson(f"People were found in {photos} photos, but nobody could be recognised in two of them.")


def _provenance(estimator: VitPose | None, poser: Hmr2Model | None) -> Provenance:
    brought = [(name, model) for name, model in (("vitpose", estimator), ("hmr2", poser)) if model is not None]
    return Provenance(
        adapter="+".join(["movenet", "blazepose", *(name for name, _ in brought)]),
        licences=(*LICENCES, *(licence for _, model in brought for licence in model.licences)),
    )


def _require_people(capture: Capture, counts: list[int]) -> None:
    seen = [v for v, count in enumerate(counts) if count]
    if not seen:
        raise NoPerson(f"No person was found in any of the {len(counts)} photos.")
    if len(seen) == 1 and len(counts) > 1:
        where = f"photo {seen[0] + 1} of {len(counts)}, {Path(capture.sources[seen[0]]).name}"
        raise NoPerson(f"A person was found in one photo only ({where}).")


def _identities(
    people: list[_Person], capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: PerceivePeopleConfig
) -> tuple[int, ...]:
    """Who is who across the photos; in a single one everybody is somebody else."""
    if len(images) == 1:
        return tuple(range(len(people)))
    return tuple(link_people(tuple(_describe(p, capture, images, cfg) for p in people), cfg.identity))


def _find_people(image: UInt8[ndarray, "height width 3"], view: int, cfg: PerceivePeopleConfig) -> list[_Person]:
    """The people of one photo, most confident first."""
    kept: list[_Person] = []
    for pose in _search_poses(image, cfg):
        if pose.confidence.mean() < cfg.min_confidence or pose.support < cfg.min_support:
            continue
        body, agreement = _look_again(image, pose, cfg)
        if agreement < cfg.min_agreement or body.presence < cfg.min_presence:
            continue
        person = _fuse(image, view, pose, body, agreement, cfg)
        if all(_likeness(person.view, other.view) < cfg.duplicate_similarity for other in kept):
            kept.append(person)
    return kept


def _refined(image: UInt8[ndarray, "height width 3"], people: list[_Person], estimator: VitPose | None) -> list[_Person]:
    """The people with the estimator's keypoints, where it has them."""
    if estimator is None or not people:
        return people
    points, confidence = estimator.estimate(image, np.stack([person.view.box_px for person in people]))
    is_known = confidence > 0
    return [
        replace(
            person,
            view=replace(
                person.view,
                keypoints_px=np.where(known[:, None], place, person.view.keypoints_px),
                confidence=np.where(known, np.clip(trust, 0.0, 1.0), person.view.confidence),
            ),
        )
        for person, place, trust, known in zip(people, points, confidence, is_known)
    ]


def _bent(image: UInt8[ndarray, "height width 3"], people: list[_Person], poser: Hmr2Model | None) -> list[_Person]:
    """The people with skeletons as the user's HMR2 sees them."""
    if poser is None or not people:
        return people
    seen = poser.estimate(image, np.stack([person.view.box_px for person in people]))
    skeletons = [skeleton_of(one, is_ray_aligned=True) for one in seen]
    return [replace(p, view=replace(p.view, skeleton_m=skeleton)) for p, skeleton in zip(people, skeletons)]


def _search_poses(image: UInt8[ndarray, "height width 3"], cfg: PerceivePeopleConfig) -> tuple[PooledPose, ...]:
    """Poses by MoveNet in windows of several sizes, each also mirrored, pooled per person."""
    height, width = image.shape[:2]
    long_side = max(height, width)
    searches = [(window, size) for window in square_windows(width, height, side=long_side) for size in cfg.whole_sizes]
    for share in cfg.window_shares:
        searches += [(w, cfg.window_size) for w in square_windows(width, height, side=round(share * long_side))]
    for detection in detect_objects(image, threshold=cfg.box_threshold):
        if detection.name == "person":
            side = round(cfg.box_margin * float(np.max(detection.box_px[2:] - detection.box_px[:2])))
            corner = np.round((detection.box_px[:2] + detection.box_px[2:] - side) / 2).astype(int)
            searches.append((Window(x=int(corner[0]), y=int(corner[1]), side=side), cfg.box_size))
    points, confidence, searched = [], [], []
    for window, size in searches:
        for is_mirrored in (False, True):
            found = _poses_in_window(image, window, size, is_mirrored, cfg.pose_threshold)
            points += [p for p, _ in found]
            confidence += [c for _, c in found]
            searched.append([window.x, window.y, window.x + window.side, window.y + window.side])
    if not points:
        return ()
    return pool_poses(np.array(points), np.array(confidence), searched=np.array(searched, float))


def _poses_in_window(
    image: UInt8[ndarray, "height width 3"], window: Window, size: int, is_mirrored: bool, threshold: float
) -> list[tuple[Float[ndarray, "17 2"], Float[ndarray, "17"]]]:
    height, width = image.shape[:2]
    x0, y0 = max(0, window.x), max(0, window.y)
    part = image[y0 : min(height, window.y + window.side), x0 : min(width, window.x + window.side)]
    found = []
    for pose in estimate_poses(np.ascontiguousarray(part[:, ::-1]) if is_mirrored else part, size=size, threshold=threshold):
        points, confidence = pose.keypoints_px, pose.confidence
        if is_mirrored:
            points, confidence = _mirror(points, part.shape[1])[MIRRORED[:COCO_COUNT]], confidence[MIRRORED[:COCO_COUNT]]
        found.append((points + np.array([x0, y0]), confidence))
    return found


def _mirror(points: Float[ndarray, "n 2"], width: int) -> Float[ndarray, "n 2"]:
    return np.stack([width - 1 - points[:, 0], points[:, 1]], axis=1)


def _look_again(
    image: UInt8[ndarray, "height width 3"], pose: PooledPose, cfg: PerceivePeopleConfig
) -> tuple[BodyEstimate, float]:
    """BlazePose's estimate that agrees best with `pose`, averaged with that of the mirrored photo, and their OKS with `pose`.

    It is searched from the torso's direction and, for bent people, upright.
    """
    is_visible = pose.confidence > VISIBLE
    seen = pose.keypoints_px[is_visible] if is_visible.sum() > 5 else pose.keypoints_px
    hips = pose.keypoints_px[rows("left_hip", "right_hip")].mean(axis=0)
    torso = pose.keypoints_px[rows("left_shoulder", "right_shoulder")].mean(axis=0) - hips
    radius = 1.12 * float(np.linalg.norm(seen - hips, axis=1).max())
    tries: list[BodyEstimate] = []
    for direction in (torso / max(1e-6, float(np.linalg.norm(torso))), np.array([0.0, -1.0])):
        region = Region.around(hips, hips + radius * direction)
        for _ in range(cfg.region_steps):
            tries.append(estimate_body(image, region))
            if tries[-1].presence < 0.3:
                break
            region = tries[-1].next_region
    best = max(tries, key=lambda body: _agreement(pose, body))
    mean = _average(best, _estimate_mirrored(image, best.region))
    return mean, _agreement(pose, mean)


def _agreement(pose: PooledPose, body: BodyEstimate) -> float:
    is_visible = pose.confidence > VISIBLE
    area = visible_area(pose.keypoints_px, is_visible)
    return keypoint_similarity(pose.keypoints_px, body.keypoints_px[:COCO_COUNT], area=area, is_visible=is_visible)


def _estimate_mirrored(image: UInt8[ndarray, "height width 3"], region: Region) -> BodyEstimate:
    """BlazePose on the mirrored photo, mirrored back."""
    width = image.shape[1]
    flipped = replace(region, centre_px=_mirror(region.centre_px[None], width)[0], angle=-region.angle)
    body = estimate_body(np.ascontiguousarray(image[:, ::-1]), flipped)
    return replace(
        body,
        keypoints_px=_mirror(body.keypoints_px, width)[MIRRORED],
        visibility=body.visibility[MIRRORED],
        skeleton_m=(body.skeleton_m * [-1, 1, 1])[MIRRORED],
        region=region,
        mask=body.mask[:, ::-1],
    )


def _average(a: BodyEstimate, b: BodyEstimate) -> BodyEstimate:
    """Mean of two estimates of the same region, weighted by presence."""
    share = b.presence / max(1e-6, a.presence + b.presence)
    names = ("keypoints_px", "visibility", "skeleton_m", "mask")
    return replace(a, **{name: (1 - share) * getattr(a, name) + share * getattr(b, name) for name in names})


def _fuse(
    image: UInt8[ndarray, "height width 3"], view: int, pose: PooledPose, body: BodyEstimate, agreement: float,
    cfg: PerceivePeopleConfig,
) -> _Person:  # fmt: skip
    points, confidence = fuse_estimates(
        coco_px=pose.keypoints_px,
        coco_confidence=pose.confidence,
        body_px=body.keypoints_px,
        body_visibility=body.visibility,
        agreement=agreement,
        area=visible_area(pose.keypoints_px, pose.confidence > VISIBLE),
    )
    height, width = image.shape[:2]
    probability = warp_probability(body.mask, body.region.picture_from_crop(), width=width, height=height)
    mask = refine_mask(image, probability, radius=max(2, round(cfg.mask_radius * max(height, width))))
    person = PersonView(
        view=view,
        person=-1,
        keypoints_px=points,
        confidence=confidence,
        skeleton_m=body.skeleton_m,
        box_px=_enclose(points[confidence > VISIBLE], mask),
        agreement=agreement,
    )
    return _Person(view=person, mask=mask)


def _enclose(points: Float[ndarray, "n 2"], mask: Bool[ndarray, "height width"]) -> Float[ndarray, "4"]:
    """The box around keypoints and mask, inside the picture."""
    pixels = np.argwhere(mask)[:, ::-1]
    inside = (
        np.concatenate([points, pixels.min(axis=0, keepdims=True), pixels.max(axis=0, keepdims=True)])
        if len(pixels)
        else points
    )
    limit = np.array(mask.shape[::-1]) - 1
    return np.clip(np.concatenate([inside.min(axis=0), inside.max(axis=0)]), 0, np.tile(limit, 2))


def _likeness(a: PersonView, b: PersonView) -> float:
    is_visible = np.minimum(a.confidence, b.confidence)[:COCO_COUNT] > VISIBLE
    area = visible_area(b.keypoints_px, b.confidence > VISIBLE)
    return keypoint_similarity(a.keypoints_px[:COCO_COUNT], b.keypoints_px[:COCO_COUNT], area=area, is_visible=is_visible)


def _describe(
    person: _Person, capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: PerceivePeopleConfig
) -> SeenPerson:
    """What identity is judged by."""
    seen = person.view
    height, width = images[seen.view].shape[:2]
    known = float(capture.focal_px[seen.view])
    focal_px = known if np.isfinite(known) else cfg.focal_ratio * max(height, width)
    rays = (seen.keypoints_px - np.array([width - 1, height - 1]) / 2) / focal_px
    points = lift(rays, seen.confidence, seen.skeleton_m)
    colour = clothes_colour(images[seen.view], seen.keypoints_px)
    return SeenPerson(view=seen.view, points=points, weight=seen.confidence, colour=colour)


def _union(
    image: UInt8[ndarray, "height width 3"], masks: list[Bool[ndarray, "height width"]]
) -> Bool[ndarray, "height width"]:
    return np.logical_or.reduce([np.zeros(image.shape[:2], bool), *masks])


def _draw(images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, out: Path) -> None:
    """Mask and skeletons of every view on its photo."""
    for v, (image, mask) in enumerate(zip(images, people.masks)):
        here = [person for person in people.views if person.view == v]
        picture = draw_label_mask(image, mask.astype(np.uint8), alpha=0.3)
        if here:
            picture = draw_skeletons(
                picture,
                np.stack([person.keypoints_px for person in here]),
                np.stack([person.confidence for person in here]),
                colors=[person_color(person.person) for person in here],
                labels=[f"person {p.person + 1}" if p.person >= 0 else "not linked" for p in here],
            )
        cv2.imwrite(str(out / f"keypoints_{v}.png"), picture[:, :, ::-1])
