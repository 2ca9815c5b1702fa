"""The search of a gallery: which vectors are in memory, or whether the store searches by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

import numpy as np

from faceport.errors import InputError
from faceport.gallery.admission import check_space
from faceport.gallery.answering import Question, answers
from faceport.gallery.indexes.registry import make_index
from faceport.gallery.nearest import Candidate, nearest_in_store, nearest_in_view
from faceport.gallery.resident import Resident, View
from faceport.gallery.settings import read_settings, threshold_of
from faceport.gallery.stores.base import KeepsIndex, Reader, SearchingStore, Store
from faceport.gallery.types import (
    Against,
    Answer,
    Float,
    Space,
    VectorSet,
)
from faceport.runtime.types import Embedding

STORE = "store"


class Searcher:
    """Searches a store in one consistent snapshot a call."""

    def __init__(self, store: Store, index: str) -> None:
        """Read nothing yet; `index` is a kind of `make_index`, or `store`.

        Raises:
            InputError: there is no such kind, or the store can't search by itself.
            MissingDependencyError: the index's library is not installed.
        """
        self._store = store
        self._own = store if index == STORE and isinstance(store, SearchingStore) else None
        if index != STORE:
            make_index(index)
        elif self._own is None:
            raise InputError(
                f"gallery {store.location} has no search of its own",
                received="index 'store'",
                expected="auto, exact, int8 or hnsw",
            )
        kind = "auto" if index == STORE else index
        folder = store.index_folder() if isinstance(store, KeepsIndex) else None
        self._residents = {
            against: Resident(against, store.location, lambda rows: make_index(kind, rows), folder)
            for against in ("templates", "samples")
        }

    def answers(
        self, embeddings: Sequence[Embedding], threshold: float | None, top_k: int, against: Against
    ) -> list[Answer]:
        """See `Gallery.search`."""
        _check_limits(threshold, top_k, against)
        if not embeddings:
            return []
        with self._snapshot(against) as (reader, view):
            # All faces of a picture are of one embedder: one look, not one a face.
            for space in {Space(e.fingerprint, e.vector.size, e.is_stub) for e in embeddings}:
                check_space(reader, space, self._store.location)
            queries = np.stack([e.vector.reshape(-1) for e in embeddings]).astype(np.float32)
            settings = read_settings(reader, self._store.location)
            limit = threshold_of(settings, threshold)
            question = Question(limit, top_k, against, settings.min_norm)
            # The margin needs a second identity, whether it is asked for or not.
            found = self._nearest(reader, view, queries, max(top_k, 2), against)
            return answers(reader, question, embeddings, queries, found)

    def vectors(self, against: Against) -> VectorSet:
        """See `Gallery.vectors`."""
        with self._loaded(against) as (reader, view):
            names = reader.names()
        rows = view.alive
        whole = len(rows) == len(view.matrix)
        ids, owner = np.unique(view.identity_ids[rows], return_inverse=True)
        return VectorSet(
            tuple(names[number] for number in ids.tolist()),
            owner.astype(np.intp, copy=False).reshape(-1),
            view.matrix if whole else view.matrix[rows],
            view.sample_ids[rows],
        )

    def _nearest(
        self, reader: Reader, view: View | None, queries: Float, k: int, against: Against
    ) -> list[list[Candidate]]:
        if view is not None:
            return nearest_in_view(view, queries, k, against)
        if self._own is None:
            raise InputError("no vectors to search")
        return nearest_in_store(self._own, reader, queries, k, against)

    @contextmanager
    def _snapshot(self, against: Against) -> Iterator[tuple[Reader, View | None]]:
        if self._own is None:
            with self._loaded(against) as both:
                yield both
        else:
            with self._store.snapshot() as reader:
                yield reader, None

    @contextmanager
    def _loaded(self, against: Against) -> Iterator[tuple[Reader, View]]:
        """Open a snapshot and its vectors."""
        while True:
            with self._store.snapshot() as reader:
                view = self._residents[against].current(reader)
                if view is not None:
                    yield reader, view
                    return
            # Another thread has read a later state into memory meanwhile: take that one.


def _check_limits(threshold: float | None, top_k: int, against: str) -> None:
    within = threshold is None or -1 <= threshold <= 1
    if not within or top_k < 1 or against not in get_args(Against):
        raise InputError(
            "search limits are out of range",
            received=f"threshold {threshold}, top_k {top_k}, against {against!r}",
            expected="threshold -1 to 1, top_k 1 or more, against templates or samples",
        )
