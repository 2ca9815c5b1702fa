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
    exact = boxes.astype(np.float64)
    areas = _areas(exact[:, :2], exact[:, 2:])
    kept = []
    while order.size:
        first, order = order[0], order[1:]
        kept.append(first)
        overlap = _overlaps(exact[first], exact[order], areas[first] + areas[order])
        order = order[overlap <= threshold]
    return np.array(kept, np.intp)


def _overlaps(box: Float64, others: Float64, area_sums: Float64) -> Float64:
    """Return the intersection over union of `box` (4,) with each of `others` (N, 4)."""
    corners = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
    shared = _areas(*corners)
    union = area_sums - shared
    overlaps = np.zeros_like(shared)
    np.divide(shared, union, out=overlaps, where=union > 0)
    return overlaps


def _areas(upper_left: Float64, lower_right: Float64) -> Float64:
    sides = np.maximum(lower_right - upper_left, 0.0)
    areas: Float64 = sides[:, 0] * sides[:, 1]
    return areas
