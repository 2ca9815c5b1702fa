from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy.metrics.histogram import Histogram, histogram
from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.codec import decode, encode
from faceport.errors import InputError


def pair_scores(scores: list[float], same: list[bool]) -> PairScores:
    values = np.array(scores)
    zeros = np.zeros(len(scores), np.int64)
    return PairScores(values, np.array(same), zeros, None, np.isneginf(values))


def test_every_pair_is_counted_once() -> None:
    rng = np.random.default_rng(0)
    scores = [*rng.uniform(-0.3, 1, 500), -np.inf, -np.inf, 1.0, -0.3]
    same = [*(rng.random(500) < 0.5), True, False, True, False]
    made = histogram(pair_scores(scores, same), bins=20)
    assert (len(made.edges), len(made.genuine)) == (21, 20)
    assert made.failed == 2
    assert sum(made.genuine) == sum(same) - 1
    assert sum(made.genuine) + sum(made.impostor) + made.failed == len(scores)
    assert made.edges[0] == pytest.approx(-0.3)
    assert made.edges[-1] == pytest.approx(1)
    assert decode(Histogram, encode(made)) == made


def test_equal_scores_and_no_scores_have_bins_too() -> None:
    one = histogram(pair_scores([0.5, 0.5], [True, False]), bins=4)
    assert (sum(one.genuine), sum(one.impostor)) == (1, 1)
    none = histogram(pair_scores([-np.inf], [True]), bins=4)
    assert (none.edges, none.failed) == ((-1, -0.5, 0, 0.5, 1), 1)
    with pytest.raises(InputError, match="needs bins"):
        histogram(pair_scores([0.5], [True]), bins=0)
