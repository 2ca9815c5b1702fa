"""Greedy non-maximum suppression of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def nms(
    boxes: NDArray[np.floating], scores: NDArray[np.floating], threshold: float
) -> NDArray[np.intp]:
    """Keep the best box, drop those that overlap it by more than `threshold`, and so on.

    Areas and overlaps are computed in float64: in float32 the area of a box of a large picture has
    an error of whole pixels. An overlap (intersection over union) of exactly `threshold` is kept. A
    box without area overlaps nothing.

    Args:
        boxes: (N, 4), x1 y1 x2 y2.
        scores: (N,); of equal scores the earlier box goes first.
        threshold: 0 to 1.

    Returns:
        (K,) indices of the boxes kept, best first.
    """
    order = np.argsort(-scores, kind="stable")
    corners = np.ascontiguousarray(boxes[order].T, np.float64)
    upper_left, lower_right = corners[:2], corners[2:]
    areas = _areas(upper_left, lower_right)
    alive = np.ones(len(order), np.bool_)
    for best in range(len(order)):
        if not alive[best]:
            continue
        rest = slice(best + 1, None)
        shared = _areas(
            np.maximum(upper_left[:, rest], upper_left[:, best, None]),
            np.minimum(lower_right[:, rest], lower_right[:, best, None]),
        )
        alive[rest] &= _overlaps(shared, areas[best] + areas[rest]) <= threshold
    return order[alive]


def _overlaps(shared: Float64, area_sums: Float64) -> Float64:
    """Return intersection over union; 0 where the union has no area."""
    union = area_sums - shared
    overlaps = np.zeros_like(shared)
    np.divide(shared, union, out=overlaps, where=union > 0)
    return overlaps


def _areas(upper_left: Float64, lower_right: Float64) -> Float64:
    """Return (N,) areas of corners (2, N); 0 for a box that is turned inside out."""
    width, height = np.maximum(lower_right - upper_left, 0.0)
    areas: Float64 = width * height
    return areas
