"""Objects in the photos: boxes from the detector or from capture.yaml, the same object found across views by geometry, masks
by colour, and a shape fitted to all views as the prior of a second, better segmentation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image

from hsimul3r.artifacts import Capture, HumanMotion, ObjectHint, ObjectView, ObjectViews, People, Provenance
from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.errors import BadCapture, NoObject
from hsimul3r.generator.families import family
from hsimul3r.generator.fit import FitConfig, ParametricGenerator
from hsimul3r.generator.objective import is_usable
from hsimul3r.generator.protocol import Candidate, Observation, Support
from hsimul3r.generator.supports import PersonSupports, Posture, carries, person_supports, posture, usual_seat, with_people
from hsimul3r.geometry.cameras import depth, project, transform_points
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import union
from hsimul3r.geometry.overlay import draw_boxes, draw_label_mask, object_color
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.perception.background import ParallaxConfig, evidence, floor_plane, walls
from hsimul3r.perception.object_boxes import Located, Sighting, cut_box, predicted_box, region_of, without_doubles
from hsimul3r.perception.object_masks import OBJECT, PERSON_MARGIN_PX, UNKNOWN, segment, widen
from hsimul3r.perception.object_search import Found, SearchConfig, search, usual_place
from hsimul3r.perception.prompts import prompt, torsos_px
from hsimul3r.perception.segmenter import Segmenter
from hsimul3r.progress import Progress
from stages.adapters.catalogue import weights_path
from stages.adapters.choices import Detect, DetectorChoice, SegmenterChoice, open_detector, open_segmenter
from stages.adapters.nanodet import Detection

CATEGORY_OF_NAME = {
    "chair": "chair",
    "couch": "sofa",
    "bench": "bench",
    "dining table": "table",
    "bed": "sofa",
    "suitcase": "box",
    **{name: name for name in OBJECT_CATEGORIES},
}
"""conventions.OBJECT_CATEGORIES by the detector's names."""

MIN_TABLE_ABOVE_SEAT_M = 0.15
"""Room for thighs between a seat and the top of a table before it."""

Images = Sequence[UInt8[ndarray, "height width 3"]]
Masks = tuple[Bool[ndarray, "height width"], ...]
Labels = tuple[UInt8[ndarray, "height width"] | None, ...]


def quick_fit() -> FitConfig:
    """Settings for a shape that is good enough to guide a segmentation."""
    return FitConfig(first_generations=10, coarse_generations=30, survivors=8, adjusted=2, kept_families=1, fine_generations=30)


@dataclass(frozen=True, kw_only=True)
class PerceiveObjectsConfig:
    """Settings of `run`."""

    seed: int = 0
    min_score: float = 0.3
    search: SearchConfig = field(default_factory=SearchConfig)
    rounds: int = 2
    """How often the masks are made anew with the fitted shape as prior, 1 or more."""
    min_agreement: float = 0.35
    """A view whose mask overlaps the fitted shape less (IoU) is not trusted."""
    min_first_agreement: float = 0.2
    """The same against the seat that a sitter's posture suggests."""
    min_views: int = 2
    min_own_agreement: float = 0.6
    """Masks whose shape does not carry what it must, count where their overlap (IoU) with it is at least this in all views."""
    max_shared: float = 0.5
    """Of two objects whose masks overlap more (mean IoU over the views), the second is the first once more."""
    sitter_reach_m: float = 0.9
    use_parallax: bool = True
    """Whether what the other views show of floor and walls counts, beside the colours."""
    parallax: ParallaxConfig = field(default_factory=ParallaxConfig)
    fit: FitConfig = field(default_factory=quick_fit)
    detector: DetectorChoice = field(default_factory=DetectorChoice)
    segmenter: SegmenterChoice = field(default_factory=SegmenterChoice)


@dataclass(frozen=True, kw_only=True)
class Target:
    """An object to be segmented. nan boxes: out of sight."""

    name: str
    category: str
    score: float
    boxes_px: Float[ndarray, "views 4"]
    masks: tuple[Bool[ndarray, "height width"] | None, ...]
    """Masks given by the user, or by a segmenter."""
    must_carry: Support | None = None
    """The body part that alone says that the object is there."""


