"""From rows of a matrix to identities: the nearest few of each query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faceport.gallery.resident import DEAD, View
from faceport.gallery.stores.base import Ids, Reader, SearchingStore
from faceport.gallery.types import Against, Float

SAMPLES_EACH = 8
"""Rows asked for an identity wanted when samples are searched; more are asked for where too few."""

FindRows = Callable[[int], tuple[Float, Ids, Ids]]


@dataclass(frozen=True)
class Candidate:
    """An identity near a query; `sample_id` is that of its nearest sample, -1 for a template."""

    identity_id: int
    score: float
    sample_id: int


def nearest_in_view(view: View, queries: Float, k: int, against: Against) -> list[list[Candidate]]:
    """Find the `k` nearest identities of each query (n, D) in memory, best first."""

    def find(ask: int) -> tuple[Float, Ids, Ids]:
        scores, rows = view.index.search(queries, ask)
        # The index may have more rows by now than this view, and fill up with -1.
        ours = (rows >= 0) & (rows < len(view.identity_ids))
        places = np.where(ours, rows, 0)
        return (
            scores,
            np.where(ours, view.identity_ids[places], DEAD),
            view.sample_ids[places],
        )

    if not len(view.matrix):
        return [[] for _ in queries]
    return _nearest(find, k, view.index.rows, against)


def nearest_in_store(
    store: SearchingStore, reader: Reader, queries: Float, k: int, against: Against
) -> list[list[Candidate]]:
    """Find the `k` nearest identities of each query (n, D) by the store's own search."""

    def find(ask: int) -> tuple[Float, Ids, Ids]:
        return store.nearest(reader, queries, ask, against)

    rows = reader.count(against)
    return _nearest(find, k, rows, against) if rows else [[] for _ in queries]


def _nearest(find: FindRows, k: int, rows: int, against: Against) -> list[list[Candidate]]:
    ask = k if against == "templates" else SAMPLES_EACH * k
    while True:
        ask = min(ask, rows)
        found = [_distinct(k, *each) for each in zip(*find(ask), strict=True)]
        if ask == rows or all(len(candidates) == k for candidates in found):
            return found
        ask *= 4


def _distinct(k: int, scores: Float, identity_ids: Ids, sample_ids: Ids) -> list[Candidate]:
    best: dict[int, Candidate] = {}
    for score, owner, sample in zip(
        scores.tolist(), identity_ids.tolist(), sample_ids.tolist(), strict=True
    ):
        if owner != DEAD and owner not in best:
            best[owner] = Candidate(owner, min(1.0, max(-1.0, score)), sample)
            if len(best) == k:
                break
    return list(best.values())
