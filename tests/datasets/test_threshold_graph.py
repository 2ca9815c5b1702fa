"""The blockwise graph is the brute-force one, in any order, in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.datasets import threshold_graph
from faceport.datasets.threshold_graph import connected, panel_rows
from faceport.errors import InputError

MEMORY = 1_000_000_000


@dataclass(frozen=True, eq=False)
class InMemory:
    """Vectors of an array, in a buffer that is used again, as the protocol allows."""

    matrix: NDArray[np.float32]

    @property
    def count(self) -> int:
        return len(self.matrix)

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    def blocks(self, first: int, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        buffer = np.empty((size, self.dim), np.float32)
        for start in range(first, self.count, size):
            some = self.matrix[start : start + size]
            buffer[: len(some)] = some
            yield start, buffer[: len(some)]


def face_like(identities: int, samples: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Identities with several noisy samples each, of which some chain and some fall apart."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(identities, dim)), samples, axis=0)
    noise = np.repeat(random.uniform(0.2, 0.9, (identities, 1)), samples, axis=0)
    vectors = centres + random.normal(size=centres.shape) * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shuffled: NDArray[np.float32] = random.permutation(vectors).astype(np.float32)
    return shuffled


def brute_force(matrix: NDArray[np.float32], threshold: float) -> list[int]:
    """Flood from every vector over the float64 cosines; the smallest member names the component."""
    near = matrix.astype(np.float64) @ matrix.T.astype(np.float64) >= threshold
    labels = [-1] * len(matrix)
    for start in range(len(matrix)):
        queue = [start] if labels[start] < 0 else []
        for member in queue:
            if labels[member] < 0:
                labels[member] = start
                queue += np.flatnonzero(near[member]).tolist()
    return labels


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.95])
def test_it_is_what_brute_force_finds(threshold: float) -> None:
    matrix = face_like(150, 8, 64)
    expected = brute_force(matrix, threshold)
    assert 1 < len(set(expected)) <= len(matrix)
    assert connected(InMemory(matrix), threshold, MEMORY).tolist() == expected


def test_many_panels_and_tiles_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = face_like(60, 5, 16, seed=3)
    monkeypatch.setattr(threshold_graph, "TILE_ROWS", 7)
    monkeypatch.setattr(threshold_graph, "TILE_COLUMNS", 5)
    monkeypatch.setattr(threshold_graph, "STRIPE", 3)
    monkeypatch.setattr(threshold_graph, "MANY", 6)
    for panel in (11, 100, 299, 300):
        monkeypatch.setattr(threshold_graph, "panel_rows", lambda *_, rows=panel: rows)
        told: list[tuple[int, int]] = []
        labels = connected(
            InMemory(matrix), 0.7, MEMORY, lambda *pair, told=told: told.append(pair)
        )
        assert labels.tolist() == brute_force(matrix, 0.7)
        assert told == sorted(told)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), threshold=st.floats(0.2, 0.99))
def test_the_order_of_the_faces_changes_nothing(seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    matrix = face_like(8, 4, 8, seed=seed)
    # Copies, and one pair exactly at the threshold of its own cosine.
    matrix = np.concatenate([matrix, matrix[:3]])
    first, second = matrix[0].astype(np.float64), matrix[5].astype(np.float64)
    for limit in (threshold, float(np.einsum("i,i->", first, second))):
        order = random.permutation(len(matrix))
        labels = connected(InMemory(matrix), limit, MEMORY)
        moved = connected(InMemory(matrix[order]), limit, MEMORY)
        together = labels[order][:, None] == labels[order][None]
        assert ((moved[:, None] == moved[None]) == together).all()


def test_the_memory_given_is_kept_where_every_pair_is_close() -> None:
    one = np.full((5000, 512), 512**-0.5, np.float32)
    memory = 49_500_000
    assert panel_rows(5000, 512, memory) < 5000 - threshold_graph.TILE_COLUMNS
    tracemalloc.start()
    try:
        labels = connected(InMemory(one), 0.5, memory)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert labels.max() == 0
    assert 15_000_000 < peak <= memory


def test_too_little_memory_is_refused_with_what_is_enough() -> None:
    with pytest.raises(InputError, match="received 10 MB; expected 88 MB or more"):
        panel_rows(1_000_000, 512, 10_000_000)
    assert panel_rows(0, 512, 10**9) == 1
    assert connected(InMemory(np.zeros((0, 4), np.float32)), 0.5, 10**9).tolist() == []


@pytest.mark.parametrize("threshold", [1.5, -1.5, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match="a threshold is out of range"):
        connected(InMemory(face_like(2, 2, 8)), threshold, MEMORY)