def run(
    capture: Capture, images: Images, people: People, motion: HumanMotion, *, cfg: PerceiveObjectsConfig, out: Path,
    progress: Progress,
) -> ObjectViews:  # fmt: skip
    """Label images of every object near a person; draws them as `object_<view>.png` into `out`.

    Raises `NoObject` where nothing is found and `BadCapture` for a given box outside the picture or useless clicks.
    """
    require_segmenter(capture, cfg)
    postures = tuple(posture(body) for body in motion.bodies)
    supports = tuple(person_supports(one) for one in postures)
    persons = tuple(a | b for a, b in zip(people.masks, motion.person_masks))
    seen = _evidence(images, persons, motion, postures, cfg) if cfg.use_parallax else (None,) * len(images)
    perceiver = Perceiver(images, persons, motion, supports, seen, cfg)
    segmenter, detector = open_segmenter(cfg.segmenter), open_detector(cfg.detector)
    if capture.objects:
        clicked = cut_out_clicked(capture, images, people, segmenter)
        named = progress.track(cut_out(named_targets(clicked, motion), images, people, segmenter), "segmenting objects")
        views = [view for target in named for view in perceiver.perceive(target)]
    else:
        found = find(images, motion, postures, supports, cfg, detect=detector[0])
        groups = (cut_out(targets(group, motion), images, people, segmenter) for group in (found.near, found.far))
        views = next(filter(None, (perceiver.real_ones(group, progress) for group in groups)), [])
    if not views:
        raise NoObject("No furniture was found near a person.")
    _draw(images, views, out)
    provenance = Provenance(
        adapter="capture.yaml" if capture.objects else cfg.detector.kind, seed=cfg.seed, frame="image",
        scale_source=motion.provenance.scale_source,
        licences=(*(() if capture.objects else detector[1]), *(() if segmenter is None else segmenter.licences)),
    )  # fmt: skip
    return ObjectViews(provenance=provenance, objects=tuple(views))


def named_targets(capture: Capture, motion: HumanMotion) -> tuple[Target, ...]:
    """The objects of capture.yaml, with boxes predicted for the views that it leaves out."""
    return tuple(_named(hint, capture, motion) for hint in capture.objects)


def find(
    images: Images,
    motion: HumanMotion,
    postures: Sequence[Posture],
    supports: Sequence[PersonSupports],
    cfg: PerceiveObjectsConfig,
    *,
    detect: Detect,
) -> Found:
    """Objects that the detector finds, or that people's bodies demand."""
    sightings = [
        s
        for v, image in enumerate(images)
        if motion.cameras.is_registered[v]
        for s in _sightings(detect(image, cfg.min_score), v)
    ]
    skins = [one.vertices for one in postures]
    return search(without_doubles(sightings), motion.cameras, supports, skins, cfg.search)


def targets(found: Sequence[Located], motion: HumanMotion) -> tuple[Target, ...]:
    """What to segment."""
    names = _unique_names([one.category or "object" for one in found])
    nothing = (None,) * len(motion.cameras.focal_px)
    return tuple(
        Target(
            name=name, category=one.category, score=one.score, boxes_px=_boxes(one, motion), masks=nothing,
            must_carry=one.must_carry,
        )
        for name, one in zip(names, found)
    )  # fmt: skip


def require_segmenter(capture: Capture, cfg: PerceiveObjectsConfig) -> None:
    """Raises `BadCapture` where clicks have no segmenter that would use them, `WeightsNotGiven` where it has no weights."""
    for hint in capture.objects:
        for v, clicks in enumerate(hint.clicks):
            if clicks is None or hint.masks[v] is not None:
                continue
            if cfg.segmenter.kind == "colour":
                what = f"the clicks on object '{hint.name}' in photo '{capture.sources[v]}' need a segmenter"
                fix = "Choose one: --object-views.segmenter.kind sam2 (or sam), with your weights; or give boxes."
                raise BadCapture(capture.folder, what, fix)
            weights_path(cfg.segmenter.kind, cfg.segmenter.weights)


