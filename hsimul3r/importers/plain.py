"""What other programs pickled, read without running any of it: numpy arrays, numbers, text and plain containers, nothing else.

Reads pickles, joblib's (arrays between the opcodes, possibly compressed), numpy's .npy with an object in it, and torch's .pt.
Tensors come back as arrays. Whatever would call or build anything else raises `UnsafeFile` before it happens.
"""

import io
import lzma
import pickle
import zipfile
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import numpy as np
from numpy import ndarray

from hsimul3r.errors import BadForeignFile, UnsafeFile

NPY_MAGIC: Final = b"\x93NUMPY"


def read_plain(path: Path) -> Any:
    """The content of a .pkl, .pickle, .npy, .pt or .pth file as plain data; raises `BadForeignFile`, `UnsafeFile`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadForeignFile(path, f"it cannot be read ({error.strerror})") from error
    try:
        return _plain(_inflated(data))
    except _Refused as error:
        raise UnsafeFile(path, str(error)) from error
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, zlib.error,
            lzma.LZMAError, MemoryError, OverflowError, UnicodeDecodeError) as error:  # fmt: skip
        raise BadForeignFile(path, f"it is damaged or in no known format ({type(error).__name__})") from error


class _Refused(Exception):
    """The name of something that a file wants to have called."""


def _inflated(data: bytes) -> bytes:
    """Without joblib's compression."""
    if data[:1] == b"\x78":
        return zlib.decompress(data)
    if data[:6] == b"\xfd7zXZ\x00":
        return lzma.decompress(data)
    return data


def _plain(data: bytes) -> Any:
    if zipfile.is_zipfile(io.BytesIO(data)):
        return _torch_archive(data)
    if data.startswith(NPY_MAGIC):
        return _numpy_object(data)
    return _PlainUnpickler(io.BytesIO(data)).load()


def _torch_archive(data: bytes) -> Any:
    import torch

    with torch.serialization.safe_globals(_arrays_in_torch()):
        try:
            return _arrays_for_tensors(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
        except pickle.UnpicklingError as error:
            raise _Refused("see --debug") from error


def _arrays_in_torch() -> list[Any]:
    """What torch's own restricted reader needs for numpy's arrays beside tensors, by the names of numpy 1 and 2."""
    made = {"_reconstruct": np.empty(0).__reduce__()[0], "scalar": np.float64(0).__reduce__()[0]}
    named = [(call, f"{module}.multiarray.{name}") for name, call in made.items() for module in ("numpy.core", "numpy._core")]
    kinds = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdFDSU"}
    return [ndarray, np.dtype, *sorted(kinds, key=lambda kind: kind.__name__), *named]


def _arrays_for_tensors(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    if isinstance(value, dict):
        return {key: _arrays_for_tensors(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_arrays_for_tensors(item) for item in value)
    return value


def _numpy_object(data: bytes) -> Any:
    """An array as it is; an object array through the unpickler, and a single object out of it."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if not dtype.hasobject:
        return np.load(io.BytesIO(data), allow_pickle=False)
    array = _PlainUnpickler(file).load()
    return array.item() if shape == () else array


@dataclass
class _ArrayInFile:
    """joblib's stand-in for an array whose bytes follow in the file."""

    shape: tuple[int, ...] = ()
    order: str = "C"
    dtype: np.dtype | None = None
    numpy_array_alignment_bytes: int | None = None

    def read(self, file: BinaryIO) -> ndarray:
        """The array; the file stands behind it then."""
        if self.dtype is None or self.dtype.hasobject:
            return _PlainUnpickler(file).load()
        if self.numpy_array_alignment_bytes is not None:
            file.read(int.from_bytes(file.read(1), "little"))
        size = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        data = file.read(size)
        if len(data) != size:
            raise EOFError
        shape = self.shape[::-1] if self.order == "F" else self.shape
        array = np.frombuffer(data, self.dtype).reshape(shape).copy()
        return array.T if self.order == "F" else array


class _PlainUnpickler(pickle._Unpickler):  # the one in Python: joblib's arrays are read between two opcodes
    """An unpickler that knows the constructors of plain data and no other name."""

    def __init__(self, file: BinaryIO):
        super().__init__(file, encoding="latin1")
        self._file = file

    def find_class(self, module: str, name: str) -> Any:
        """What a file may have built."""
        known = _KNOWN.get((module.replace("numpy.core", "numpy._core"), name))
        if known is None:
            raise _Refused(f"{module}.{name}")
        return known

    def get_extension(self, code: int) -> None:
        raise _Refused(f"extension {code}")

    def load_build(self) -> None:
        """As pickle's, but for arrays that follow in the file."""
        if not isinstance(self.stack[-2], _ArrayInFile):  # pyright: ignore[reportAttributeAccessIssue]
            return super().load_build()  # pyright: ignore[reportAttributeAccessIssue]
        state = self.stack.pop()  # pyright: ignore[reportAttributeAccessIssue]
        fields = {name: state[name] for name in _ArrayInFile.__dataclass_fields__ if name in state}
        self.stack[-1] = _ArrayInFile(**fields).read(self._file)  # pyright: ignore[reportAttributeAccessIssue]
        return None

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}


def _empty_array(kind: type, shape: tuple[int, ...], code: Any) -> ndarray:
    """numpy's first step of rebuilding an array; its content comes as state."""
    if kind is not ndarray:
        raise _Refused(repr(kind))
    return ndarray.__new__(ndarray, (0,), "b")


def _scalar(dtype: np.dtype, data: bytes | str) -> Any:
    return np.frombuffer(data if isinstance(data, bytes) else data.encode("latin1"), dtype)[0]


def _array_of(buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> ndarray:
    return np.frombuffer(buffer, dtype).reshape(shape, order="F" if order == "F" else "C").copy()


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise _Refused(f"_codecs.encode to {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocol 2 writes empty bytes."""
    return b""


def _storage(data: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> ndarray:
    import torch

    typed = storage if isinstance(storage, torch.TypedStorage) else torch.TypedStorage(wrap_storage=storage, _internal=True)
    return torch.as_strided(torch.tensor([], dtype=typed.dtype).set_(typed), size, stride, offset).numpy().copy()


_KNOWN: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): defaultdict,
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__")
       for kind in (dict, list, tuple, set, frozenset, int, float, complex, str, bool)},
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): _no_bytes,
    ("numpy", "ndarray"): ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _array_of,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _ArrayInFile,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.storage", "_load_from_bytes"): _storage,
}  # fmt: skip
