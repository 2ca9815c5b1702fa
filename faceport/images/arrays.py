"""Arrays as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.images.picture import Image, too_large
from faceport.spec import ColorOrder


def picture_of_array(array: NDArray[Any], color_order: ColorOrder | None, max_pixels: int) -> Image:
    """Check an array and make a picture of it; see `load_image`.

    Raises:
        ImageDecodeError: more than `max_pixels`.
        InputError: another shape or dtype, or no `color_order`.
    """
    grey = array.ndim == 2
    if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise InputError(
            "the array is no picture",
            received=f"{array.dtype} {array.shape}",
            expected="uint8 (height, width), (height, width, 3) or (height, width, 4)",
        )
    if array.size == 0:
        raise InputError("the array has no pixels", received=array.shape)
    if array.shape[0] * array.shape[1] > max_pixels:
        raise too_large("array", f"{array.shape[0]} × {array.shape[1]} pixels", max_pixels)
    if grey:
        return Image(np.repeat(array[..., None], 3, axis=2), "rgb", "array")
    if color_order not in ("rgb", "bgr"):
        raise InputError(
            "an array does not say its colour order",
            received=f"color_order={color_order!r}",
            expected="'rgb' or 'bgr'",
            fix="pass color_order='bgr' for an array of OpenCV's, 'rgb' for one of PIL's",
        )
    return Image(np.ascontiguousarray(_opaque(array)), color_order, "array")


def _opaque(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.shape[2] == 3:
        return array
    alpha = array[..., 3:].astype(np.uint16)
    mixed = (array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)
