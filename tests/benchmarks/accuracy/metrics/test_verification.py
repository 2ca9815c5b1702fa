from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.benchmarks.accuracy.metrics.verification import Verification, verify
from faceport.codec import decode, encode


def pair_scores(failed_genuine: int = 0, failed_impostor: int = 0) -> PairScores:
    rng = np.random.default_rng(4)
    same = np.arange(800) < 400
    scores = np.where(same, rng.normal(0.6, 0.15, 800), rng.normal(0.1, 0.15, 800))
    failed = np.zeros(800, bool)
    failed[:failed_genuine] = True
    failed[800 - failed_impostor :] = True
    scores[failed] = -np.inf
    return PairScores(scores, same, np.zeros(800, np.int64), None, failed)


def test_all_figures_of_good_scores() -> None:
    made = verify(pair_scores())
    assert (made.pairs, made.genuine, made.impostor) == (800, 400, 400)
    assert made.accuracy is not None
    assert made.eer is not None
    assert made.auc is not None
    assert made.accuracy.mean > 0.93
    assert made.auc > 0.98
    assert made.eer.rate == pytest.approx(1 - made.accuracy.mean, abs=0.02)
    assert [p.tar is None for p in made.points] == [False, True, True, True, True, True]
    assert made == verify(pair_scores())


def test_failures_count_as_rejections_or_not_at_all() -> None:
    scores = pair_scores(failed_genuine=40, failed_impostor=100)
    system, matcher = verify(scores), verify(scores, failures="exclude")
    for made in (system, matcher):
        assert (made.failed_genuine, made.failed_impostor) == (40, 100)
    assert (system.genuine, system.impostor) == (400, 400)
    assert (matcher.genuine, matcher.impostor) == (360, 300)
    assert system.accuracy is not None
    assert matcher.accuracy is not None
    # ISO/IEC 19795-1: the 40 are errors, the 100 are not.
    errors = (1 - matcher.accuracy.mean) * 660
    assert (1 - system.accuracy.mean) * 800 == pytest.approx(40 + errors, abs=6)
    assert system.points[0].tar is not None
    assert system.points[0].tar <= 0.9
    assert matcher.points[0].tar is not None
    assert matcher.points[0].tar > 0.97


def test_one_kind_of_pairs_has_counts_and_reasons_only() -> None:
    every = pair_scores()
    kept = np.flatnonzero(~every.same)
    made = verify(
        PairScores(
            every.scores[kept], every.same[kept], every.folds[kept], None, every.failed[kept]
        )
    )
    assert (made.accuracy, made.auc, made.eer) == (None, None, None)
    assert {p.reason for p in made.points} == {"no genuine pairs"}


def test_a_set_with_nothing_left_is_no_crash() -> None:
    made = verify(pair_scores(400, 400), failures="exclude", targets=(0.1,))
    assert (made.pairs, made.auc) == (0, None)
    assert made.points[0].reason == "no genuine pairs"


def test_it_is_json_both_ways() -> None:
    made = verify(pair_scores(3, 5))
    assert decode(Verification, encode(made)) == made
