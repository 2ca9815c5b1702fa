"""Exact search at a quarter of the bytes: scan int8, then score the few candidates exactly.

The scan is numkong's int8 product, on a part of the rows in each thread. Its scores are wrong by a
known bound (`codes.py`); every row within it of the best is scored again in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from faceport.errors import MissingDependencyError
from faceport.gallery.indexes.blocks import Found, search_blocks
from faceport.gallery.indexes.checks import check_matrix, check_queries
from faceport.gallery.indexes.codes import Codes, coded, extended, score_errors
from faceport.gallery.indexes.scanning import Scanner, Score
from faceport.gallery.indexes.scoring import rank
from faceport.gallery.types import Float

BLOCK_SCORES = 2**18
"""Scores made together by a thread: 1 MB, so that they are still in its cache afterwards."""
FEW = 3
"""Queries up to which rows are taken one by one."""
MOST_QUERIES = 256


@dataclass(frozen=True, eq=False)
class _Built:
    """What a search works on: replaced as a whole, so that one that runs sees one state."""

    matrix: Float
    codes: Codes


class Int8Index:
    """Rows in int8 in memory; the float32 rows may stay on the disk (memory-mapped)."""

    def __init__(self, *, threads: int | None = None) -> None:
        """Make an empty index.

        Args:
            threads: that scan; by default one for each core this process may use.

        Raises:
            MissingDependencyError: numkong is not installed.
        """
        self._kernels = _numkong()
        self._scanner = Scanner(threads)
        self._built = _Built(np.empty((0, 0), np.float32), coded(np.empty((0, 0), np.float32)))

    @property
    def rows(self) -> int:
        """How many rows it searches."""
        return len(self._built.matrix)

    @property
    def nbytes(self) -> int:
        """Memory beside the float32 rows."""
        return self._built.codes.nbytes

    def build(self, matrix: Float) -> None:
        """Code the rows (rows, D), which are kept to score candidates; may be memory-mapped.

        Raises:
            InputError: not (rows, D) float32.
        """
        check_matrix(matrix)
        self._built = _Built(matrix, coded(matrix))

    def extend(self, matrix: Float) -> None:
        """Code the rows behind those there are; see `Index.extend`."""
        check_matrix(matrix)
        if not self.rows:
            return self.build(matrix)
        self._built = _Built(matrix, extended(self._built.codes, matrix[self.rows :]))

    def search(self, queries: Float, k: int) -> Found:
        """Find the k best rows of each query; see `Index.search`.

        Raises:
            InputError: the queries are not (n, D) float32 and finite, or k is less than 1.
        """
        built = self._built
        check_queries(queries, built.matrix, k)

        def some(part: Float, k: int) -> Found:
            asked = coded(part)
            rows = self._scanner.shared(
                self._scores(built.codes, asked),
                len(built.matrix),
                self._scanner.step(len(built.matrix), BLOCK_SCORES // len(part)),
                k,
                score_errors(part, asked, built.codes),
            )
            return rank(built.matrix, part, rows, k)

        return search_blocks(queries, min(k, len(built.matrix)), MOST_QUERIES, some)

    def _scores(self, codes: Codes, asked: Codes) -> Score:
        kernels, few = self._kernels, len(asked.values) <= FEW
        packed = None if few else kernels.dots_pack(asked.values, dtype="int8")

        def score(rows: slice) -> Float:
            values = codes.values[rows]
            # For few queries each row is read from memory once; for many the packed product is
            # several times faster. Both sum in int32.
            sums = (
                np.asarray(kernels.cdist(asked.values, values, "dot")).reshape(-1, len(values))
                if packed is None
                else np.asarray(kernels.dots_packed(values, packed)).T
            )
            scores = np.empty(sums.shape, np.float32)
            np.multiply(sums, codes.scales[rows], out=scores, dtype=np.float32, casting="unsafe")
            scores *= asked.scales[:, np.newaxis]
            return scores

        return score


def _numkong() -> Any:
    try:
        import numkong
    except ImportError as error:
        raise MissingDependencyError("numkong", "search") from error
    return numkong
