"""Pictures on their way through a pipeline, each with the hash of the very bytes that are decoded.

A file is read once. It is hashed before any model runs, so that what is known already is left out
at the cost of reading it.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from faceport.errors import FaceportError, ImageDecodeError
from faceport.runtime.pipeline import Pipeline, Result
from faceport.runtime.types import Face

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture's file.

    Attributes:
        path: where it was read.
        data: all its bytes.
        image_hash: their SHA-256 in hex.
    """

    path: Path
    data: bytes
    image_hash: str

    def opened(self) -> io.BytesIO:
        """Return it as a file object that has the file's name, for messages."""
        file = io.BytesIO(self.data)
        file.name = str(self.path)
        return file


@dataclass(frozen=True, eq=False)
class Looked(Generic[T]):
    """An item, and what was found in its picture.

    Attributes:
        item: as the caller gave it.
        picture: None where no model was run.
        faces: best score first.
        reason: why the item was left out before any model ran; "" where it was not.
        error: why there is no answer.
    """

    item: T
    picture: Picture | None = None
    faces: tuple[Face, ...] = ()
    reason: str = ""
    error: FaceportError | None = None


def read_picture(path: Path) -> Picture:
    """Read a file and hash it.

    Raises:
        ImageDecodeError: it can't be read.
    """
    try:
        # A device has no end, and a pipe that nobody writes to none either.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ImageDecodeError(f"{path} could not be opened: no regular file")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageDecodeError(f"{path} could not be opened: {reason}") from error
    return Picture(path, data, hashlib.sha256(data).hexdigest())


def look_at(
    pipeline: Pipeline,
    items: Iterable[T],
    choose: Callable[[T], Picture | str],
    *,
    workers: int = 1,
    flip: bool = False,
) -> Generator[Looked[T], None, None]:
    """Run the pictures of items through a pipeline: one answer each, in order.

    Args:
        pipeline: loaded for as many workers.
        items: any number; they and `choose` are used by another thread where there are workers.
        choose: gives an item's picture, or says why it is left out; what it raises of faceport's
            errors is the item's `error`.
        workers: pictures side by side.
        flip: fuse the mirror image in.
    """
    waiting: deque[Looked[T]] = deque()

    def sources() -> Iterator[io.BytesIO]:
        for item in items:
            looked = _chosen(item, choose)
            # Before it is given away: its result may be there at once.
            waiting.append(looked)
            if looked.picture is not None:
                yield looked.picture.opened()

    results: Generator[Result, None, None]
    if workers == 1:
        results = pipeline.process_each(sources(), flip=flip)
    else:
        results = pipeline.stream(sources(), workers=workers, flip=flip)
    with closing(results):
        for result in results:
            while (looked := waiting.popleft()).picture is None:
                yield looked
            yield Looked(looked.item, looked.picture, result.faces, error=result.error)
    yield from waiting


def _chosen(item: T, choose: Callable[[T], Picture | str]) -> Looked[T]:
    try:
        picture = choose(item)
    except FaceportError as error:
        return Looked(item, error=error)
    return Looked(item, reason=picture) if isinstance(picture, str) else Looked(item, picture)


def one_face(faces: tuple[Face, ...], *, largest: bool) -> Face | str:
    """Return the face that a picture is of, or say why there is none to take."""
    if not faces:
        return "no face found"
    if len(faces) > 1 and not largest:
        return f"{len(faces)} faces; crop it, or pass --largest"
    return max(faces, key=_area)


def _area(face: Face) -> float:
    x1, y1, x2, y2 = face.detection.bbox.tolist()
    return float((x2 - x1) * (y2 - y1))
