"""Unit vectors that cluster by identity, as those of faces do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def face_vectors(people: int, each: int, dim: int = 64, noise: float = 0.6, seed: int = 0) -> Float:
    """Make (people * each, dim) vectors, one person's behind each other."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((people, dim)))
    return near(np.repeat(centres, each, axis=0), noise, seed + 1)


def near(vectors: Float, noise: float = 0.6, seed: int = 9) -> Float:
    """Make a noisy neighbour of each vector (n, dim); `noise` is the length of what is added."""
    random = np.random.default_rng(seed)
    dim = vectors.shape[1]
    return unit(vectors + noise * random.standard_normal(vectors.shape) / np.sqrt(dim))


def unit(vectors: NDArray[np.floating]) -> Float:
    """Scale rows to length 1."""
    scaled: Float = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def brute_force(matrix: Float, queries: Float, k: int) -> tuple[Float, NDArray[np.intp]]:
    """Sort all float64 products, rounded to float32; of equal ones the lower row is first."""
    scores = (queries.astype(np.float64) @ matrix.astype(np.float64).T).astype(np.float32)
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, rows, axis=1), rows
