"""The body models that a scene may name."""

from hsimul3r.body.model import EMBEDDED, BodyModel, embedded_body
from hsimul3r.errors import UnknownBodyModel


def body_named(name: str) -> BodyModel:
    """The body model of an artifact's `body_model`; raises `UnknownBodyModel`."""
    if name != EMBEDDED:
        raise UnknownBodyModel(name, (EMBEDDED,))
    return embedded_body()
