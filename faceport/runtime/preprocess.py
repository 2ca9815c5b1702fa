"""From cut-out pixels to the model's input tensor: channel order, mean and std, layout.

A uint8 has 256 values, so `(pixel - mean) / std` is a table of 256 entries a channel, computed in
float64 and rounded once. Measured on 640×640 and on six 112×112 crops, splitting the planes and
looking them up is about twice as fast as numpy arithmetic a plane, six to ten times as fast as
OpenCV's `blobFromImages`, and more exact than either.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.spec import ColorOrder, PreprocessSpec

Pixels = NDArray[np.uint8]
Tensor = NDArray[np.generic]

CHANNELS = 3


def to_tensor(pixels: Pixels, color_order: ColorOrder, spec: PreprocessSpec) -> Tensor:
    """Turn pixels that already have the model's size into its input.

    Args:
        pixels: (N, height, width, 3) uint8.
        color_order: of the last axis of `pixels`.
        spec: what the model takes; its mean and std are in its own `color_order`.

    Returns:
        A contiguous array in `spec.layout`: float32 `(pixel - mean) / std`, or uint8 pixels. It may
        share memory with `pixels` where there is nothing to change.

    Raises:
        InputError: the pixels have another dtype, shape or size.
    """
    _check(pixels, color_order, spec)
    pixels = np.ascontiguousarray(pixels)
    swap = color_order != spec.color_order
    if spec.layout == "nchw" and spec.dtype == "float32":
        return _planes(pixels, swap, _tables(spec.mean, spec.std))
    ordered = _swapped(pixels) if swap else pixels
    if spec.dtype == "float32":
        return _looked_up(ordered, _tables(spec.mean, spec.std))
    return np.ascontiguousarray(ordered.transpose(0, 3, 1, 2) if spec.layout == "nchw" else ordered)


def _planes(pixels: Pixels, swap: bool, tables: NDArray[np.float32]) -> Tensor:
    import cv2

    count, height, width, _ = pixels.shape
    tensor = np.empty((count, CHANNELS, height, width), np.float32)
    # One set for all pictures: fresh memory costs as much as the split.
    bytes_planes = list(np.empty((CHANNELS, height, width), np.uint8))
    for picture, planes in zip(pixels, tensor, strict=True):
        cv2.split(picture, bytes_planes)
        for channel, plane in enumerate(bytes_planes):
            target = CHANNELS - 1 - channel if swap else channel
            cv2.LUT(plane, tables[target], dst=planes[target])
    return tensor


def _looked_up(pixels: Pixels, tables: NDArray[np.float32]) -> Tensor:
    import cv2

    tensor = np.empty(pixels.shape, np.float32)
    for picture, target in zip(pixels, tensor, strict=True):
        cv2.LUT(picture, np.ascontiguousarray(tables.T)[None], dst=target)
    return tensor


def _swapped(pixels: Pixels) -> Pixels:
    import cv2

    swapped = np.empty_like(pixels)
    for picture, target in zip(pixels, swapped, strict=True):
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=target)
    return swapped


@lru_cache(maxsize=16)
def _tables(means: tuple[float, ...], stds: tuple[float, ...]) -> NDArray[np.float32]:
    """Return (3, 256): what each pixel value becomes, a row a channel; not to be written to."""
    values = np.arange(256, dtype=np.float64)
    mean, std = np.array([means, stds], dtype=np.float64)
    table: NDArray[np.float32] = ((values - mean[:, None]) / std[:, None]).astype(np.float32)
    table.flags.writeable = False
    return table


def _check(pixels: Pixels, color_order: ColorOrder, spec: PreprocessSpec) -> None:
    if color_order not in ("rgb", "bgr"):
        raise InputError("color_order", received=repr(color_order), expected="'rgb' or 'bgr'")
    fits = pixels.ndim == 4 and pixels.shape[3] == CHANNELS and pixels.dtype == np.uint8
    if not fits or pixels.size == 0:
        raise InputError(
            "the pixels are no batch of pictures",
            received=f"{pixels.dtype} {pixels.shape}",
            expected="uint8 (N, height, width, 3)",
        )
    height, width = pixels.shape[1:3]
    if not spec.dynamic_size and (height, width) != (spec.height, spec.width):
        raise InputError(
            "the pixels do not have the model's size",
            received=f"height {height}, width {width}",
            expected=f"height {spec.height}, width {spec.width}",
            fix="align, crop or letterbox them first",
        )
