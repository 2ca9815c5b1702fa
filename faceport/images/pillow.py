"""From a picture that Pillow opened to upright RGB pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIVISORS = (8, 4, 2)
"""By how much libjpeg makes a picture smaller while it decodes it."""

UPRIGHT = 1
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations: the first turns nothing, these change height and width."""

BAND_PIXELS = 1 << 18
LARGE = 8_000_000
"""Pictures of more pixels are taken out of Pillow in bands of the size above. Taken whole they are
in memory three times, and from about 10 megapixels on that also takes two to four times as long."""

JPEG = ("JPEG", "MPO")
"""What Pillow calls files that libjpeg decodes; MPO is several in one."""


def orientation_of(picture: Any) -> int:
    """Return the EXIF orientation (tag 274: 1 to 8)."""
    if picture.format not in JPEG:
        # First, because TIFF files turn themselves when they are loaded, and drop the tag.
        picture.load()
    try:
        return int(picture.getexif().get(274, UPRIGHT))
    # A damaged block is no reason to lose the picture; its parser raises nearly anything.
    except Exception:
        return UPRIGHT


def upright_size(picture: Any, orientation: int) -> tuple[int, int]:
    """Return height and width, turned."""
    width, height = picture.size
    return (width, height) if orientation in SIDEWAYS else (height, width)


def draft(picture: Any, orientation: int, most: int) -> int:
    """Tell a JPEG's decoder to make the picture smaller; return by how much it will be.

    Columns that are left over lie at the right and the bottom. A picture to be turned, so that they
    would come to lie left or above and shift all points, is divided only without a remainder.
    """
    if picture.format not in JPEG:
        return 1
    width, height = picture.size
    stays = orientation in (UPRIGHT, 5)
    for by in DIVISORS:
        if by <= most and (stays or (width % by == 0 and height % by == 0)):
            picture.draft(None, (max(width // by, 1), max(height // by, 1)))
            smaller = (-(-width // by), -(-height // by))
            return by if picture.size == smaller else 1
    return 1


def pixels_of(picture: Any, orientation: int) -> NDArray[np.uint8]:
    """Return (height, width, 3) uint8 RGB pixels, turned upright."""
    return _array(_rgb(_upright(picture, orientation)))


def _array(picture: Any) -> NDArray[np.uint8]:
    width, height = picture.size
    if width * height <= LARGE:
        return np.asarray(picture)
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(BAND_PIXELS // width, 1)
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(band)
    return pixels


def _upright(picture: Any, orientation: int) -> Any:
    """Apply an EXIF orientation.

    Not Pillow's `exif_transpose`: it writes the EXIF block anew, which fails on blocks that are a
    little wrong, and it copies pictures that are upright.
    """
    from PIL.Image import Transpose

    picture.load()
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _rgb(picture: Any) -> Any:
    from PIL import Image as PilImage

    if picture.mode.startswith("I;16") or picture.mode == "I":
        wide = np.asarray(picture, dtype=np.uint32)
        picture = PilImage.fromarray((wide >> 8).clip(0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = PilImage.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = PilImage.alpha_composite(white, layer)
    return picture if picture.mode == "RGB" else picture.convert("RGB")
