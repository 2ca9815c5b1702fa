"""Exact search in float32: the matrix is read once a search, whatever its size.

One query, or a few, is limited by the memory: every thread makes the products of its rows one by
one. OpenBLAS's product of a matrix and a vector takes two to three times as long here. Many are
limited by sums: a matrix product, on the threads that numpy's library has.
"""

from __future__ import annotations

import numpy as np

from faceport.gallery.indexes.blocks import Found, search_blocks
from faceport.gallery.indexes.checks import check_matrix, check_queries
from faceport.gallery.indexes.scanning import Scanner, Score, alone
from faceport.gallery.indexes.scoring import rank
from faceport.gallery.types import Float

FEW = 4
"""Queries up to which the memory is the limit."""
ONE_ROWS = 4096
"""Rows scored at once for one query."""
FEW_BYTES = 2**19
"""Of the rows scored at once for a few: they stay in a core's cache from query to query."""
MANY_ROWS = 2048
"""Rows in one matrix product: 4 MB at 512, and their scores stay in the cache."""
MOST_QUERIES = 256
ROUNDING = 2.0**-23
"""Relative error of one float32 operation, and as much again for safety."""


class ExactIndex:
    """The rows as they are: no copy, no memory of its own, nothing to build."""

    def __init__(self, *, threads: int | None = None) -> None:
        """Make an empty index.

        Args:
            threads: for few queries; by default one for each core this process may use.
        """
        self._scanner = Scanner(threads)
        self._matrix: Float = np.empty((0, 0), np.float32)

    @property
    def rows(self) -> int:
        """How many rows it searches."""
        return len(self._matrix)

    @property
    def nbytes(self) -> int:
        """Memory beside the float32 rows."""
        return 0

    def build(self, matrix: Float) -> None:
        """Search these rows (rows, D) from now on.

        Raises:
            InputError: not (rows, D) float32.
        """
        check_matrix(matrix)
        self._matrix = matrix

    def extend(self, matrix: Float) -> None:
        """Search more rows; see `Index.extend`."""
        self.build(matrix)

    def search(self, queries: Float, k: int) -> Found:
        """Find the k best rows of each query; see `Index.search`.

        Raises:
            InputError: the queries are not (n, D) float32 and finite, or k is less than 1.
        """
        matrix = self._matrix
        check_queries(queries, matrix, k)

        def some(part: Float, k: int) -> Found:
            # A sum of D products is off by less than D roundings of |q| |x|, and |x| is about 1.
            lengths = np.sqrt(np.einsum("qd,qd->q", part, part))
            errors = (ROUNDING * matrix.shape[1] * lengths).astype(np.float32)
            if len(part) <= FEW:
                step = ONE_ROWS if len(part) == 1 else max(1, FEW_BYTES // (4 * matrix.shape[1]))
                kept = self._scanner.shared(
                    lambda rows: row_products(matrix[rows], part), len(matrix), step, k, errors
                )
            else:
                kept = alone(_products(matrix, part), len(matrix), MANY_ROWS, k, errors)
            return rank(matrix, part, kept, k)

        return search_blocks(queries, min(k, len(matrix)), MOST_QUERIES, some)


def _products(matrix: Float, queries: Float) -> Score:
    # Into the same memory again and again, which the caches know.
    across = np.ascontiguousarray(queries.T)
    target = np.empty((MANY_ROWS, len(queries)), np.float32)

    def score(rows: slice) -> Float:
        part = target[: rows.stop - rows.start]
        np.matmul(matrix[rows], across, out=part)
        scores: Float = part.T
        return scores

    return score


def row_products(rows: Float, queries: Float) -> Float:
    """Return (n, rows) products, made row by row by the thread that calls."""
    if hasattr(np, "vecdot"):
        products: Float = np.vecdot(rows, queries[:, np.newaxis])
        return products
    # numpy 1.26 has no vecdot; this is about a third slower.
    return np.stack([np.einsum("rd,d->r", rows, query) for query in queries])
