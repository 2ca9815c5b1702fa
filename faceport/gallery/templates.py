"""One vector for each identity, fused from its samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Float, Fusion
from faceport.runtime.fuse import normalized

NO_DIRECTION = 1e-6


def fuse_groups(
    matrix: Float, norms: Float, starts: NDArray[np.intp], fusion: Fusion
) -> tuple[Float, Float]:
    """Fuse groups of rows that lie together.

    `mean` takes the mean of the unit vectors; the template's norm is that mean's length, 0 to 1:
    how much the samples agree. `norm` gives the vectors their norms back and adds them, as
    mk-minchul/AdaFace `utils.py`, `fuse_features_with_norm` does; the template's norm is the
    length of the sum. Samples that cancel each other out have no mean direction: the template is
    then the sample of the largest norm, and its norm 0.

    Args:
        matrix: (rows, D) float32 of length 1.
        norms: (rows,) 0 or more.
        starts: (groups,) the first row of each group, ascending from 0; no group is empty.
        fusion: which of the two.

    Returns:
        (groups, D) float32 of length 1, (groups,) float32 norms.
    """
    weights = norms.astype(np.float64) if fusion == "norm" else np.ones(len(norms))
    sums = np.add.reduceat(matrix * weights[:, None], starts, axis=0)
    counts = np.diff(starts, append=len(matrix))
    vectors, lengths = normalized(sums if fusion == "norm" else sums / counts[:, None])
    # What the length would be if all samples were equal.
    totals = np.add.reduceat(weights, starts) if fusion == "norm" else np.ones(len(starts))
    for group in np.flatnonzero(lengths <= NO_DIRECTION * np.maximum(totals, NO_DIRECTION)):
        rows = slice(starts[group], starts[group] + counts[group])
        vectors[group] = matrix[rows][norms[rows].argmax()]
        lengths[group] = 0
    return vectors, lengths


def fuse(matrix: Float, norms: Float, fusion: Fusion) -> tuple[Float, float]:
    """Fuse the samples (n, D) of one identity, at least one, into (D,) and a norm."""
    vectors, lengths = fuse_groups(matrix, norms, np.zeros(1, np.intp), fusion)
    return vectors[0], float(lengths[0])
