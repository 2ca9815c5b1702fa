"""Work in pieces: rows for threads, queries in groups that keep the memory small."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Float

Found = tuple[Float, NDArray[np.intp]]
"""Scores and rows, both (n, k), best first."""


def search_blocks(
    queries: Float, k: int, most: int, search: Callable[[Float, int], Found]
) -> Found:
    """Search at most `most` queries at once, and none where k is 0."""
    scores = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.intp)
    for start in range(0, len(queries) if k else 0, most):
        part = slice(start, start + most)
        scores[part], rows[part] = search(queries[part], k)
    return scores, rows


def row_parts(rows: int, threads: int) -> list[slice]:
    """Divide rows into at most `threads` slices of nearly equal length, none empty."""
    edges = [rows * i // threads for i in range(threads + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if a < b]
