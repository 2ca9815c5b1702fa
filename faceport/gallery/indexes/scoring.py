"""The last word on candidates: their scores in float64, so that every index answers alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.indexes.blocks import Found
from faceport.gallery.types import Float

STEP = 4096
"""Rows scored together, so that many candidates don't fill the memory (16 MB at 512)."""


def rank(matrix: Float, queries: Float, candidates: Sequence[NDArray[np.intp]], k: int) -> Found:
    """Score each query's candidates and return the k best, best first.

    Scores are summed in float64 and rounded to float32; of equal ones the lower row comes first.
    Where there are fewer than k candidates, the rest is filled with score -inf and row -1.

    Args:
        matrix: (rows, D); may be memory-mapped, only the candidates' rows are read.
        queries: (n, D).
        candidates: different rows for each query, in any order.
        k: how many to return.

    Returns:
        scores and rows, both (n, k).
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.intp)
    for i, (query, found) in enumerate(zip(queries, candidates, strict=True)):
        exact = exact_scores(matrix, query, found)
        order = np.lexsort((found, -exact))[:k]
        scores[i, : len(order)], rows[i, : len(order)] = exact[order], found[order]
    return scores, rows


def exact_scores(matrix: Float, query: Float, rows: NDArray[np.intp]) -> Float:
    """Return the products of a query (D,) with some rows, summed in float64."""
    wide = query.astype(np.float64)
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), STEP):
        part = rows[start : start + STEP]
        # einsum sums every row alike; BLAS may not, and equal rows would differ in the last bit.
        found[start : start + STEP] = np.einsum("rd,d->r", matrix[part].astype(np.float64), wide)
    return found
