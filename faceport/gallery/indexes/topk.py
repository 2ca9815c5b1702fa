"""The best rows of scores that come in blocks: nothing is sorted or partitioned as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Float

FOLD = 32


class Candidates:
    """Of each query, the rows that may still be among its k best.

    A score may be wrong by `error`: a row stays while it is within twice that of the k-th best, so
    the true k best are among what is kept.
    """

    def __init__(self, k: int, errors: Float) -> None:
        """Start with nothing.

        Args:
            k: how many rows are wanted, 1 or more.
            errors: (n,) the most by which a score of each query may be wrong.
        """
        self._k = k
        self._slack = 2 * errors
        self._limits = np.full(len(errors), -np.inf, np.float32)
        empty = (np.empty(0, np.float32), np.empty(0, np.intp))
        self._kept = [empty] * len(errors)

    def add(self, scores: Float, first: int) -> None:
        """Look at scores (n, rows) of the rows from `first` on."""
        if not scores.shape[1]:
            return
        highest = _highest(scores)
        if np.isnan(highest).any():
            # A damaged row must not hide the others of its block.
            scores = np.where(np.isnan(scores), -np.inf, scores)
            highest = scores.max(axis=1)
        for query in np.flatnonzero(highest >= self._limits):
            self._take(int(query), scores[query], first)

    def join(self, others: Candidates) -> None:
        """Take over what was kept of other rows."""
        for query, (scores, rows) in enumerate(others._kept):
            self._merge(query, scores, rows)

    def rows(self) -> list[NDArray[np.intp]]:
        """Return the rows kept for each query, in no order."""
        return [rows for _, rows in self._kept]

    def _take(self, query: int, scores: Float, first: int) -> None:
        limit = self._limits[query]
        if np.isneginf(limit) and len(scores) > self._k:
            limit = _kth(scores, self._k) - self._slack[query]
        found = np.flatnonzero(scores >= limit)
        self._merge(query, scores[found], found + first)

    def _merge(self, query: int, scores: Float, rows: NDArray[np.intp]) -> None:
        old_scores, old_rows = self._kept[query]
        scores, rows = np.append(old_scores, scores), np.append(old_rows, rows)
        if len(scores) >= self._k:
            self._limits[query] = _kth(scores, self._k) - self._slack[query]
            stay = scores >= self._limits[query]
            scores, rows = scores[stay], rows[stay]
        self._kept[query] = (scores, rows)


def _highest(scores: Float) -> Float:
    # The same maxima five times as fast where rows lie behind each other, by long inner loops.
    across = scores.T
    rows, queries = across.shape
    if queries > 1 and rows % FOLD == 0 and across.flags.c_contiguous:
        folded = across.reshape(FOLD, -1).max(axis=0)
        scores = folded.reshape(-1, queries).T
    highest: Float = scores.max(axis=1)
    return highest


def _kth(scores: Float, k: int) -> np.float32:
    value: np.float32 = np.partition(scores, -k)[-k]
    return value
