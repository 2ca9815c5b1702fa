"""Unit vectors with their lengths, and the fusion of several embeddings into one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError

Float = NDArray[np.float32]


def normalized(vectors: NDArray[np.floating[Any]]) -> tuple[Float, Float]:
    """Split vectors into directions and lengths.

    Args:
        vectors: (..., D), finite.

    Returns:
        (..., D) of length 1 and (...) the lengths. A vector of length 0 has no direction: it stays
        0, and its cosine with anything is 0.
    """
    wide = np.asarray(vectors, dtype=np.float64)
    lengths = np.sqrt(np.square(wide).sum(axis=-1))
    safe = np.where(lengths > 0, lengths, 1.0)
    return (wide / safe[..., None]).astype(np.float32), lengths.astype(np.float32)


def fuse_by_norm(vectors: Float, norms: Float) -> tuple[Float, Float]:
    """Fuse K embeddings of each face into one, weighted by their norms.

    The vectors are given their lengths back, added, and normalised again; the fused norm is the
    length of the sum (mk-minchul/AdaFace `utils.py`, `fuse_features_with_norm`). A picture of
    better quality has a longer vector and so counts more.

    Args:
        vectors: (K, N, D), each of length 1.
        norms: (K, N), 0 or more.

    Returns:
        (N, D) of length 1, and (N,) the fused norms.

    Raises:
        InputError: the shapes do not fit.
    """
    if vectors.ndim != 3 or norms.shape != vectors.shape[:2]:
        raise InputError(
            "embeddings and norms to fuse do not fit",
            received=f"vectors {vectors.shape}, norms {norms.shape}",
            expected="(K, N, D) and (K, N)",
        )
    weighted = vectors.astype(np.float64) * norms[..., None]
    return normalized(weighted.sum(axis=0))


def mirrored(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pictures (N, height, width, 3) with left and right changed."""
    return np.ascontiguousarray(pixels[:, :, ::-1])
