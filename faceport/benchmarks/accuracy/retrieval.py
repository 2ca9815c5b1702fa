"""What a panel shows: queries with the pictures nearest to them, or the pairs that went worst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.benchmarks.accuracy.types import Embedded, Float, Labels

BLOCK = 512
"""Queries compared with all pictures at a time."""

TOP = 5
HARDEST, DRAWN = 4, 3
"""Rows of a panel: the queries with the least margin, and some that are drawn."""

PAIRS = 6
"""Pairs a row of a panel of pairs."""


@dataclass(frozen=True, eq=False)
class Query:
    """One picture and the pictures nearest to it.

    Attributes:
        picture: index in the set.
        nearest: indexes of the others, the highest cosine first.
        scores: their cosines.
        mates: pictures of the same person that could be found.
    """

    picture: int
    nearest: Labels
    scores: Float
    mates: int


def queries_of(embedded: Embedded, labels: Labels, *, seed: int = 0) -> list[Query]:
    """Return the queries that a panel shows: the hardest first, then some that are drawn.

    A query is hard where the best picture of another person comes close to the best one of the
    same, or passes it. Only people with two pictures or more can be asked for.

    Args:
        embedded: (N,) pictures.
        labels: (N,) index of the person.
        seed: of the draw.
    """
    rows = np.flatnonzero(embedded.found)
    vectors, people = embedded.vectors[rows], labels[rows]
    _, place, counts = np.unique(people, return_inverse=True, return_counts=True)
    asked = np.flatnonzero((counts[place] > 1) & (len(counts) > 1))
    if len(asked) == 0:
        return []
    margins = np.concatenate(
        [_margins(vectors, people, asked[i : i + BLOCK]) for i in range(0, len(asked), BLOCK)]
    )
    order = np.argsort(margins, kind="stable")
    rest = np.random.default_rng(seed).permutation(order[HARDEST:])[:DRAWN]
    chosen = asked[np.concatenate([order[:HARDEST], rest])]
    return [_query(vectors, rows, int(one), int(counts[place[one]]) - 1) for one in chosen]


def worst_pairs(scores: PairScores) -> tuple[Labels, Labels]:
    """Return the pairs of one person with the lowest cosines, and of two with the highest."""
    found = np.flatnonzero(~scores.failed)
    order = found[np.argsort(scores.scores[found], kind="stable")]
    same = scores.same[order]
    return order[same][:PAIRS], order[~same][::-1][:PAIRS]


def _margins(vectors: Float, people: Labels, asked: Labels) -> NDArray[np.float32]:
    cosines = vectors[asked] @ vectors.T
    cosines[np.arange(len(asked)), asked] = -np.inf
    same = people[asked][:, None] == people[None]
    best_same = np.where(same, cosines, -np.inf).max(axis=1)
    best_other = np.where(same, -np.inf, cosines).max(axis=1)
    return np.asarray(best_same - best_other, dtype=np.float32)


def _query(vectors: Float, rows: Labels, one: int, mates: int) -> Query:
    cosines = vectors @ vectors[one]
    cosines[one] = -np.inf
    nearest = np.argsort(-cosines, kind="stable")[: min(TOP, len(rows) - 1)]
    return Query(int(rows[one]), rows[nearest], cosines[nearest], mates)