def cut_out_clicked(capture: Capture, images: Images, people: People, segmenter: Segmenter | None) -> Capture:
    """The capture with the segmenter's masks wherever its objects have clicks and no mask; people's torsos are no part of them.

    Raises `BadCapture` where it finds nothing at the clicks; `require_segmenter` made sure of it.
    """
    hints = []
    for hint in capture.objects:
        masks = list(hint.masks)
        for v, clicks in enumerate(hint.clicks):
            if clicks is None or masks[v] is not None:
                continue
            assert segmenter is not None, "required before"
            box = hint.boxes_px[v][None] if np.isfinite(hint.boxes_px[v]).all() else None
            found = segmenter.segment(images[v], box, prompt(clicks, torsos_px(people, v)))[0]
            if not found.any():
                what = f"the clicks on object '{hint.name}' in photo '{capture.sources[v]}' select nothing"
                raise BadCapture(capture.folder, what, "Add clicks, or the object's box.")
            masks[v] = found
        hints.append(replace(hint, masks=tuple(masks)))
    return replace(capture, objects=tuple(hints))


def cut_out(targets: tuple[Target, ...], images: Images, people: People, segmenter: Segmenter | None) -> tuple[Target, ...]:
    """The targets with the segmenter's masks wherever they have a box and no mask; people's torsos are no part of them."""
    if segmenter is None:
        return targets
    outside = [prompt(None, torsos_px(people, v)) for v in range(len(images))]
    masked = []
    for target in targets:
        masks = list(target.masks)
        for v, image in enumerate(images):
            if masks[v] is None and np.isfinite(target.boxes_px[v]).all():
                masks[v] = segmenter.segment(image, target.boxes_px[v][None], outside[v])[0]
        masked.append(replace(target, masks=tuple(masks)))
    return tuple(masked)


class Perceiver:
    """Segments objects in all views of one capture."""

    def __init__(
        self,
        images: Images,
        persons: Masks,
        motion: HumanMotion,
        supports: Sequence[PersonSupports],
        evidence: Labels,
        cfg: PerceiveObjectsConfig,
    ):
        self.evidence = evidence
        self.images, self.persons, self.motion, self.supports, self.cfg = images, persons, motion, supports, cfg

    def real_ones(self, targets: Sequence[Target], progress: Progress) -> list[ObjectView]:
        """The targets without those that have no mask, and those that only a body part speaks for but that do not carry it.

        Everything that stands before the floor has parallax: what no seat or raised foot demands must stand out by
        colour too.
        """
        by_colour = Perceiver(self.images, self.persons, self.motion, self.supports, (None,) * len(self.images), self.cfg)
        views = []
        for target in progress.track(targets, "segmenting objects"):
            try:
                is_demanded = target.must_carry is not None and target.must_carry.kind != "hand"
                if self.cfg.use_parallax and not is_demanded:
                    by_colour.perceive(target)
                for view in self.perceive(target):
                    if all(mask_overlap(view, other) < self.cfg.max_shared for other in views):
                        views.append(view)
            except NoObject as error:
                progress.say(f"  left out: {error}")
        return views

    def perceive(self, target: Target) -> tuple[ObjectView, ...]:
        """Segment by colour, then alternate: fit a shape to all masks, segment again with the shape as prior.

        Thighs and hands hide the height of what they rest on: masks that agree with one shape in all views are kept though its
        seat or top lies elsewhere. A seat below a sitter whose masks do not agree is left to the sitter's posture: all unknown.
        A top far above the seat is what the sitter sits at, and the seat comes second, left to the posture.
        Raises `NoObject` where fewer than two views have a mask, or nothing but the body part says that anything is there.
        """
        shapes = self._expected(target)
        labels = self._segment(target, shapes)
        if shapes is not None:
            labels = _trusted(target, labels, shapes, self.cfg.min_first_agreement)
        agreement = 0.0
        for _ in range(self.cfg.rounds):
            shape = self._fit(target, labels)
            shapes = self._silhouettes(shape)
            segmented = self._segment(target, shapes)
            agreement = _least_agreement(segmented, shapes)
            labels = _trusted(target, segmented, shapes, self.cfg.min_agreement)
        support = target.must_carry
        if support is None or carries(shape, support):
            return (_view(target, labels),)
        agrees = agreement >= self.cfg.min_own_agreement
        if target.score == 0.0 or (support.kind != "seat" and not agrees):
            raise NoObject(f"Nothing that could carry a person's {support.kind} was found below it.")
        if support.kind == "seat" and agrees and _is_table_before(shape, support):
            return _view(target, labels), self._seat(target, support)
        return (_view(target, labels if agrees else _all_unknown(labels)),)

    def _seat(self, target: Target, support: Support) -> ObjectView:
        """What a sitter's posture alone says of the seat, in boxes of usual size."""
        place = Located(region=usual_place(support, self.cfg.search), sightings=(), must_carry=support)
        boxes = _boxes(place, self.motion)
        seat = replace(target, name=f"{target.name}_seat", category="chair", boxes_px=boxes, score=0.0)
        unknown = [np.full(image.shape[:2], UNKNOWN, np.uint8) for image in self.images]
        return _view(seat, tuple(one if np.isfinite(box).all() else None for one, box in zip(unknown, boxes)))

    def _expected(self, target: Target) -> Masks | None:
        """Silhouettes of the seat that a sitter's posture suggests."""
        support = target.must_carry
        facing = next((one.facing for one in self.supports if any(s is support for s in one.supports)), None)
        if support is None or support.kind != "seat" or facing is None:
            return None
        return self._silhouettes(usual_seat(target.category, support, facing))

    def _segment(self, target: Target, priors: Masks | None) -> Labels:
        labels = []
        for v, (image, given, person) in enumerate(zip(self.images, target.masks, self.persons)):
            if given is not None:
                labels.append(np.where(widen(person, PERSON_MARGIN_PX), UNKNOWN, given).astype(np.uint8))
            elif np.isfinite(target.boxes_px[v]).all():
                box = _grown(target.boxes_px[v], priors, v)
                prior = priors[v] if priors is not None else None
                labels.append(segment(image, box, person, prior=prior, evidence=self.evidence[v]))
            else:
                labels.append(None)
        return tuple(labels)

    def _fit(self, target: Target, labels: Labels) -> Candidate:
        observation = Observation(
            cameras=self.motion.cameras, labels=labels, boxes_px=target.boxes_px, category=target.category
        )
        observation = with_people(observation, self.supports, self.cfg.sitter_reach_m)
        usable = sum(is_usable(observation, v) for v in range(len(labels)))
        if usable < self.cfg.min_views and observation.facing is None:
            raise NoObject(f"The mask of object '{target.name}' is empty in all but {usable} photos.")
        return ParametricGenerator(self.cfg.fit).generate(observation, count=1, seed=self.cfg.seed)[0]

    def _silhouettes(self, shape: Candidate) -> Masks:
        vertices, faces = union(shape.parts)
        world, masks, cameras = transform_points(shape.T_world_object, vertices), [], self.motion.cameras
        for v, image in enumerate(self.images):
            height, width = image.shape[:2]
            if not cameras.is_registered[v]:
                masks.append(np.zeros((height, width), bool))
                continue
            uv, z = project(cameras, v, world), depth(cameras, v, world)
            masks.append(np.isfinite(rasterize_depth(uv, z, faces, height=height, width=width)[0]))
        return tuple(masks)


