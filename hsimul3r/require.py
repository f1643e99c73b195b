"""Optional packages, imported where they are used, with an error that says how to get them."""

from importlib import import_module
from types import ModuleType

from hsimul3r.errors import MissingPackage


def require(package: str, extra: str) -> ModuleType:
    """Import `package`; raises `MissingPackage` naming the extra that provides it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.split(".")[0]:
            raise
        raise MissingPackage(package, extra) from error
