"""What a picture is, where it may come from, and how large it may be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceport.errors import ImageDecodeError
from faceport.spec import ColorOrder

if TYPE_CHECKING:
    from PIL import Image as PilImage

MAX_PIXELS = 89_000_000
"""Default limit of height × width; a picture above it is refused before its pixels are decoded.

Just under the size from which Pillow itself warns.
"""

PILLOW_MAX_PIXELS = 178_956_970
"""Pillow refuses more whatever the limit here."""

Divisor = Callable[[int, int], int]
"""From height and width of a whole upright picture to the most it may be divided by."""

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | IO[bytes] | NDArray[Any] | PilImage.Image | Image"
)


@dataclass(frozen=True, eq=False)
class Whole:
    """The picture of which an `Image` is a smaller decoding.

    A point x, y of the whole picture lies at x / divisor, y / divisor in the smaller one.

    Attributes:
        height: rows of pixels.
        width: columns of pixels.
        divisor: of the smaller one.
        decode: decodes it again, divided by no more than is said; raises as `load_image` does.
    """

    height: int
    width: int
    divisor: int
    decode: Callable[[int], Image]


@dataclass(frozen=True, eq=False)
class Image:
    """A decoded picture.

    Attributes:
        pixels: (height, width, 3) uint8.
        color_order: of the last axis.
        name: the file's name, for messages.
        whole: the picture that this one is a smaller decoding of; None where it is whole itself.
    """

    pixels: NDArray[np.uint8]
    color_order: ColorOrder
    name: str = "image"
    whole: Whole | None = None

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    def in_order(self, color_order: ColorOrder) -> NDArray[np.uint8]:
        """Return the pixels in a colour order; a view where the order differs."""
        return self.pixels if color_order == self.color_order else self.pixels[..., ::-1]


def too_large(name: str, received: str, max_pixels: int) -> ImageDecodeError:
    """Return the error for a picture above the limit."""
    return ImageDecodeError(
        f"{name} has too many pixels",
        received=received,
        expected=f"at most {max_pixels:,}",
        fix="raise the limit (--max-pixels, max_pixels=) if the picture is meant to be so large",
    )
