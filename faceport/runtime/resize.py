"""Pixels to another size, by the filter that a spec names.

`bilinear` is OpenCV's: it takes the four nearest pixels, and skips others where a picture shrinks.
`bilinear_antialias` is torch's `interpolate(mode="bilinear", antialias=True)` on 0-255 values,
rounded: a triangle as wide as the step, where a picture shrinks. Pillow's `BILINEAR` is the same
filter; on floats, a plane at a time, it keeps the half level that its rounding between rows and
columns loses on bytes, in a third more time. A product of matrices took five times as long.
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

    size = (target.shape[1], target.shape[0])
    for channel in range(target.shape[2]):
        plane = Image.fromarray(pixels[..., channel].astype(np.float32))
        target[..., channel] = np.rint(np.asarray(plane.resize(size, Image.Resampling.BILINEAR)))


RESIZERS: Mapping[Resample, Callable[[Pixels, Pixels], None]] = {
    "bilinear": _sampled,
    "bilinear_antialias": _averaged,
}
