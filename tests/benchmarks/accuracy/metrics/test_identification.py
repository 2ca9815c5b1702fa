from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy.metrics.identification import Identification, cmc, identify
from faceport.benchmarks.accuracy.metrics.search import SearchScores
from faceport.codec import decode, encode


def searches(
    own: list[float], other: list[float], rank: list[int], mated: list[bool], enrolled: int = 10
) -> SearchScores:
    return SearchScores(
        own=np.array(own),
        other=np.array(other),
        rank=np.array(rank),
        mated=np.array(mated),
        failed=np.array([score == -np.inf for score in other]),
        people=np.arange(len(own)),
        enrolled=enrolled,
        not_enrolled=0,
    )


# Four mated searches (one of rank 2, one failed), then four strangers (one failed).
NONE = -np.inf
BY_HAND = searches(
    own=[0.9, 0.8, 0.3, NONE, NONE, NONE, NONE, NONE],
    other=[0.2, 0.1, 0.6, NONE, 0.7, 0.4, 0.3, NONE],
    rank=[1, 1, 2, 0, 0, 0, 0, 0],
    mated=[True] * 4 + [False] * 4,
)


def test_closed_set_by_hand() -> None:
    made = identify(BY_HAND)
    assert (made.mated, made.mated_failed, made.strangers, made.strangers_failed) == (4, 1, 4, 1)
    assert (made.rank1, made.rank5) == (0.5, 0.75)
    assert made.cmc == (0.5, *[0.75] * 9)
    assert cmc(BY_HAND, 3) == (0.5, 0.75, 0.75)


def test_open_set_by_hand() -> None:
    strangers = identify(BY_HAND, leave_out=False, targets=(0.25, 0.5, 0.75), least_errors=1)
    assert [p.non_mated for p in strangers.points] == [4, 4, 4]
    # One of the four strangers may be given: the threshold lies between 0.4 and 0.7.
    assert (strangers.points[0].fnir, strangers.points[0].false_positives) == (0.5, 1)
    assert 0.4 < (strangers.points[0].threshold or 0) <= 0.7
    # At 0.35, 0.3 is still not given, and its mate is at rank 2 anyway.
    assert (strangers.points[1].fnir, strangers.points[1].fpir) == (0.5, 0.5)
    looser = identify(BY_HAND, leave_out=False, rank=5, targets=(0.75,), least_errors=1)
    assert looser.points[0].fnir == 0.25
    both = identify(BY_HAND, targets=(0.25,), least_errors=1)
    assert (both.points[0].non_mated, both.points[0].false_positives) == (8, 2)


def test_a_figure_needs_thirty_false_positives() -> None:
    made = identify(BY_HAND)
    assert {p.fnir for p in made.points} == {None}
    assert made.points[0].reason == "8 non-mated searches; needs 300"


def test_the_definition_holds_on_many_searches() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(0.6, 0.2, 2000), rng.normal(0.1, 0.1, 2000)
    mated = np.arange(2000) < 1200
    own[~mated] = NONE
    rank = np.where(mated, 1 + (other >= own), 0)
    scores = searches(own.tolist(), other.tolist(), rank.tolist(), mated.tolist())
    made = identify(scores, leave_out=False, replicates=200)
    for found in made.points[:1]:
        assert found.threshold is not None
        assert found.low is not None
        assert found.high is not None
        given = (rank == 1) & (own >= found.threshold)
        assert found.fnir == pytest.approx(1 - given[mated].mean())
        assert found.fpir == (other[~mated] >= found.threshold).mean() <= found.target
        assert found.fnir is not None
        assert found.low <= found.fnir <= found.high
    assert [p.fnir is None for p in made.points] == [False, True, True]


def test_ranks_that_every_search_would_reach_are_not_given() -> None:
    few = identify(searches([0.5, 0.6], [0.1, 0.1], [1, 1], [True, True], enrolled=5))
    assert (few.rank1, few.rank5, few.cmc) == (1, None, (1, 1, 1, 1, 1))
    nobody = identify(searches([NONE], [0.1], [0], [False]))
    assert (nobody.rank1, nobody.cmc) == (None, ())
    assert nobody.points[0].reason == "no mated searches"


def test_it_is_json_both_ways() -> None:
    made = identify(BY_HAND, least_errors=1)
    assert decode(Identification, encode(made)) == made
