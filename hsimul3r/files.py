"""Files and folders that are whole or not there, and folders that one process works on at a time."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsimul3r.errors import FolderBusy, FolderUnusable

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}


def write_whole(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename, so that a kill leaves the old file or the new one, and processes do not meet."""
    write_whole_bytes(path, text.encode("utf-8"))


def write_whole_bytes(path: Path, content: bytes) -> None:
    """`write_whole` of any content."""
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    partial.write_bytes(content)
    partial.replace(path)


def state_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """(name, size, time of change [ns]) of a file, or of every file within a folder: other where one was replaced.

    Nothing is read, however large the files are. Empty where there is nothing.
    """
    if not path.is_dir():
        found = [path] if path.is_file() else []
    else:
        found = sorted(inside for inside in path.rglob("*") if inside.is_file())
    states = [(one, one.stat()) for one in found]
    return tuple((one.relative_to(path).as_posix(), stat.st_size, stat.st_mtime_ns) for one, stat in states)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside `path`, with its ending, to write into, which takes its place at the end."""
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def fresh_folder(final: Path) -> Iterator[Path]:
    """A folder beside `final` to write into, which takes its place at the end: the rename is the only commit point."""
    partial, old = (final.with_name(final.name + end) for end in (".tmp", ".old"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if final.exists():
        final.rename(old)
    partial.rename(final)
    remove(old)


def remove(folder: Path) -> None:
    """Delete a folder; of a link to another folder, the link."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def whole_folders(parent: Path) -> list[Path]:
    """Folders in `parent`, sorted, without those that `fresh_folder` is still writing; none where there is no `parent`."""
    folders = sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
    return [folder for folder in folders if folder.suffix not in (".tmp", ".old")]


def mend_folders(parent: Path) -> None:
    """Put back what a kill between the two renames of `fresh_folder` left, and drop half-written folders."""
    for old in parent.glob("*.old"):
        final = old.with_suffix("")
        if final.exists():
            remove(old)
        else:
            old.rename(final)
    for partial in parent.glob("*.tmp"):
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def owned_folder(folder: Path, *, option: str) -> Iterator[None]:
    """`folder`, made where it is missing, for this process alone; `option` is how a user gives another.

    Raises `FolderBusy` and `FolderUnusable`.
    """
    with writable(folder, option=option):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderBusy(folder, option) from error
        yield


@contextmanager
def writable(folder: Path, *, option: str) -> Iterator[None]:
    """Turns a full disk, a missing right and the like into `FolderUnusable`."""
    try:
        yield
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise FolderUnusable(folder, error.strerror or str(error), option) from error
        raise
