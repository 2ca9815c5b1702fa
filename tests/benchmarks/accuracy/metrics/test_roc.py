from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu  # type: ignore[import-untyped]

from faceport.benchmarks.accuracy.metrics.roc import area_under_roc, equal_error, roc, thinned
from faceport.errors import InputError

# Few distinct values, so that there are many equal scores.
SCORES = arrays(np.float64, st.integers(1, 30), elements=st.integers(-8, 8).map(lambda i: i / 8))


@given(genuine=SCORES, impostor=SCORES)
def test_the_curve_is_what_counting_gives(genuine: np.ndarray, impostor: np.ndarray) -> None:
    curve = roc(genuine, impostor)
    assert (curve.far[0], curve.tar[0], curve.far[-1], curve.tar[-1]) == (0, 0, 1, 1)
    for far, tar, threshold in zip(curve.far, curve.tar, curve.thresholds, strict=True):
        assert far == (impostor >= threshold).mean()
        assert tar == (genuine >= threshold).mean()


@given(genuine=SCORES, impostor=SCORES)
def test_the_area_is_mann_whitneys_and_that_under_the_curve(
    genuine: np.ndarray, impostor: np.ndarray
) -> None:
    area = area_under_roc(genuine, impostor)
    pairs = len(genuine) * len(impostor)
    assert area == pytest.approx(mannwhitneyu(genuine, impostor).statistic / pairs, abs=1e-12)
    curve = roc(genuine, impostor)
    trapezia = np.diff(curve.far) * (curve.tar[1:] + curve.tar[:-1]) / 2
    assert area == pytest.approx(trapezia.sum(), abs=1e-12)
    assert area == pytest.approx(1 - area_under_roc(impostor, genuine), abs=1e-12)


def brute_equal_error(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Walk the curve in steps of a millionth of each part, until FAR is no more below FRR."""
    points = [(0.0, 1.0)]
    for threshold in sorted({*genuine, *impostor}, reverse=True):
        points.append(((impostor >= threshold).mean(), (genuine < threshold).mean()))
    for (far, frr), (next_far, next_frr) in pairwise(points):
        if next_far >= next_frr:
            low, high = 0.0, 1.0
            for _ in range(60):
                middle = (low + high) / 2
                below = far + middle * (next_far - far) < frr + middle * (next_frr - frr)
                low, high = (middle, high) if below else (low, middle)
            return float(far + high * (next_far - far))
    raise AssertionError("the curve ends at (1, 0)")


@given(genuine=SCORES, impostor=SCORES)
def test_the_equal_error_rate_is_where_the_curve_says(
    genuine: np.ndarray, impostor: np.ndarray
) -> None:
    found = equal_error(genuine, impostor)
    assert found.rate == pytest.approx(brute_equal_error(genuine, impostor), abs=1e-9)
    # Scores turned round, and the kinds with them: the same errors.
    assert equal_error(-impostor, -genuine).rate == pytest.approx(found.rate, abs=1e-9)


@given(genuine=SCORES, impostor=SCORES, seed=st.integers(0, 9))
def test_neither_order_nor_a_rising_function_changes_a_rate(
    genuine: np.ndarray, impostor: np.ndarray, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    changed = np.exp(3 * rng.permutation(genuine)), np.exp(3 * rng.permutation(impostor))
    assert area_under_roc(*changed) == area_under_roc(genuine, impostor)
    assert equal_error(*changed).rate == equal_error(genuine, impostor).rate


def test_cases_by_hand() -> None:
    parted = np.array([0.8, 0.9]), np.array([0.1, 0.2])
    assert area_under_roc(*parted) == 1
    assert (equal_error(*parted).rate, equal_error(*parted).threshold) == (0, 0.8)
    assert area_under_roc(parted[1], parted[0]) == 0
    assert equal_error(parted[1], parted[0]).rate == 1
    # One of four on either side is wrong at 0.5.
    mixed = np.array([0.9, 0.8, 0.7, 0.3]), np.array([0.5, 0.2, 0.1, 0.0])
    assert equal_error(*mixed).rate == 0.25
    assert area_under_roc(*mixed) == 15 / 16
    equal = np.array([0.5]), np.array([0.5])
    assert (area_under_roc(*equal), equal_error(*equal).rate) == (0.5, 0.5)


def test_failures_are_accepted_last() -> None:
    genuine, impostor = np.array([0.9, -np.inf]), np.array([0.1, -np.inf])
    assert roc(genuine, impostor).thresholds.tolist() == [np.inf, 0.9, 0.1, -np.inf]
    # 0.9 beats both; the failure ties with the failure: (1 + 1 + 0.5) / 4.
    assert area_under_roc(genuine, impostor) == 0.625
    only = equal_error(np.array([-np.inf]), np.array([-np.inf]))
    assert (only.rate, only.threshold) == (0.5, None)


def test_a_thinned_curve_keeps_its_ends_and_the_low_rates() -> None:
    rng = np.random.default_rng(0)
    curve = roc(rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000))
    thin = thinned(curve, 400)
    assert 100 < len(thin.far) <= 402
    assert (thin.far[0], thin.far[-1]) == (0, 1)
    assert (thin.far > 0).sum() > 0
    assert thin.far[thin.far > 0].min() == 1 / 20_000
    for far in (1e-4, 1e-3, 1e-2, 1e-1):
        exact = curve.tar[np.searchsorted(curve.far, far, side="right") - 1]
        assert np.interp(far, thin.far, thin.tar) == pytest.approx(exact, abs=0.01)
    assert thinned(thin, 1000) is thin


def test_one_kind_of_pairs_and_scores_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="both kinds of pairs; received 0 of one person, 1 of two"):
        area_under_roc(np.array([]), np.array([0.5]))
    with pytest.raises(InputError, match="not a number"):
        equal_error(np.array([0.1]), np.array([np.nan]))
