"""Pictures for a pipeline: each decoded or failed on its own, in groups of bounded size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faceport.errors import FaceportError, ImageDecodeError, InputError
from faceport.images import Divisor, Image, ImageSource, load_image, read_all
from faceport.spec import ColorOrder

GROUP_PICTURES = 16
GROUP_PIXELS = 32_000_000
"""A group ends at this many pictures or pixels: enough to fill batches, little memory."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A picture, or the bytes that are none, or why there is neither.

    Attributes:
        source: as the caller gave it.
        image: the decoded picture.
        data: bytes that are no picture, where the caller wants them.
        error: why it could not be read.
    """

    source: ImageSource
    image: Image | None = None
    data: bytes | None = None
    error: FaceportError | None = None


def load_source(
    source: ImageSource,
    color_order: ColorOrder | None,
    max_pixels: int,
    *,
    want_bytes: bool,
    divisor: Divisor | None = None,
) -> Loaded:
    """Decode a source; never raises for what is wrong with it.

    `color_order`, `max_pixels` and `divisor` are as `load_image` takes them. With `want_bytes`,
    what is no picture but can be read comes back as `data` and is no error.
    """
    given = source
    if want_bytes and hasattr(source, "read"):
        # A file object can be read but once, and its bytes may still be wanted.
        try:
            given = read_all(source)
        except FaceportError as error:
            return Loaded(source, error=error)
    try:
        image = load_image(given, color_order=color_order, max_pixels=max_pixels, divisor=divisor)
        return Loaded(source, image)
    except ImageDecodeError as error:
        data = _bytes_of(given) if want_bytes else None
        return Loaded(source, data=data, error=error if data is None else None)
    except FaceportError as error:
        return Loaded(source, error=error)


def divisor_of(detector: object) -> Divisor | None:
    """Return how small a detector lets pictures be decoded; None, for nearly all, is whole."""
    return getattr(detector, "decode_divisor", None)


def check_several(sources: Iterable[ImageSource]) -> None:
    """Refuse one picture where several are asked for: a path is a sequence too, of letters.

    Raises:
        InputError: it is one.
    """
    if isinstance(sources, str | bytes | os.PathLike):
        raise InputError(
            "one picture was given where several are asked for",
            received=type(sources).__name__,
            expected="a list of pictures, or any iterable of them",
            fix="call the pipeline itself with one picture, or put it into a list",
        )


def grouped(loaded: Iterable[Loaded]) -> Iterator[list[Loaded]]:
    """Collect consecutive sources into groups that end at the limits above."""
    group: list[Loaded] = []
    pixels = 0
    for one in loaded:
        group.append(one)
        pixels += one.image.height * one.image.width if one.image else 0
        if len(group) >= GROUP_PICTURES or pixels >= GROUP_PIXELS:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _bytes_of(source: object) -> bytes | None:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).read_bytes()
        except (OSError, ValueError):
            return None
    return None
