"""A single photograph's camera and people, as SAT-HMR or MA-HMR sees them: what two photos give by geometry, here is learnt."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import CameraRig, Cameras, Capture, People, Provenance
from hsimul3r.body.licensed import LicensedBody
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NoPerson
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.perception.boxes import intersection_over_union
from stages.adapters.sat_hmr import PhotoOfPeople
from stages.adapters.smpl_people import SmplPerson, on_embedded_body

SAME_PERSON = 0.4
"""Boxes that overlap more than this (intersection over union) show one person."""


class SeesPeople(Protocol):
    """What says where people stand in a photo."""

    @property
    def licences(self) -> tuple[str, ...]: ...
    def estimate(self, image: UInt8[ndarray, "height width 3"]) -> PhotoOfPeople: ...


@dataclass(frozen=True, kw_only=True)
class PhotoModel:
    """The user's network, or what it returned elsewhere, and the user's SMPL."""

    name: str
    network: SeesPeople
    smpl: LicensedBody

    @property
    def licences(self) -> tuple[str, ...]:
        return (*self.network.licences, self.smpl.licence)


def rig_from_photo(model: PhotoModel, capture: Capture, image: UInt8[ndarray, "height width 3"], people: People) -> CameraRig:
    """The rig of a capture of one photo. Raises `NoPerson` where the network sees none of the perceived people."""
    rig = rig_of(model.network.estimate(image), capture, people, model.smpl)
    return replace(rig, provenance=replace(rig.provenance, adapter=model.name, licences=model.licences))


def rig_of(photo: PhotoOfPeople, capture: Capture, people: People, smpl: LicensedBody) -> CameraRig:
    """Camera at the origin, perceived people as skeletons in its frame.

    The network's metres are kept unless the capture knows the stature, and its focal length unless the capture knows that.
    """
    known = float(capture.focal_px[0])
    focal = known if np.isfinite(known) else photo.focal_px
    found = _same_people(people, photo)
    if not found:
        raise NoPerson("Nobody who was found in the photo is seen by the network that places people.")
    skeletons, errors = zip(*(_skeleton(refocused(one, focal), smpl) for one in found.values()))
    return CameraRig(
        provenance=Provenance(
            adapter="photo", scale_source="given" if capture.stature_m is None else "stature", frame="first registered camera"
        ),
        cameras=Cameras(
            size_px=capture.size_px, focal_px=np.array([focal]), principal_px=(capture.size_px - 1) / 2, k1=np.zeros(1),
            T_cam_world=np.eye(4)[None], is_registered=np.ones(1, bool),
        ),
        tracks=no_tracks(), persons=tuple(found), skeletons=np.stack(skeletons),
        report={"views": 1.0, "registered_views": 1.0, "body_conversion_mm": 1000 * float(np.mean(errors))},
    )  # fmt: skip


def refocused(person: SmplPerson, focal_px: float) -> SmplPerson:
    """The person as a camera of another focal length would have to see it for the same picture: nearer or farther."""
    return replace(person, focal_px=focal_px, transl=person.transl * [1, 1, focal_px / person.focal_px])


def _same_people(people: People, photo: PhotoOfPeople) -> dict[int, SmplPerson]:
    """The network's people by the identities that perception gave them."""
    found: dict[int, SmplPerson] = {}
    for one in photo.people:
        overlap, person = max(
            ((intersection_over_union(seen.box_px, one.box_px), seen.person) for seen in people.views), default=(0.0, -1)
        )
        if overlap > SAME_PERSON:
            found.setdefault(person, one)
    return dict(sorted(found.items()))


def _skeleton(person: SmplPerson, smpl: LicensedBody) -> tuple[Float[ndarray, "21 3"], float]:
    """Keypoints in the camera's frame, and how far the embedded body is from SMPL's [m]."""
    body = on_embedded_body(person, smpl)
    return embedded_body().keypoints(body.betas, body.pose, body.transl), body.skin_error_m