def _evidence(
    images: Images, persons: Masks, motion: HumanMotion, postures: Sequence[Posture], cfg: PerceiveObjectsConfig
) -> Labels:
    """What the parallax says of every pixel."""
    places = np.array([one.joints[0, :2] for one in postures])
    planes = (
        floor_plane(motion.tracks, motion.is_floor_point, motion.cameras),
        *walls(motion.tracks, motion.cameras, places, cfg.parallax, seed=cfg.seed),
    )
    return evidence(images, persons, motion.cameras, planes, cfg.parallax)


def _named(hint: ObjectHint, capture: Capture, motion: HumanMotion) -> Target:
    boxes = np.asarray(hint.boxes_px, float).copy()
    for v, mask in enumerate(hint.masks):
        if mask is not None and mask.any():
            rows, columns = np.nonzero(mask)
            boxes[v] = columns.min(), rows.min(), columns.max(), rows.max()
    sightings = []
    for v in np.flatnonzero(np.isfinite(boxes).all(axis=1)):
        cut = cut_box(boxes[v], capture.size_px[v])
        if cut is None:
            what = f"box {boxes[v].round().tolist()} of object '{hint.name}' lies outside picture {capture.images[v]}"
            raise BadCapture(capture.folder, what, "Correct it in capture.yaml.")
        boxes[v] = cut
        if motion.cameras.is_registered[v]:
            sightings.append(Sighting(view=int(v), box_px=cut, category=hint.category, score=1.0))
    if not sightings:
        raise NoObject(f"Object '{hint.name}' has no box in a photo whose camera was found.")
    region = region_of(sightings, motion.cameras) if len(sightings) > 1 else None
    if region is not None:
        located = Located(region=region, sightings=tuple(sightings))
        boxes = np.where(np.isfinite(boxes), boxes, _boxes(located, motion))
    return Target(name=_safe(hint.name), category=hint.category, score=1.0, boxes_px=boxes, masks=hint.masks)


