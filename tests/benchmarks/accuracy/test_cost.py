"""What an artefact costs, against counting by hand and scipy-free references."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.benchmarks.accuracy.cost import change_against, exact_mcnemar, loss_against
from faceport.benchmarks.accuracy.metrics.folds import FoldAccuracy
from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.benchmarks.accuracy.types import Embedded, Picture

PICTURES = tuple(Picture(name, b"") for name in "abc")


def embedded(vectors: list[list[float]], found: list[bool]) -> Embedded:
    array = np.array(vectors, np.float32)
    return Embedded(array, np.ones(len(array), np.float32), np.array(found))


def test_the_loss_is_one_minus_the_cosine_of_pictures_with_a_face() -> None:
    exact = embedded([[1, 0], [0, 1], [0, 0]], [True, True, False])
    other = embedded([[0.6, 0.8], [0, 1], [0, 0]], [True, True, False])
    loss = loss_against(exact, other, PICTURES)
    assert loss is not None
    assert loss.pictures == 2
    assert loss.worst == pytest.approx(0.4)
    assert loss.worst_picture == "a"
    assert loss.mean == pytest.approx(0.2)
    assert loss_against(embedded([[0, 0]], [False]), embedded([[0, 0]], [False]), PICTURES) is None


def pairs(scores: list[float], same: list[bool], folds: list[int]) -> PairScores:
    values = np.array(scores, np.float64)
    failed = ~np.isfinite(values)
    return PairScores(values, np.array(same), np.array(folds, np.int64), None, failed)


def accuracy(*thresholds: float) -> FoldAccuracy:
    return FoldAccuracy(0.0, 0.0, 0.0, (0.0,) * len(thresholds), thresholds, "list")


def test_changes_are_counted_pair_by_pair_with_each_folds_threshold() -> None:
    same, folds = [True, True, False, False, True], [0, 1, 0, 1, 1]
    reference = pairs([0.6, 0.5, 0.1, 0.45, -np.inf], same, folds), accuracy(0.3, 0.4)
    other = pairs([0.2, 0.5, 0.1, 0.35, -np.inf], same, folds), accuracy(0.15, 0.4)
    change = change_against(reference, other)
    # Pair 3 is wrong in the reference alone; the other pairs agree, thanks to its own thresholds.
    assert (change.lost, change.gained) == (0, 1)
    assert change.accuracy == pytest.approx(0.2)
    assert change.p_value == 1.0
    # With the reference's thresholds pairs 0 and 3 are decided otherwise.
    assert change.flipped == 2
    assert change.low <= change.accuracy <= change.high


def test_the_interval_is_that_of_drawing_pairs() -> None:
    same = [True] * 1000
    before = [1.0] * 1000
    after = [0.0] * 100 + [1.0] * 900
    folds = [0] * 500 + [1] * 500
    change = change_against(
        (pairs(before, same, folds), accuracy(0.5, 0.5)),
        (pairs(after, same, folds), accuracy(0.5, 0.5)),
    )
    # 100 of 1000: a binomial's deviation is 0.0095.
    assert change.accuracy == -0.1
    assert change.low == pytest.approx(-0.1 - 1.96 * 0.0095, abs=0.002)
    assert change.high == pytest.approx(-0.1 + 1.96 * 0.0095, abs=0.002)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_tail_twice(lost: int, gained: int) -> None:
    tosses = lost + gained
    tail = sum(comb(tosses, k) for k in range(min(lost, gained) + 1)) / 2**tosses
    assert exact_mcnemar(lost, gained) == pytest.approx(min(1.0, 2 * tail))
    assert exact_mcnemar(lost, gained) == exact_mcnemar(gained, lost)


def test_mcnemar_of_many_pairs_is_a_number() -> None:
    assert exact_mcnemar(5000, 5200) == pytest.approx(0.0487, abs=5e-4)
