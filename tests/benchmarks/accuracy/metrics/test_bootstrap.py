from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp  # type: ignore[import-untyped]

from faceport.benchmarks.accuracy.metrics import bootstrap
from faceport.benchmarks.accuracy.metrics.bootstrap import (
    interval,
    over_pairs,
    over_people,
)


def rate(genuine: np.ndarray, impostor: np.ndarray, target: float) -> float:
    """The definition: the share of genuine above the first impostor that may not be accepted."""
    falling = np.sort(impostor)[::-1]
    return float((genuine > falling[int(len(falling) * target)]).mean())


def test_replicates_over_pairs_have_the_distribution_of_drawing_pairs() -> None:
    rng = np.random.default_rng(0)
    genuine = np.sort(np.round(rng.normal(2, 1, 150), 2))
    impostor = np.sort(np.round(rng.normal(0, 1, 400), 2))[::-1]
    quick = over_pairs(genuine, impostor, 0.05, 4000, rng)
    slow = np.array(
        [rate(rng.choice(genuine, 150), rng.choice(impostor, 400), 0.05) for _ in range(4000)]
    )
    assert abs(quick.mean() - slow.mean()) < 0.004
    assert abs(quick.std() / slow.std() - 1) < 0.06
    assert ks_2samp(quick, slow).pvalue > 1e-3


def test_replicates_over_people_are_those_of_copied_people() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(6), 3)
    i, j = np.triu_indices(len(labels), 1)
    same = labels[i] == labels[j]
    scores = np.round(rng.normal(same * 1.5, 1), 1)
    up = np.argsort(scores[same], kind="stable")
    down = np.argsort(-scores[~same], kind="stable")
    people = np.stack([labels[i], labels[j]], axis=1)
    sides = people[same][up] + 10, people[~same][down] + 10
    made = over_people(
        scores[same][up], scores[~same][down], sides, (0.1, 0.3), 40, np.random.default_rng(5)
    )
    again = np.random.default_rng(5)
    for k in range(40):
        drawn = np.bincount(again.integers(0, 6, 6), minlength=6)
        copies = np.where(same, drawn[labels[i]], drawn[labels[i]] * drawn[labels[j]])
        repeated, kind = np.repeat(scores, copies), np.repeat(same, copies)
        for row, target in enumerate((0.1, 0.3)):
            if kind.all() or not kind.any():
                assert np.isnan(made[row, k])
            else:
                assert made[row, k] == pytest.approx(
                    rate(repeated[kind], repeated[~kind], target), abs=1e-12
                )


def test_many_pairs_have_fewer_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "WORK", 1000 * 150)
    people = np.zeros((500, 2), np.int64), np.array([[0, 1]] * 500)
    scores = np.linspace(0, 1, 500)
    made = over_people(scores, scores[::-1], people, (0.1,), 900, np.random.default_rng(0))
    assert made.shape == (1, 150)


def test_intervals() -> None:
    assert interval(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.975))
    assert interval(np.array([np.nan, 0.5])) == (0.5, 0.5)
    assert interval(np.array([np.nan])) is None
