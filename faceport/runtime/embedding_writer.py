"""A file of embeddings that is written as pictures are done, and continued after any end.

A line is given to the system in one call as soon as its picture is done, so that whatever ends the
process leaves whole lines and at most one that is cut off, which the next run drops.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from faceport.errors import InputError
from faceport.runtime.embedding_file import (
    PICTURE,
    Json,
    header_line,
    picture_line,
    read_header,
    read_line,
)
from faceport.runtime.types import Face

State = tuple[int, int]
"""Size in bytes and time of change in nanoseconds of a picture's file."""


class EmbeddingWriter:
    """Appends pictures to a file, and knows which are there."""

    def __init__(self, path: Path, file: IO[bytes], done: dict[str, State]) -> None:
        self._path = path
        self._file = file
        self._done = done

    def is_done(self, image: Path) -> bool:
        """Whether the file has the picture as it is now, and it did not fail."""
        return str(image) in self._done and self._done[str(image)] == state_of(image)

    def add(self, image: Path, faces: Sequence[Face], error: str | None) -> None:
        """Append a picture.

        Raises:
            InputError: the file can't be written any more: the disk is full.
        """
        _write(self._path, self._file, picture_line(str(image), state_of(image), faces, error))


def state_of(image: Path) -> State:
    """Return a file's size and time of change; zeros where it can't be looked at."""
    try:
        facts = image.stat()
    except (OSError, ValueError):
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


@contextmanager
def embedding_writer(path: Path, settings: Json, *, resume: bool) -> Iterator[EmbeddingWriter]:
    """Open a file of embeddings for writing; what is there is kept if `resume`.

    Raises:
        InputError: the file can't be written, is no regular file, is no file of embeddings, is
            being written by another process, or was made with other settings.
    """
    try:
        # Unbuffered: what `write` is given is the system's, whatever becomes of this process.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from error
    with file:
        _check_regular(path, file)
        _lock(path, file)
        done = _continued(path, settings, resume=resume)
        if done is None:
            file.truncate(0)
            _write(path, file, header_line(settings))
        file.seek(0, os.SEEK_END)
        try:
            yield EmbeddingWriter(path, file, done or {})
        finally:
            os.fsync(file.fileno())


def _write(path: Path, file: IO[bytes], line: bytes) -> None:
    """Write a whole line: where the disk is nearly full, one call writes a part of it."""
    left = memoryview(line)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise InputError(
            f"{path} can't be written: {error.strerror}",
            fix="make room: the same command then goes on from there",
        ) from error


def _check_regular(path: Path, file: IO[bytes]) -> None:
    """Refuse what is no file to go on from: a device may have no end, a pipe no beginning."""
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise InputError(
            f"{path} is no regular file",
            expected="a file that can be read again",
            fix="choose another name for --output",
        )


def _lock(path: Path, file: IO[bytes]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"{path} is being written by another process") from error


def _continued(path: Path, settings: Json, *, resume: bool) -> dict[str, State] | None:
    """Return what is done, and cut off what is torn; None if the file is to be begun."""
    done: dict[str, State] = {}
    with path.open("r+b") as file:
        first = file.readline()
        if not first.endswith(b"\n"):
            # Nothing, or a header that was cut off. Anything else is somebody's file.
            if header_line(settings).startswith(first[:20]):
                return None
            read_header(path, first)
        _check_settings(path, read_header(path, first), settings, resume=resume)
        if not resume:
            return None
        end = file.tell()
        for number, line in enumerate(iter(file.readline, b""), 2):
            if not line.endswith(b"\n"):
                file.truncate(end)
                break
            end += len(line)
            values = read_line(path, line, number, PICTURE)
            image = str(values["image"])
            done.pop(image, None)
            if values["error"] is None:
                done[image] = (values["size"], values["mtime_ns"])
    return done


def _check_settings(path: Path, there: Json, wanted: Json, *, resume: bool) -> None:
    if not resume:
        return
    names = sorted(n for n in {*there, *wanted} if there.get(n) != wanted.get(n))
    if names:
        raise InputError(
            f"{path} was made with other settings",
            received=", ".join(f"{name}={wanted.get(name)}" for name in names),
            expected=", ".join(f"{name}={there.get(name)}" for name in names),
            fix="give the same settings, another --output, or --no-resume to begin it anew",
        )
