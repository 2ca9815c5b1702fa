"""Who is connected where any two vectors of a cosine from a threshold on are.

All pairs are looked at, by blocks: a panel of vectors is held in memory, and the panel's own and
all later vectors stream past it. float32 products are within a known bound of the exact cosine;
where that leaves a pair undecided it is computed again in float64, so that the answer depends on
neither the blocks nor the order of the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceport.datasets.components import Components, Ints
from faceport.errors import InputError

Matrix = NDArray[np.float32]

TILE_ROWS = 1024
TILE_COLUMNS = 2048
"""One product: small enough that even one in which every pair is close needs little memory."""

MANY = 65_536
STRIPE = 32
"""Above so many close pairs, a tile's are listed by so many rows at a time: as many at most."""

A_TILE = 6 * TILE_ROWS * TILE_COLUMNS + 160 * MANY
"""Bytes for a tile in which every pair is close: its products, and a stripe's pairs."""

A_VECTOR = 40
"""Bytes for each vector besides itself: its component, its row, its norm, and the last sorting."""

UNIT_ROUNDOFF = 2.0**-24

UNDECIDED = 1024
"""Pairs computed again at a time."""


class Vectors(Protocol):
    """Unit vectors that can be read in order, from anywhere on."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def dim(self) -> int:
        """Their length."""

    def blocks(self, first: int, size: int) -> Iterator[tuple[int, Matrix]]:
        """Give a block's start and its up to `size` vectors; the next one may overwrite it."""


def connected(
    vectors: Vectors,
    threshold: float,
    memory: int,
    progress: Callable[[int, int], None] | None = None,
) -> Ints:
    """Return for each vector the smallest member of its component, (count,).

    Args:
        vectors: of length 1.
        threshold: cosine from which two are connected, -1 to 1.
        memory: bytes that may be used, besides Python and the libraries.
        progress: is told how many pairs of how many are done.

    Raises:
        InputError: the memory is too small, or the threshold out of range.
    """
    # Written so that NaN fails.
    if not -1 <= threshold <= 1:
        raise InputError("a threshold is out of range", received=threshold, expected="-1 to 1")
    panel = panel_rows(vectors.count, vectors.dim, memory)
    parts = Components(vectors.count)
    total, done = vectors.count * (vectors.count + 1) // 2, 0
    for first in range(0, vectors.count, panel):
        held = _panel(vectors, first, min(panel, vectors.count - first))
        for start, block in vectors.blocks(first, TILE_ROWS):
            # Of two vectors the later one is in the block, and the other in the panel.
            for place in range(0, min(len(held), start + len(block) - first), TILE_COLUMNS):
                tile = _Tile(block, start, held[place : place + TILE_COLUMNS], first + place)
                tile.link(parts, threshold)
            done += len(block) * min(len(held), start - first + len(block))
            if progress is not None:
                progress(min(done, total), total)
    return parts.labels()


def panel_rows(count: int, dim: int, memory: int) -> int:
    """Return how many vectors a panel may hold.

    Raises:
        InputError: fewer than a tile's, and fewer than there are.
    """
    fixed = A_TILE + A_VECTOR * count + 8 * dim * (TILE_ROWS + 4 * UNDECIDED)
    rows = max(0, memory - fixed) // (4 * dim)
    needed = min(count, TILE_COLUMNS)
    if rows < needed:
        raise InputError(
            f"the memory is too small for {count} vectors of {dim}",
            received=f"{memory / 1e6:.0f} MB",
            expected=f"{(fixed + 4 * dim * needed) / 1e6:.0f} MB or more",
            fix="more is faster: the data set is read once for every panel that fits",
        )
    return max(1, min(rows, count))


def _panel(vectors: Vectors, first: int, size: int) -> Matrix:
    held = np.empty((size, vectors.dim), np.float32)
    for start, block in vectors.blocks(first, TILE_ROWS):
        place = start - first
        if place >= size:
            break
        held[place : place + len(block)] = block[: size - place]
    return held


@dataclass(frozen=True, eq=False)
class _Tile:
    """Some vectors against some earlier ones, by the numbers that they start at."""

    block: Matrix
    start: int
    held: Matrix
    first: int

    def link(self, parts: Components, threshold: float) -> None:
        """Join the components of all pairs from the threshold on."""
        product = self.block @ self.held.T
        # |fl(x·y) - x·y| <= n·u / (1 - n·u) for unit vectors, whatever the order of the sum
        # (Higham, Accuracy and Stability of Numerical Algorithms, 3.5); doubled, as the lengths
        # are rounded too.
        bound = 2 * self.held.shape[1] * UNIT_ROUNDOFF
        near = product >= threshold - bound
        count = np.count_nonzero(near)
        if count == 0:
            return
        later = np.arange(self.start, self.start + len(self.block))
        earlier = np.arange(self.first, self.first + len(self.held))
        for top in range(0, len(near), len(near) if count <= MANY else STRIPE):
            rows = slice(top, top + (len(near) if count <= MANY else STRIPE))
            pairs = near[rows]
            if count > MANY:
                # Of a crowd of faces of one person nearly all are joined by other pairs already.
                pairs = pairs & (parts.find(later[rows])[:, None] != parts.find(earlier))
            first, second = np.nonzero(pairs)
            first += top
            undecided = product[first, second] < threshold + bound
            kept = ~undecided
            kept[undecided] = ~self._far(first[undecided], second[undecided], threshold)
            parts.link(later[first[kept]], earlier[second[kept]])

    def _far(self, rows: Ints, columns: Ints, threshold: float) -> NDArray[np.bool_]:
        far = np.zeros(len(rows), np.bool_)
        for start in range(0, len(rows), UNDECIDED):
            some = slice(start, start + UNDECIDED)
            one = self.block[rows[some]].astype(np.float64)
            other = self.held[columns[some]].astype(np.float64)
            far[some] = np.einsum("ij,ij->i", one, other) < threshold
        return far
