"""Files and folders that are there whole or not at all.

Everything is written beside its target, synced and renamed: a crash leaves the old one or the new
one. Two folders change places in one system call where the kernel offers it (renameat2).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceport.errors import FaceportError

AT_FDCWD = -100
RENAME_EXCHANGE = 2


@contextmanager
def atomic_file(target: Path, error: type[FaceportError]) -> Iterator[Path]:
    """Give a path beside `target`; what is written there takes its place when the block ends well.

    Raises:
        error: the folder is missing, not writable, or full.
    """
    with _translated(target, error):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    partial = Path(name)
    try:
        with _translated(target, error):
            yield partial
            sync_file(partial)
            partial.chmod(0o666 & ~_umask())
            partial.replace(target)
            sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path, error: type[FaceportError]) -> Iterator[None]:
    """Keep other processes that ask the same out of a folder, until the block or the process ends.

    Raises:
        error: another process is in it, or it can't be opened.
    """
    with _translated(folder, error):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as reason:
            raise error(f"{folder} is being written by another process") from reason
        yield
    finally:
        os.close(handle)


@contextmanager
def atomic_folder(target: Path, error: type[FaceportError]) -> Iterator[Path]:
    """Give an empty folder beside `target`; it takes its place when the block ends well.

    Raises:
        error: the parent is missing, not writable, or full.
    """
    with _translated(target, error):
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with _translated(target, error):
            yield partial
            partial.chmod(0o777 & ~_umask())
            for path in sorted(partial.rglob("*")):
                if path.is_file():
                    sync_file(path)
            sync_folder(partial)
            _put_in_place(partial, target)
            sync_folder(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sync_file(path: Path) -> None:
    """Flush a file's bytes to the disk."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, where the platform can."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_in_place(partial: Path, target: Path) -> None:
    if not target.exists():
        partial.rename(target)
    elif not _exchange(partial, target):
        old = partial.with_name(partial.name + ".old")
        target.rename(old)
        partial.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two paths in one step; False where the system can't."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    done: int = renameat2(
        AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE
    )
    return done == 0


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextmanager
def _translated(target: Path, error: type[FaceportError]) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise error(
            f"{target} could not be written: {cause.strerror or cause}",
            fix="check that the folder exists, is writable and has room; nothing was changed",
        ) from cause
