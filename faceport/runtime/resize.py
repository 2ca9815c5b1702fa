"""Pixels to another size, by the filter that a spec names.

`bilinear` is OpenCV's: it takes the four nearest pixels, and skips others where a picture shrinks.
`bilinear_antialias` equals torch's `interpolate(mode="bilinear", antialias=True)` on 0-255 values
to 1 level: it is Pillow's `BILINEAR`, the same filter (a triangle, as wide as the step where a
picture shrinks) with a rounding between rows and columns. A product of matrices would come within
half a level and took 3 to 20 times as long on faces that shrink.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from faceport.spec import Resample

Pixels = NDArray[np.uint8]


def resize_into(pixels: Pixels, target: Pixels, resample: Resample) -> None:
    """Scale a picture to the size of `target`, in place.

    Args:
        pixels: (height, width, 3) uint8, of 1 pixel or more; it may be a part of a larger array.
        target: (height, width, 3) uint8, contiguous; it is filled.
        resample: the filter.
    """
    RESIZERS[resample](pixels, target)


def _sampled(pixels: Pixels, target: Pixels) -> None:
    import cv2

    height, width = target.shape[:2]
    cv2.resize(pixels, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)


def _averaged(pixels: Pixels, target: Pixels) -> None:
    from PIL import Image

    height, width = target.shape[:2]
    # A copy, and one of the part only: Pillow keeps four bytes a pixel.
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    target[:] = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


RESIZERS: Mapping[Resample, Callable[[Pixels, Pixels], None]] = {
    "bilinear": _sampled,
    "bilinear_antialias": _averaged,
}
