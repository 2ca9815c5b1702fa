"""From the pictures of a set to crops, one after the other, with what went wrong named.

The next pictures are read and decoded while the detector is at work on one.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faceport.benchmarks.accuracy.cache import Entry, Pixels, entry_key
from faceport.benchmarks.accuracy.cutter import Cutter
from faceport.benchmarks.accuracy.types import Picture
from faceport.errors import FaceportError, ImageDecodeError, InputError
from faceport.images import Image, load_image

AHEAD = 4
"""Pictures that are decoded before it is their turn."""

NOT_FOUND = "no face found"


@dataclass(frozen=True, eq=False)
class Crop:
    """What came of one picture.

    Attributes:
        name: of the picture.
        pixels: (height, width, 3) uint8 in the model's colour order; None where there is no crop.
        faces: found in the picture; 1 for a picture that is a crop.
        problem: why there is no crop; empty where there is one.
        cached: whether it was read from the cache.
    """

    name: str
    pixels: Pixels | None
    faces: int
    problem: str = ""
    cached: bool = False


@dataclass(frozen=True, eq=False)
class _Read:
    """A picture before its turn: decoded, or found in the cache, or unreadable."""

    picture: Picture
    key: str = ""
    image: Image | None = None
    entry: Entry | None = None
    error: FaceportError | None = None


def crops_of(pictures: Sequence[Picture], cutter: Cutter) -> Iterator[Crop]:
    """Give one crop a picture, in order.

    A picture that can't be read, or has no face, is a crop without pixels whose `problem` says so.

    Raises:
        InputError: a photograph and no detector; an aligned picture of another size than the
            model's; a cache that can't be written.
        SessionError: the detector did not run.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        waiting: deque[Future[_Read]] = deque()
        for picture in pictures:
            waiting.append(pool.submit(_read, picture, cutter))
            if len(waiting) > AHEAD:
                yield _finished(waiting.popleft().result(), cutter)
        while waiting:
            yield _finished(waiting.popleft().result(), cutter)


def _read(picture: Picture, cutter: Cutter) -> _Read:
    try:
        data = _bytes_of(picture)
        if picture.aligned:
            return _Read(picture, image=_decoded(picture, data, cutter))
        key = entry_key(data, cutter.identity, cutter.preprocess, cutter.rule)
        kept = cutter.cache.read(key, cutter.preprocess) if cutter.cache else None
        if kept is not None:
            return _Read(picture, key, entry=kept)
        return _Read(picture, key, image=_decoded(picture, data, cutter))
    except FaceportError as error:
        return _Read(picture, error=error)


def _bytes_of(picture: Picture) -> bytes:
    if isinstance(picture.source, bytes):
        return picture.source
    try:
        return Path(picture.source).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageDecodeError(f"{picture.source} could not be read: {reason}") from error


class _Encoded(io.BytesIO):
    """Bytes that have the picture's name, for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def _decoded(picture: Picture, data: bytes, cutter: Cutter) -> Image:
    return load_image(_Encoded(data, picture.name), max_pixels=cutter.max_pixels)


def _finished(read: _Read, cutter: Cutter) -> Crop:
    name = read.picture.name
    if read.entry is not None:
        return _crop(name, read.entry, cached=True)
    if read.image is None:
        return Crop(name, None, 0, f"not readable: {read.error}")
    if read.picture.aligned:
        return Crop(name, cutter.as_crop(read.image), 1)
    try:
        entry = cutter.cut(read.image)
    except InputError as error:
        if cutter.detector is None:
            raise
        return Crop(name, None, 0, f"no crop could be made: {error}")
    if cutter.cache is not None:
        cutter.cache.write(read.key, entry)
    return _crop(name, entry, cached=False)


def _crop(name: str, entry: Entry, *, cached: bool) -> Crop:
    problem = NOT_FOUND if entry.pixels is None else ""
    return Crop(name, entry.pixels, entry.faces, problem, cached)
