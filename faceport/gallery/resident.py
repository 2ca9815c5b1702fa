"""All vectors of a store in one contiguous matrix in memory, kept current change by change.

Rows are only appended. A changed identity's rows are read again and appended, its old ones are
dead; the matrix is made anew when a fifth of it is dead. So a search that runs in another thread
sees the rows that it began with, and an index needs no deletion.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceport.errors import GalleryError
from faceport.gallery.indexes.base import Index, SavedIndex
from faceport.gallery.stores.base import Changes, Ids, MappedReader, Reader, VectorRows
from faceport.gallery.types import Against, Float

DEAD = -1
UNIT_TOLERANCE = 1e-3
LEAST_DEAD = 1024
SPARE_ROWS = 1024

MakeIndex = Callable[[int], Index]


@dataclass(frozen=True, eq=False)
class View:
    """The vectors at one version of the store.

    Attributes:
        version: of the store.
        matrix: (rows, D) float32; not to be written to.
        identity_ids: (rows,) whose each row is; -1 where it is dead.
        sample_ids: (rows,) the sample of each; -1 for templates.
        index: searches the matrix, and may know later rows too.
    """

    version: int
    matrix: Float
    identity_ids: Ids
    sample_ids: Ids
    index: Index

    @property
    def alive(self) -> NDArray[np.intp]:
        """Numbers of the rows that are not dead."""
        return np.flatnonzero(self.identity_ids != DEAD)


class Resident:
    """The vectors of one kind of a store."""

    def __init__(
        self, against: Against, location: str, make_index: MakeIndex, folder: str | None
    ) -> None:
        """Hold nothing yet.

        Args:
            against: which vectors.
            location: of the store, for messages.
            make_index: makes an empty index for about so many rows.
            folder: where an index that can be saved is kept.
        """
        self._against: Against = against
        self._location = location
        self._make_index = make_index
        self._folder = folder
        self._lock = threading.Lock()
        self._buffer: Float = np.empty((0, 0), np.float32)
        self._view: View | None = None

    def current(self, reader: Reader) -> View | None:
        """Return the vectors of a reader's snapshot; None where a later one was read meanwhile.

        Raises:
            GalleryError: a vector is damaged.
        """
        with self._lock:
            view, version = self._view, reader.version()
            if view is not None and view.version > version:
                return None
            if view is None or view.version != version:
                changes = None if view is None else reader.changes(view.version)
                self._view = self._updated(reader, view, changes)
            return self._view

    def _updated(self, reader: Reader, view: View | None, changes: Changes | None) -> View:
        if view is None or changes is None:
            return self._loaded(reader)
        if not changes.changed and not changes.removed:
            return View(
                changes.version, view.matrix, view.identity_ids, view.sample_ids, view.index
            )
        space = reader.space()
        dim = 0 if space is None else space.dim
        stale = np.array(changes.changed + changes.removed, np.int64)
        kept = np.where(np.isin(view.identity_ids, stale), DEAD, view.identity_ids)
        blocks = [self._checked(b) for b in reader.vectors(self._against, changes.changed)]
        rows = len(kept) + sum(len(block.matrix) for block in blocks)
        dead = int(np.count_nonzero(kept == DEAD))
        fits = dim == view.matrix.shape[1] and rows <= len(self._buffer)
        if not fits or dead > max(LEAST_DEAD, rows // 5):
            return self._loaded(reader)
        return self._extended(changes.version, view, kept, blocks)

    def _extended(self, version: int, view: View, kept: Ids, blocks: list[VectorRows]) -> View:
        end = len(kept)
        for block in blocks:
            self._buffer[end : end + len(block.matrix)] = block.matrix
            end += len(block.matrix)
        matrix = _frozen(self._buffer[:end])
        if blocks:
            view.index.extend(matrix)
        identity_ids = np.concatenate([kept, *(block.identity_ids for block in blocks)])
        sample_ids = np.concatenate([view.sample_ids, *(block.sample_ids for block in blocks)])
        return View(version, matrix, identity_ids, sample_ids, view.index)

    def _loaded(self, reader: Reader) -> View:
        space = reader.space()
        rows = reader.count(self._against)
        if rows and space is None:
            raise self._damaged("no fingerprint", "the embedder's")
        dim = 0 if space is None else space.dim
        stamp = f"{reader.meta('id')}:{reader.version()}:{self._against}"
        if isinstance(reader, MappedReader):
            # Searched where it lies: a large snapshot is open at once, and its pages are shared.
            mapped = reader.mapped(self._against)
            index = self._indexed(mapped.matrix, stamp)
            return View(
                reader.version(), mapped.matrix, mapped.identity_ids, mapped.sample_ids, index
            )
        # Memory that is never touched is never taken, so room to grow costs nothing.
        self._view = None
        self._buffer = np.empty((rows + rows // 8 + SPARE_ROWS, dim), np.float32)
        identity_ids = np.empty(rows, np.int64)
        sample_ids = np.empty(rows, np.int64)
        start = 0
        for block in map(self._checked, reader.vectors(self._against)):
            stop = start + len(block.matrix)
            self._buffer[start:stop] = block.matrix
            identity_ids[start:stop] = block.identity_ids
            sample_ids[start:stop] = block.sample_ids
            start = stop
        matrix = _frozen(self._buffer[:rows])
        index = self._indexed(matrix, stamp)
        return View(reader.version(), matrix, identity_ids, sample_ids, index)

    def _indexed(self, matrix: Float, stamp: str) -> Index:
        index = self._make_index(len(matrix))
        if isinstance(index, SavedIndex) and self._folder is not None and len(matrix):
            folder = Path(self._folder) / self._against
            if not index.load(folder, stamp, matrix):
                index.build(matrix)
                folder.mkdir(parents=True, exist_ok=True)
                index.save(folder, stamp)
        else:
            index.build(matrix)
        return index

    def _checked(self, block: VectorRows) -> VectorRows:
        # Written so that NaN fails.
        lengths = np.sqrt(np.einsum("rd,rd->r", block.matrix, block.matrix))
        if not (np.abs(lengths - 1) < UNIT_TOLERANCE).all():
            raise self._damaged("a vector that is not of length 1", "unit vectors")
        return block

    def _damaged(self, received: str, expected: str) -> GalleryError:
        return GalleryError(
            f"gallery {self._location} is damaged",
            received=received,
            expected=expected,
            fix="look at it with `faceport gallery check`; restore it from a copy",
        )


def _frozen(matrix: Float) -> Float:
    view: Float = matrix.view()
    view.flags.writeable = False
    return view
