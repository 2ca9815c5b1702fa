"""Identities that may be the same person under two names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError

Float = NDArray[np.float32]
Rows = NDArray[np.intp]

BLOCK_ROWS = 1024
"""Rows of the matrix a product: 1024 × 1024 scores are 4 MB, and stay near the processor."""


@dataclass(frozen=True)
class Pair:
    """Two identities that are near each other.

    Attributes:
        first, second: the two, as `owner` numbers them, the lower first.
        score: cosine of their nearest rows.
        first_row, second_row: those rows.
    """

    first: int
    second: int
    score: float
    first_row: int
    second_row: int


@dataclass(frozen=True)
class Duplicates:
    """The nearest pairs of identities, best first.

    Attributes:
        pairs: at most as many as asked for.
        more: whether others reach the threshold too.
    """

    pairs: tuple[Pair, ...]
    more: bool


def near_identities(
    matrix: Float, owner: Rows, threshold: float, *, limit: int = 1000
) -> Duplicates:
    """Find identities of which two rows have a cosine of at least `threshold`.

    All rows are compared with all others, block by block: the time grows with the square of the
    rows, the memory does not.

    Args:
        matrix: (rows, D) of length 1: templates, or samples.
        owner: (rows,) the number of each row's identity, 0 or more.
        threshold: -1 to 1.
        limit: most pairs of identities to give, 1 or more.

    Raises:
        InputError: the threshold or the limit is out of range.
    """
    if not -1 <= threshold <= 1 or limit < 1:
        raise InputError(
            "the limits of a search for duplicates are out of range",
            received=f"threshold {threshold}, limit {limit}",
            expected="threshold -1 to 1, limit 1 or more",
        )
    found, more = _Found.none(), False
    for start in range(0, len(matrix), BLOCK_ROWS):
        for other in range(start, len(matrix), BLOCK_ROWS):
            block = _near(matrix, owner, start, other, threshold)
            if len(block.scores):
                found = _nearest(found.with_(block), owner)
            if len(found.scores) > limit:
                found, more = found.at(slice(limit)), True
                # What is below the last of a full list can't come into it.
                threshold = max(threshold, float(found.scores[-1]))
    return Duplicates(tuple(_pairs(found, owner)), more)


@dataclass(frozen=True, eq=False)
class _Found:
    """Scores (N,) and the two rows of each, the first row's identity being the lower."""

    scores: Float
    first: Rows
    second: Rows

    @classmethod
    def none(cls) -> _Found:
        return cls(np.empty(0, np.float32), np.empty(0, np.intp), np.empty(0, np.intp))

    def at(self, places: Rows | slice) -> _Found:
        return _Found(self.scores[places], self.first[places], self.second[places])

    def with_(self, other: _Found) -> _Found:
        return _Found(
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.first, other.first]),
            np.concatenate([self.second, other.second]),
        )


def _near(matrix: Float, owner: Rows, start: int, other: int, threshold: float) -> _Found:
    """Return the pairs of rows of two blocks that reach the threshold and are two identities'."""
    scores = matrix[start : start + BLOCK_ROWS] @ matrix[other : other + BLOCK_ROWS].T
    i, j = np.nonzero(scores >= threshold)
    first, second = i + start, j + other
    two = (owner[first] != owner[second]) & (first < second)
    i, j, first, second = i[two], j[two], first[two], second[two]
    turned = owner[first] > owner[second]
    return _Found(scores[i, j], np.where(turned, second, first), np.where(turned, first, second))


def _nearest(found: _Found, owner: Rows) -> _Found:
    """Keep the best rows of each pair of identities, best pair first."""
    ranked = found.at(np.lexsort((found.second, found.first, -found.scores)))
    identities = np.stack([owner[ranked.first], owner[ranked.second]], axis=1)
    _, places = np.unique(identities, axis=0, return_index=True)
    return ranked.at(np.sort(places))


def _pairs(found: _Found, owner: Rows) -> list[Pair]:
    columns = zip(found.scores.tolist(), found.first.tolist(), found.second.tolist(), strict=True)
    return [Pair(int(owner[i]), int(owner[j]), score, i, j) for score, i, j in columns]
