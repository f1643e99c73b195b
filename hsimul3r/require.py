"""Optional packages, imported where they are used, with an error that says how to get them."""

from importlib import import_module
from types import ModuleType

from hsimul3r.errors import MissingPackage


def require(package: str, purpose: str) -> ModuleType:
    """Import `package`; raises `MissingPackage`, which says what it is needed for."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.split(".")[0]:
            raise
        raise MissingPackage(package, purpose) from error
