"""Approximate search by the signs of up to 256 numbers a row: 32 bytes, and all rows are read.

The share of equal signs grows with the cosine (Charikar 2002: 1 - angle / π of random directions),
so a person who is there stands out of a million others by many times the spread. The rows with the
most equal signs are scored again in float64, so scores are exact; only a row may be missed, and a
far one rather than a near one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.indexes.blocks import Found
from faceport.gallery.indexes.checks import check_matrix, check_queries
from faceport.gallery.indexes.faiss_library import import_faiss
from faceport.gallery.indexes.scoring import rank
from faceport.gallery.indexes.turns import Turns
from faceport.gallery.types import Float
from faceport.runtime.device import usable_cores

STEP = 65_536
"""Rows whose signs are taken together."""
BITS = 256
"""Most numbers whose sign is kept, those that vary most. 512 take twice the time."""
CANDIDATES = 256
"""Rows scored beyond k."""
ROWS_A_PART = 50_000
"""Rows that are worth a thread of their own."""
MOST_GROWTH = 2
"""How many times its rows an index may grow before it is built anew, with a new centre."""


@dataclass(frozen=True, eq=False)
class _Built:
    """What a search works on.

    Attributes:
        matrix: (rows, D).
        columns: (up to 256,) numbers of a row whose sign is kept.
        centre: as many, what they are compared with: zero splits none where a column leans.
        parts: faiss's, one a thread; they hold the rows in order.
        library: faiss's index over the parts.
        rows: that it was built of.
    """

    matrix: Float
    columns: NDArray[np.intp]
    centre: Float
    parts: tuple[Any, ...]
    library: Any
    rows: int


class BitsIndex:
    """Signs of all rows in memory; the float32 rows may stay on the disk (memory-mapped)."""

    def __init__(self) -> None:
        """Make an empty index.

        Raises:
            MissingDependencyError: faiss is not installed.
        """
        self._faiss = import_faiss()
        self._turns = Turns()
        self._built: _Built | None = None

    @property
    def rows(self) -> int:
        """How many rows it searches."""
        return 0 if self._built is None else len(self._built.matrix)

    @property
    def nbytes(self) -> int:
        """Memory beside the float32 rows."""
        return 0 if self._built is None else int(self.rows * self._built.library.d // 8)

    def build(self, matrix: Float) -> None:
        """Take the signs of rows (rows, D): some seconds for a million.

        Raises:
            InputError: not (rows, D) float32.
        """
        check_matrix(matrix)
        built = self._made(matrix) if len(matrix) else None
        with self._turns.writing():
            self._built = built

    def extend(self, matrix: Float) -> None:
        """Take in the rows behind those there are; see `Index.extend`."""
        check_matrix(matrix)
        built = self._built
        if built is None or len(matrix) > MOST_GROWTH * built.rows:
            return self.build(matrix)
        with self._turns.writing():
            new = slice(len(built.matrix), len(matrix))
            _add(built.parts[-1], matrix, new, built.columns, built.centre)
            built.library.syncWithSubIndexes()
            self._built = replace(built, matrix=matrix)
        return None

    def search(self, queries: Float, k: int) -> Found:
        """Find about the k best rows of each query; see `Index.search`.

        Raises:
            InputError: the queries are not (n, D) float32 and finite, or k is less than 1.
        """
        with self._turns.reading():
            built = self._built
            matrix = np.empty((0, 0), np.float32) if built is None else built.matrix
            check_queries(queries, matrix, k)
            k_there = min(k, len(matrix))
            if built is None or not len(queries):
                shape = (len(queries), k_there)
                return np.empty(shape, np.float32), np.empty(shape, np.intp)
            wanted = min(k_there + CANDIDATES, len(matrix))
            signs = _signs(queries, built.columns, built.centre)
            found = built.library.search(signs, wanted)[1]
            candidates = [row[row >= 0].astype(np.intp) for row in found]
        return rank(matrix, queries, candidates, k_there)

    def _made(self, matrix: Float) -> _Built:
        faiss, rows = self._faiss, len(matrix)
        some = matrix[:: 1 + rows // STEP]
        # A damaged row must not hide the others.
        some = np.nan_to_num(some, nan=0.0, posinf=0.0, neginf=0.0)
        columns = np.sort(np.argsort(-some.var(axis=0), kind="stable")[:BITS])
        centre = some[:, columns].mean(axis=0, dtype=np.float64).astype(np.float32)
        bits = -(-len(columns) // 8) * 8
        count = max(1, min(usable_cores(), rows // ROWS_A_PART))
        edges = np.linspace(0, rows, count + 1).astype(int)
        parts = tuple(faiss.IndexBinaryFlat(bits) for _ in range(count))
        # With threads, and the rows numbered through all parts.
        library = faiss.IndexBinaryShards(bits, count > 1, True)
        for part, start, end in zip(parts, edges[:-1], edges[1:], strict=True):
            _add(part, matrix, slice(int(start), int(end)), columns, centre)
            library.add_shard(part)
        return _Built(matrix, columns, centre, parts, library, rows)


def _add(part: Any, matrix: Float, rows: slice, columns: NDArray[np.intp], centre: Float) -> None:
    for start in range(rows.start, rows.stop, STEP):
        part.add(_signs(matrix[start : min(start + STEP, rows.stop)], columns, centre))


def _signs(vectors: Float, columns: NDArray[np.intp], centre: Float) -> NDArray[np.uint8]:
    """Pack which numbers are above the centre's: (n, D) to (n, ⌈columns / 8⌉)."""
    return np.packbits(vectors[:, columns] > centre, axis=1)
