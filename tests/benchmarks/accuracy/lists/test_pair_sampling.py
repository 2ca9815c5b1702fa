from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.benchmarks.accuracy.lists.pair_sampling import label_pairs, pairs_of
from faceport.benchmarks.accuracy.types import IdentitySet, Picture
from faceport.errors import InputError

LABELS = st.lists(st.integers(0, 5), min_size=2, max_size=25).map(lambda x: np.array(x, np.int64))


def pairs(labels: np.ndarray, limit: int | None = None, seed: int = 0) -> list[tuple[int, int]]:
    left, right = label_pairs(labels, limit, seed)
    return list(zip(left.tolist(), right.tolist(), strict=True))


@given(labels=LABELS)
def test_all_pairs_are_all_pairs(labels: np.ndarray) -> None:
    assert sorted(pairs(labels)) == list(combinations(range(len(labels)), 2))


@given(labels=LABELS, limit=st.integers(1, 80), seed=st.integers(0, 3))
def test_a_sample_repeats_nothing_and_keeps_genuine_pairs(
    labels: np.ndarray, limit: int, seed: int
) -> None:
    sample = pairs(labels, limit, seed)
    everything = list(combinations(range(len(labels)), 2))
    genuine = sum(labels[i] == labels[j] for i, j in everything)
    kept = sum(labels[i] == labels[j] for i, j in sample)
    assert len(set(sample)) == len(sample) == min(limit, len(everything))
    assert set(sample) <= set(everything)
    assert sample == pairs(labels, limit, seed)
    if len(everything) > limit:
        impostor = len(everything) - genuine
        assert kept == min(genuine, max((limit + 1) // 2, limit - impostor))


def test_each_impostor_pair_is_as_likely_as_another() -> None:
    labels = np.array([0, 1, 1, 2, 0, 3], np.int64)
    counts: dict[tuple[int, int], int] = {}
    for seed in range(2000):
        for pair in pairs(labels, 5, seed):
            counts[pair] = counts.get(pair, 0) + 1
    assert counts.pop((0, 4)) == counts.pop((1, 2)) == 2000  # the genuine ones
    # 3 of 13 each time: 461.5 expected, deviation 18.8.
    assert len(counts) == 13
    assert all(abs(count - 2000 * 3 / 13) < 5 * 18.8 for count in counts.values())


def test_a_large_set_is_sampled_without_making_all_pairs() -> None:
    labels = np.arange(200_000, dtype=np.int64) // 2
    left, right = label_pairs(labels, 250_000, 1)
    same = labels[left] == labels[right]
    assert (len(left), int(same.sum())) == (250_000, 100_000)
    assert (left < right).all()
    with pytest.raises(InputError, match="too many pairs; received 19999900000"):
        label_pairs(labels)


def test_pairs_of_a_set_carry_its_labels() -> None:
    labels = np.array([0, 0, 1], np.int64)
    pictures = tuple(Picture(f"{i}.jpg", f"{i}.jpg") for i in range(3))
    made = pairs_of(IdentitySet("people", pictures, labels, ("ann", "ben"), np.arange(3)))
    assert made.name == "people"
    assert made.pictures == pictures
    assert made.same.tolist() == [True, False, False]
    assert made.folds.tolist() == [0, 0, 0]
    assert made.labels is labels


def test_no_pair_and_no_limit_are_refused() -> None:
    with pytest.raises(InputError, match="one picture makes no pair"):
        label_pairs(np.array([0], np.int64))
    with pytest.raises(InputError, match="not above 0"):
        label_pairs(np.array([0, 0], np.int64), 0)
