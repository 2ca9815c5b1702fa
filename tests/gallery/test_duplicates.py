from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.gallery import duplicates as module
from faceport.gallery.duplicates import near_identities


def gallery(seed: int, counts: list[int], dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(sum(counts), dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owner = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.intp)
    return vectors.astype(np.float32), owner


def brute_force(
    vectors: np.ndarray, owner: np.ndarray, threshold: float
) -> dict[tuple[int, int], float]:
    best: dict[tuple[int, int], float] = {}
    for i, a in enumerate(vectors.astype(np.float64)):
        for j, b in enumerate(vectors.astype(np.float64)):
            score = float(a @ b)
            if owner[i] < owner[j] and score >= threshold:
                key = int(owner[i]), int(owner[j])
                best[key] = max(best.get(key, -2), score)
    return best


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    threshold=st.floats(-0.5, 0.9),
    block=st.integers(1, 9),
)
def test_it_equals_all_pairs_in_float64(
    seed: int, counts: list[int], threshold: float, block: int
) -> None:
    vectors, owner = gallery(seed, counts)
    if np.abs(vectors.astype(np.float64) @ vectors.T - threshold).min() < 1e-5:
        return
    expected = brute_force(vectors, owner, threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", block)
        found = near_identities(vectors, owner, threshold)
    assert not found.more
    assert {(p.first, p.second): pytest.approx(p.score, abs=1e-5) for p in found.pairs} == expected
    assert [p.score for p in found.pairs] == sorted((p.score for p in found.pairs), reverse=True)
    for pair in found.pairs:
        assert (owner[pair.first_row], owner[pair.second_row]) == (pair.first, pair.second)
        score = float(vectors[pair.first_row] @ vectors[pair.second_row])
        assert score == pytest.approx(pair.score, abs=1e-5)


def test_the_best_are_kept_where_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, owner = gallery(1, [2] * 20)
    monkeypatch.setattr(module, "BLOCK_ROWS", 7)
    everything = near_identities(vectors, owner, -1.0, limit=190)
    assert (len(everything.pairs), everything.more) == (190, False)
    few = near_identities(vectors, owner, -1.0, limit=11)
    assert few.more
    assert [(p.first, p.second) for p in few.pairs] == [
        (p.first, p.second) for p in everything.pairs[:11]
    ]


def test_nothing_to_compare() -> None:
    empty = near_identities(np.empty((0, 5), np.float32), np.empty(0, np.intp), 0.5)
    assert empty.pairs == ()
    same = np.ones((3, 1), np.float32)
    assert near_identities(same, np.zeros(3, np.intp), 0.5).pairs == ()


@pytest.mark.parametrize(("threshold", "limit"), [(1.1, 1), (float("nan"), 1), (0.5, 0)])
def test_refused(threshold: float, limit: int) -> None:
    with pytest.raises(InputError):
        near_identities(np.eye(3, dtype=np.float32), np.arange(3), threshold, limit=limit)
