"""Vectors that cluster by identity, and which are nearest in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
STEP = 16_384
QUERIES = 1000
LEAST_NOISE, MOST_NOISE = 0.4, 1.0
"""Length of what is added to a centre: two samples' cosine is 0.86 to 0.5, 0.67 in the middle."""


@dataclass(frozen=True, eq=False)
class Data:
    """Rows to search, queries, and what is to be found.

    Attributes:
        matrix: unit vectors, one person's behind each other.
        queries: unit vectors.
        best: (n,) the highest product of each query with a row, in float64.
        known: (n,) whether the query is of a person who is there.
    """

    matrix: Float
    queries: Float
    best: NDArray[np.float64]
    known: NDArray[np.bool_]

    def equal_scores(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell whether each row found is a nearest one, to float32's last digit."""
        found = np.einsum("nd,nd->n", self.queries.astype(float), self.matrix[rows].astype(float))
        return (rows >= 0) & (found >= self.best - 1e-7)


def make_data(
    rows: int, dim: int, each: int, queries: int, strangers: float, spread: float
) -> Data:
    """Draw people, their samples and queries; the same for the same arguments."""
    random = np.random.default_rng(0)
    spectrum = (1 + np.arange(dim) / (dim / 8)) ** -spread
    people = -(-rows // each)
    centres = _unit(random.standard_normal((people, dim), np.float32) * spectrum)
    matrix = np.empty((rows, dim), np.float32)
    for start in range(0, rows, STEP):
        owner = np.arange(start, min(start + STEP, rows)) // each
        matrix[start : start + STEP] = _noisy(centres[owner], spectrum, random)
    known = centres[random.integers(0, people, queries)]
    unknown = _unit(random.standard_normal((queries, dim), np.float32) * spectrum)
    is_known = (random.random(queries) >= strangers)[:, np.newaxis]
    asked = _noisy(np.where(is_known, known, unknown), spectrum, random)
    return Data(matrix, asked, _best(matrix, asked), is_known[:, 0])


def _noisy(vectors: Float, spectrum: NDArray[np.float64], random: np.random.Generator) -> Float:
    noise = _unit(random.standard_normal(vectors.shape, np.float32) * spectrum)
    return _unit(vectors + noise * random.uniform(LEAST_NOISE, MOST_NOISE, (len(vectors), 1)))


def _unit(vectors: NDArray[np.floating]) -> Float:
    length = np.sqrt(np.einsum("rd,rd->r", vectors, vectors))
    unit: Float = (vectors / length[:, np.newaxis]).astype(np.float32)
    return unit


def _best(matrix: Float, queries: Float) -> NDArray[np.float64]:
    best, wide = np.full(len(queries), -np.inf), queries.astype(np.float64)
    for start in range(0, len(matrix), STEP):
        rows = matrix[start : start + STEP].astype(np.float64).T
        for first in range(0, len(wide), QUERIES):
            part = slice(first, first + QUERIES)
            best[part] = np.maximum(best[part], (wide[part] @ rows).max(axis=1))
    return best
