"""Suppression against a slow reference in exact fractions."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.runtime.nms import nms

Box = tuple[float, float, float, float]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union in exact fractions, rounded once."""

    def area(x1: Fraction, y1: Fraction, x2: Fraction, y2: Fraction) -> Fraction:
        return max(x2 - x1, Fraction(0)) * max(y2 - y1, Fraction(0))

    p, q = [Fraction(v) for v in a], [Fraction(v) for v in b]
    shared = area(max(p[0], q[0]), max(p[1], q[1]), min(p[2], q[2]), min(p[3], q[3]))
    union = area(*p) + area(*q) - shared
    return float(shared / union) if union else 0.0


def slow(boxes: list[Box], scores: list[float], threshold: float) -> list[int]:
    waiting = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for index in waiting:
        if all(overlap(boxes[index], boxes[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


# Quarters are exact in binary, so that the reference and float64 agree to the last bit.
quarter = st.integers(-40, 400).map(lambda n: n / 4)
side = st.one_of(st.just(0.0), st.integers(-8, 160).map(lambda n: n / 4))
box = st.tuples(quarter, quarter, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
score = st.sampled_from([0.25, 0.5, 0.75, 0.875, 1.0])


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.tuples(box, score), max_size=25),
    st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.4, 0.5, 0.75, 1.0]),
)
def test_equals_the_slow_reference(scored: list[tuple[Box, float]], threshold: float) -> None:
    boxes, scores = [b for b, _ in scored], [s for _, s in scored]
    array = np.array(boxes, np.float32).reshape(-1, 4)
    kept = nms(array, np.array(scores, np.float32), threshold)
    assert kept.tolist() == slow(boxes, scores, threshold)


@pytest.mark.parametrize(
    ("threshold", "kept"),
    [(0.3, [0, 1]), (np.nextafter(0.3, 0), [0])],
    ids=["at the threshold", "above it"],
)
def test_an_overlap_of_exactly_the_threshold_is_kept(threshold: float, kept: list[int]) -> None:
    # 3 of 10 cells: 3/10 rounds to the same float as the threshold.
    boxes = np.array([[0, 0, 6, 1], [3, 0, 10, 1]], np.float32)
    assert overlap(*map(tuple, boxes.tolist())) == 0.3
    assert nms(boxes, np.array([0.9, 0.8], np.float32), float(threshold)).tolist() == kept


def test_of_equal_scores_the_earlier_box_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10]], np.float32)
    assert nms(boxes, np.full(3, 0.5, np.float32), 0.5).tolist() == [0]


def test_boxes_without_area_neither_drop_nor_are_dropped() -> None:
    boxes = np.array([[5, 5, 5, 9], [5, 5, 5, 9], [0, 0, 10, 10], [9, 9, 3, 3]], np.float32)
    assert nms(boxes, np.array([0.9, 0.8, 0.7, 0.6], np.float32), 0.0).tolist() == [0, 1, 2, 3]


def test_a_large_picture_costs_no_accuracy() -> None:
    # At 30,000 pixels the two overlap by 0.5000083: float32 areas are off by 32 square pixels.
    boxes = np.array([[0, 0, 30000, 30000], [0, 0, 30000, 15000.25]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert nms(boxes, scores, 0.5).tolist() == [0]
    assert nms(boxes, scores, 0.50001).tolist() == [0, 1]


def test_nothing_in_nothing_out() -> None:
    kept = nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.4)
    assert kept.shape == (0,)
    assert kept.dtype == np.intp


def test_many_boxes_take_seconds_not_minutes() -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 5000, (12800, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (12800, 2))], axis=1)
    begin = time.perf_counter()
    kept = nms(boxes.astype(np.float32), rng.random(12800).astype(np.float32), 0.4)
    assert time.perf_counter() - begin < 30
    assert len(kept) > 10_000
