from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceport.benchmarks.accuracy.metrics.operating_points import OperatingPoint, operating_points
from faceport.codec import decode, encode
from faceport.errors import InputError

SCORES = arrays(np.float64, st.integers(1, 40), elements=st.integers(-8, 8).map(lambda i: i / 8))
TARGET = st.sampled_from((0.05, 0.1, 0.25, 0.5, 0.9))


def point(genuine: np.ndarray, impostor: np.ndarray, target: float) -> OperatingPoint:
    made = operating_points(genuine, impostor, targets=(target,), replicates=20, least_errors=1)
    return made[0]


@given(genuine=SCORES, impostor=SCORES, target=TARGET)
def test_it_is_the_best_of_all_thresholds_that_keep_the_rate(
    genuine: np.ndarray, impostor: np.ndarray, target: float
) -> None:
    found = point(genuine, impostor, target)
    if len(impostor) * target < 1:
        assert found.tar is None
        return
    candidates = [2.0, *genuine, *impostor]
    kept = [t for t in candidates if (impostor >= t).mean() <= target]
    assert found.tar == max((genuine >= t).mean() for t in kept)
    assert found.threshold is not None
    assert found.far == (impostor >= found.threshold).mean() <= target
    assert found.tar == (genuine >= found.threshold).mean()
    assert found.false_accepts == (impostor >= found.threshold).sum()


@given(genuine=SCORES, impostor=SCORES, target=TARGET, seed=st.integers(0, 9))
def test_neither_order_nor_a_rising_function_changes_the_rates(
    genuine: np.ndarray, impostor: np.ndarray, target: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a = point(genuine, impostor, target)
    b = point(np.exp(rng.permutation(genuine)), np.exp(rng.permutation(impostor)), target)
    assert (a.tar, a.far, a.low, a.high) == (b.tar, b.far, b.low, b.high)


def test_a_figure_needs_thirty_false_accepts() -> None:
    rng = np.random.default_rng(0)
    # LFW: 3,000 impostor pairs support 1e-2 and no less.
    made = operating_points(rng.normal(5, 1, 3000), rng.normal(0, 1, 3000), replicates=50)
    assert [p.target for p in made] == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
    assert [p.tar is None for p in made] == [False, False, True, True, True, True]
    assert made[1].false_accepts == 30
    assert made[2].reason == "3000 impostor pairs; needs 30000"
    assert made[5].reason == "3000 impostor pairs; needs 30000000"
    assert (made[2].threshold, made[2].low, made[2].far) == (None, None, None)
    fewer = operating_points(rng.normal(5, 1, 10), rng.normal(0, 1, 2999), targets=(1e-2,))
    assert fewer[0].reason == "2999 impostor pairs; needs 3000"
    looser = operating_points(
        rng.normal(5, 1, 10), rng.normal(0, 1, 300), targets=(1e-2,), least_errors=3
    )
    assert looser[0].tar == 1
    assert operating_points(np.array([]), np.zeros(9), targets=(0.1,))[0].reason == (
        "no genuine pairs"
    )


def test_failures_are_rejected_even_where_more_may_be_accepted() -> None:
    genuine = np.array([0.9, -np.inf, -np.inf, 0.2])
    impostor = np.array([0.5, *[-np.inf] * 9])
    found = point(genuine, impostor, 0.5)
    assert (found.tar, found.far, found.threshold) == (0.5, 0.1, 0.2)
    nothing = point(np.array([-np.inf]), np.full(10, -np.inf), 0.5)
    assert (nothing.tar, nothing.far) == (0, 0)


def test_an_interval_of_a_rate_of_one_is_no_point() -> None:
    impostor = np.linspace(0, 0.5, 300)
    (found,) = operating_points(np.ones(4), impostor, targets=(0.1,), replicates=50)
    # Clopper and Pearson: 4 of 4 is 0.398 … 1 at 95 %.
    assert (found.tar, found.high) == (1, 1)
    assert found.low == pytest.approx(0.397635, abs=1e-5)
    (found,) = operating_points(np.zeros(4), impostor, targets=(0.1,), replicates=50)
    assert (found.tar, found.low) == (0, 0)
    assert found.high == pytest.approx(0.602365, abs=1e-5)
    # Two people, whatever the number of their pairs.
    people = np.tile([0, 1], (300, 1))
    (found,) = operating_points(
        np.ones(4),
        impostor,
        targets=(0.1,),
        genuine_people=np.array([[0, 0], [0, 0], [0, 0], [1, 1]]),
        impostor_people=people,
        replicates=50,
    )
    assert found.low == pytest.approx(0.158114, abs=1e-5)


def test_it_is_json_both_ways() -> None:
    made = operating_points(np.ones(5), np.arange(300) / 300, replicates=10)
    for one in made:
        assert decode(OperatingPoint, encode(one)) == one


def test_people_are_drawn_where_they_are_known() -> None:
    labels = np.repeat(np.arange(30), 4)
    i, j = np.triu_indices(120, 1)
    same = labels[i] == labels[j]
    # Each person is good or bad at all: pairs of one person say the same thing again.
    rng = np.random.default_rng(0)
    good = rng.random(30) < 0.7
    scores = np.where(same, np.where(good[labels[i]], 2.0, -2.0), rng.random(len(i)))
    people = np.stack([labels[i], labels[j]], axis=1)
    (clustered,) = operating_points(
        scores[same],
        scores[~same],
        targets=(0.1,),
        genuine_people=people[same],
        impostor_people=people[~same],
        replicates=400,
    )
    (naive,) = operating_points(scores[same], scores[~same], targets=(0.1,), replicates=400)
    assert (clustered.drawn, naive.drawn) == ("people", "pairs")
    assert clustered.tar == naive.tar == good.mean()
    assert clustered.low is not None
    assert clustered.high is not None
    assert naive.low is not None
    assert naive.high is not None
    # 30 people, not 180 pairs: the deviation of a share of 30 is root 6 of that of 180.
    ratio = (clustered.high - clustered.low) / (naive.high - naive.low)
    assert 2 < ratio < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": (0.0,)}, "out of range"),
        ({"targets": (1.0,)}, "out of range"),
        ({"replicates": 0}, "the bootstrap needs replicates"),
        ({"least_errors": 0}, "errors to rest on"),
    ],
)
def test_arguments_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        operating_points(np.ones(2), np.ones(2), **options)  # type: ignore[arg-type]


def test_scores_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="not a number"):
        operating_points(np.array([np.nan]), np.ones(2))
