"""Models of the transformers library from the user's own folder: nothing is ever fetched."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from safetensors import SafetensorError

from hsimul3r.errors import BadWeights, WrongWeights
from hsimul3r.require import require
from stages.adapters.torchvision_mend import mend_torchvision


def transformers_library() -> ModuleType:
    """The library, quiet."""
    mend_torchvision()
    library = require("transformers", "models of the transformers library")
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    return library


def load_model(
    folder: Path, model_class: str, processor_class: str, *, processor_folder: Path | None = None
) -> tuple[Any, Any]:
    """(model in eval mode, processor) of a folder as `save_pretrained` writes it, with its weights as safetensors; the
    processor's may be a folder of its own.

    Raises `BadWeights` where the folder is not whole, `WrongWeights` where it holds another model.
    """
    if not (folder / "config.json").is_file():
        raise BadWeights(folder, "it is no folder of the transformers library (it has no config.json)")
    library = transformers_library()
    try:
        model, info = getattr(library, model_class).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        processor = getattr(library, processor_class).from_pretrained(processor_folder or folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        raise BadWeights(folder, f"it cannot be loaded as {model_class} ({error})") from error
    _require_complete(folder, model_class, info)
    return model.eval(), processor


def _require_complete(folder: Path, model_class: str, info: Mapping[str, Any]) -> None:
    missing = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
    if missing:
        raise WrongWeights(folder, model_class, f"{len(missing)} of its tensors are missing, for example {missing[0]}")
