from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceport.benchmarks.accuracy.metrics.folds import best_threshold, drawn_folds, fold_accuracy

SCORES = arrays(np.float64, 20, elements=st.integers(-8, 8).map(lambda i: i / 8))
FLAGS = arrays(np.bool_, 20)


@given(scores=SCORES, same=FLAGS, failed=FLAGS)
def test_no_threshold_is_better(scores: np.ndarray, same: np.ndarray, failed: np.ndarray) -> None:
    scores[failed] = -np.inf
    found = best_threshold(scores, same)
    assert np.isfinite(found)
    candidates = [-1.5, 1.5, *scores[~failed], *(scores[~failed] + 1e-3)]
    best = max(float(((scores >= t) == same).mean()) for t in candidates)
    assert float(((scores >= found) == same).mean()) == best


def test_thresholds_by_hand() -> None:
    same = np.array([False, False, True, True])
    assert best_threshold(np.array([0.0, 0.25, 0.75, 1.0]), same) == 0.5
    # All rejected, all accepted.
    assert best_threshold(np.array([0.1, 0.2]), np.array([False, False])) > 0.2
    assert best_threshold(np.array([0.1, 0.2]), np.array([True, True])) == 0.1
    assert best_threshold(np.array([-np.inf]), np.array([True])) == 0
    # Neighbouring numbers have no number between them.
    low = 0.5
    high = float(np.nextafter(low, 1))
    assert best_threshold(np.array([low, high]), np.array([False, True])) == high


def test_each_fold_is_judged_by_the_others() -> None:
    # Fold 0 alone would be parted at 0.2 without error; the others' threshold makes one there.
    scores = np.array([0.1, 0.3, 0.4, 0.42, 0.8, 0.35, 0.45, 0.9, 0.95])
    same = np.array([False, True, False, False, True, False, False, True, True])
    made = fold_accuracy(scores, same, np.array([0, 0, 1, 1, 1, 2, 2, 2, 2]))
    assert made is not None
    assert made.thresholds == pytest.approx((0.625, 0.675, 0.61))
    assert made.accuracies == (0.5, 1.0, 1.0)
    assert made.mean == pytest.approx(5 / 6)
    assert made.std == pytest.approx(np.std([0.5, 1, 1]))
    assert made.standard_error == pytest.approx(np.sqrt((1 / 9 + 2 / 36) / 2) / np.sqrt(3))
    assert made.folds == "list"


def grid_accuracy(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> float:
    """LFW's protocol as published code does it: thresholds on a fine grid, the first best one."""
    grid = np.arange(-1, 1, 0.0005)
    accuracies = []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        right = [((scores[train] >= t) == same[train]).mean() for t in grid]
        chosen = grid[int(np.argmax(right))]
        accuracies.append(((scores[test] >= chosen) == same[test]).mean())
    return float(np.mean(accuracies))


def test_it_is_near_the_published_grid_search() -> None:
    rng = np.random.default_rng(1)
    same = np.arange(2000) % 2 == 0
    scores = np.clip(
        np.where(same, rng.normal(0.6, 0.15, 2000), rng.normal(0.1, 0.15, 2000)), -1, 1
    )
    folds = np.arange(2000) // 200
    made = fold_accuracy(scores, same, folds)
    assert made is not None
    assert 0.9 < made.mean < 1
    assert made.mean == pytest.approx(grid_accuracy(scores, same, folds), abs=0.004)


def test_folds_are_drawn_where_there_are_none() -> None:
    rng = np.random.default_rng(2)
    same = rng.random(107) < 0.3
    scores = np.where(same, 0.9, 0.1)
    made = fold_accuracy(scores, same, np.zeros(107, np.int64), seed=3)
    assert made is not None
    assert (made.folds, made.mean, len(made.accuracies)) == ("drawn", 1, 10)
    folds = drawn_folds(same, 3)
    assert np.array_equal(folds, drawn_folds(same, 3))
    assert not np.array_equal(folds, drawn_folds(same, 4))
    for kind in (same, ~same):
        sizes = np.bincount(folds[kind], minlength=10)
        assert sizes.max() - sizes.min() <= 1


def test_few_pairs_have_fewer_folds_or_no_accuracy() -> None:
    same = np.array([True, True, False, False, False])
    made = fold_accuracy(same.astype(float), same, np.zeros(5, np.int64))
    assert made is not None
    assert made.accuracies == (1, 1)
    assert fold_accuracy(np.ones(4), np.array([True, True, True, False]), np.arange(4)) is None