def _sightings(found: Sequence[Detection], view: int) -> list[Sighting]:
    return [
        Sighting(view=view, box_px=one.box_px, category=CATEGORY_OF_NAME[one.name], score=one.score)
        for one in found
        if one.name in CATEGORY_OF_NAME
    ]


def _boxes(located: Located, motion: HumanMotion) -> Float[ndarray, "views 4"]:
    """The sightings' boxes, and predicted ones for the other views that have a camera."""
    cameras = motion.cameras
    boxes = np.full((len(cameras.focal_px), 4), np.nan)
    for v in np.flatnonzero(cameras.is_registered):
        predicted = predicted_box(located.region, cameras, int(v))
        if predicted is not None:
            boxes[v] = predicted
    for sighting in located.sightings:
        boxes[sighting.view] = sighting.box_px
    return boxes


def _grown(box: Float[ndarray, "4"], priors: Masks | None, view: int) -> Float[ndarray, "4"]:
    """The box, widened to hold the prior."""
    if priors is None or not priors[view].any():
        return box
    rows, columns = np.nonzero(priors[view])
    return np.array([
        min(box[0], columns.min()), min(box[1], rows.min()), max(box[2], columns.max()), max(box[3], rows.max())
    ])  # fmt: skip


def _trusted(target: Target, labels: Labels, shapes: Masks, min_agreement: float) -> Labels:
    """Masks that contradict the shape of all views are marked unknown; those of the user never."""
    kept = []
    for image, given, shape in zip(labels, target.masks, shapes):
        if image is not None and given is None and iou(image == OBJECT, shape, image == UNKNOWN) < min_agreement:
            image = np.full_like(image, UNKNOWN)
        kept.append(image)
    return tuple(kept)


def _view(target: Target, labels: Labels) -> ObjectView:
    return ObjectView(
        name=target.name, category=target.category, score=target.score, boxes_px=target.boxes_px, labels=labels
    )  # fmt: skip


def _all_unknown(labels: Labels) -> Labels:
    return tuple(None if image is None else np.full_like(image, UNKNOWN) for image in labels)


def _is_table_before(shape: Candidate, seat: Support) -> bool:
    """Whether a shape is no seat and its top is so high above a sitter's that nobody sits on it."""
    kind = family(shape.family)
    return not kind.is_seat and shape.parameters[kind.support] - seat.point[2] > MIN_TABLE_ABOVE_SEAT_M


def mask_overlap(one: ObjectView, other: ObjectView) -> float:
    """Mean overlap (IoU) of the masks of two objects over the views where either has one."""
    pairs = [(a == OBJECT, b == OBJECT) for a, b in zip(one.labels, other.labels) if a is not None and b is not None]
    overlaps = [iou(a, b) for a, b in pairs if a.any() or b.any()]
    return float(np.mean(overlaps)) if overlaps else 0.0


def _least_agreement(labels: Labels, shapes: Masks) -> float:
    """Least overlap (IoU) of mask and shape over the views that have one, unknown pixels left out."""
    overlaps = [iou(image == OBJECT, shape, image == UNKNOWN) for image, shape in zip(labels, shapes) if image is not None]
    return min(overlaps, default=0.0)


def _unique_names(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name}_{names[: i + 1].count(name)}" for i, name in enumerate(names)]


def _safe(name: str) -> str:
    """A name for files and for the engine."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "object"


def _draw(images: Images, views: Sequence[ObjectView], out: Path) -> None:
    for v, image in enumerate(images):
        drawn = np.asarray(image)
        for i, view in enumerate(views):
            labels = view.labels[v]
            if labels is not None:
                drawn = draw_label_mask(drawn, labels, color=object_color(i))
                drawn = draw_boxes(drawn, view.boxes_px[v : v + 1], [view.name], [object_color(i)])
        Image.fromarray(drawn).save(out / f"object_{v}.png")
