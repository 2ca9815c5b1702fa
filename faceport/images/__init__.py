"""Pictures: decoded with limits, upright, with an explicit colour order.

A JPEG may be decoded at a half, a quarter or an eighth (`Divisor`): its decoder then leaves out
most of the work. The picture says how much smaller it is, and can be decoded again at another size.
"""

from __future__ import annotations

from faceport.images.loading import load_image, read_all
from faceport.images.picture import (
    MAX_PIXELS,
    PILLOW_MAX_PIXELS,
    Divisor,
    Image,
    ImageSource,
    Whole,
)

__all__ = [
    "MAX_PIXELS",
    "PILLOW_MAX_PIXELS",
    "Divisor",
    "Image",
    "ImageSource",
    "Whole",
    "load_image",
    "read_all",
]
