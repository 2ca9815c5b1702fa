"""What an index is: a search over the rows of one matrix. It knows no identities and no store.

A row's number is its place in the matrix. Rows are only ever appended: a vector that changes
becomes a new row, and the old one stays until the caller builds anew. The caller knows which rows
are dead and whose the others are, skips the dead and the second row of the same identity, and asks
for more rows until enough identities are there. So an index needs neither deletion nor locks: old
rows do not change under a search that runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Float


class Index(Protocol):
    """Finds the rows with the largest inner products.

    `search` may be called from several threads, also while `extend` runs in one: it then answers
    over at least the rows that were there before. `build` and `extend` are called by one thread at
    a time.
    """

    @property
    def rows(self) -> int:
        """How many rows it searches."""

    def build(self, matrix: Float) -> None:
        """Take in a matrix (rows, D) float32 of unit vectors, C-contiguous.

        The index may keep the array itself; whoever calls does not change its rows. Replaces what
        was built before.
        """

    def extend(self, matrix: Float) -> None:
        """Take in rows that were added behind those of the last `build` or `extend`.

        Args:
            matrix: (rows, D): the rows so far, unchanged, and the new ones behind them. It may be
                another array than before.
        """

    def search(self, queries: Float, k: int) -> tuple[Float, NDArray[np.intp]]:
        """Find the `k` best rows of each query, best first.

        Args:
            queries: (n, D) float32.
            k: 1 or more; at most `rows` are found.

        Returns:
            Scores (n, min(k, rows)) float32: the exact inner product in float32 arithmetic, of
            approximate indexes too (they re-score what they found); and the rows' numbers, of the
            same shape. Of equal scores the lower row comes first where the index is exact. An
            approximate index that finds fewer fills up with score -inf and row -1.
        """


@runtime_checkable
class SavedIndex(Protocol):
    """An index that can be kept in files.

    The stamp says which rows it was built over; files with another stamp are stale.
    """

    def save(self, folder: Path, stamp: str) -> None:
        """Write it into `folder`, atomically: after a crash the old files are there or the new."""

    def load(self, folder: Path, stamp: str, matrix: Float) -> bool:
        """Take it from `folder` in place of `build(matrix)`.

        False where there is none, or it is stale, damaged, or of another library's version: then
        the caller builds and saves it.
        """
