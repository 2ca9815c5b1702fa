from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.gallery import consensus as module
from faceport.gallery.consensus import Consensus, consensus


def units(rng: np.random.Generator, count: int, dim: int = 16) -> np.ndarray:
    vectors = rng.normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def person(rng: np.random.Generator, count: int, axis: int, dim: int = 16) -> np.ndarray:
    """Pictures of one person: cosines of about 0.9 to each other, about 0 to other axes'."""
    vectors = rng.normal(size=(count, dim)) * 0.05
    vectors[:, axis] += 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def brute_force(vectors: np.ndarray, threshold: float, known: np.ndarray) -> list[bool]:
    """The rule, in words: at least half of the others are near enough."""
    everybody = [*vectors.astype(np.float64), *known.astype(np.float64)]
    kept = []
    for i in range(len(vectors)):
        others = [v for j, v in enumerate(everybody) if j != i]
        near = sum(float(everybody[i] @ other) >= threshold for other in others)
        kept.append(2 * near >= len(others))
    return kept


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 12),
    known=st.integers(0, 5),
    threshold=st.floats(-0.5, 0.9),
)
def test_it_equals_counting_in_float64(seed: int, count: int, known: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    vectors, enrolled = units(rng, count, 4), units(rng, known, 4)
    everybody = np.concatenate([vectors, enrolled]).astype(np.float64)
    if np.abs(everybody @ everybody.T - threshold).min() < 1e-5:
        return
    found = consensus(vectors, threshold, enrolled)
    assert found.kept.tolist() == brute_force(vectors, threshold, enrolled)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_only_the_group_with_more_than_half_stays(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.concatenate([person(rng, size, axis) for axis, size in enumerate(sizes)])
    order = rng.permutation(len(vectors))
    found = consensus(vectors[order], 0.5)
    largest = int(np.argmax(sizes))
    if 2 * sizes[largest] > sum(sizes):
        assert found.kept.tolist() == (groups[order] == largest).tolist()
        assert set(found.verdicts) <= {"agrees", "outlier"}
    else:
        assert set(found.verdicts) == {"undecided"}


def test_small_cases() -> None:
    rng = np.random.default_rng(0)
    ann, bob = person(rng, 3, 0), person(rng, 2, 1)
    assert consensus(ann[:1], 0.5).verdicts == ("agrees",)
    assert consensus(ann[:1], 0.5).medians.tolist() == [1]
    assert consensus(ann[:2], 0.5).verdicts == ("agrees",) * 2
    assert consensus(np.stack([ann[0], bob[0]]), 0.5).verdicts == ("undecided",) * 2
    two_of_three = np.stack([ann[0], bob[0], ann[1]])
    assert consensus(two_of_three, 0.5).verdicts == ("agrees", "outlier", "agrees")


def test_what_is_enrolled_votes() -> None:
    rng = np.random.default_rng(0)
    ann, bob = person(rng, 3, 0), person(rng, 2, 1)
    assert consensus(bob, 0.5, known=ann).verdicts == ("outlier", "outlier")
    assert consensus(bob[:1], 0.5, known=ann[:1]).verdicts == ("outlier",)
    assert consensus(ann[:1], 0.5, known=ann[1:]).verdicts == ("agrees",)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = units(np.random.default_rng(3), 23, 6)
    whole = consensus(vectors, 0.1)
    monkeypatch.setattr(module, "BLOCK_ROWS", 5)
    blocks: Consensus = consensus(vectors, 0.1)
    np.testing.assert_allclose(blocks.medians, whole.medians, atol=1e-6)
    assert blocks.verdicts == whole.verdicts


@pytest.mark.parametrize(
    ("vectors", "threshold"),
    [(np.ones(4, np.float32), 0.5), (np.ones((0, 4), np.float32), 0.5), (np.eye(2), 1.5)],
)
def test_refused(vectors: np.ndarray, threshold: float) -> None:
    with pytest.raises(InputError):
        consensus(vectors, threshold)
