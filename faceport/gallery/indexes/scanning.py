"""A look through all rows, block by block and on several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.indexes.blocks import row_parts
from faceport.gallery.indexes.topk import Candidates
from faceport.gallery.types import Float
from faceport.runtime.device import usable_cores

LEAST_ROWS = 1024
"""Rows for which it is not worth to wake another thread."""

Score = Callable[[slice], Float]
"""Gives (n, rows) scores of some rows."""


class Scanner:
    """Threads that look through rows; the same ones for every search of an index."""

    def __init__(self, threads: int | None) -> None:
        """Take so many threads, by default one for each core this process may use."""
        self._threads = threads or usable_cores()
        self._pool = ThreadPoolExecutor(max(1, self._threads - 1), "gallery-search")

    def step(self, rows: int, most: int) -> int:
        """Return how many rows to score at once: few enough that each thread has some to do."""
        return max(1, min(most, max(LEAST_ROWS, rows // (2 * self._threads))))

    def shared(
        self, score: Score, rows: int, step: int, k: int, errors: Float
    ) -> list[NDArray[np.intp]]:
        """Scan as `alone` does, a part of the rows on each thread."""
        if rows <= step:
            return alone(score, rows, step, k, errors)
        first, *others = row_parts(rows, self._threads)
        scans = [self._pool.submit(_scan, score, part, step, k, errors) for part in others]
        # The thread that asks works too: no waiting for another to wake.
        kept = _scan(score, first, step, k, errors)
        for scan in scans:
            kept.join(scan.result())
        return kept.rows()


def alone(score: Score, rows: int, step: int, k: int, errors: Float) -> list[NDArray[np.intp]]:
    """Return, for each query, the rows that may be among its k best.

    Args:
        score: of some rows; wrong by at most `errors`.
        rows: how many there are.
        step: how many are scored at once.
        k: how many are wanted of each query.
        errors: (n,) of each query.
    """
    return _scan(score, slice(0, rows), step, k, errors).rows()


def _scan(score: Score, part: slice, step: int, k: int, errors: Float) -> Candidates:
    kept = Candidates(k, errors)
    for start in range(part.start, part.stop, step):
        kept.add(score(slice(start, min(start + step, part.stop))), start)
    return kept
