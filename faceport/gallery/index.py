"""Exact search: all vectors of a gallery in one matrix, one matrix product a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Match


@dataclass(frozen=True, eq=False)
class Index:
    """A gallery's vectors at one moment.

    Attributes:
        version: SQLite's data version at which they were read.
        matrix: (rows, dim) float32, unit vectors.
        owner: (rows,) position in `names` of each row's identity.
        names: the identities that have at least one vector.
    """

    version: int
    matrix: NDArray[np.float32]
    owner: NDArray[np.intp]
    names: tuple[str, ...]


def build_index(version: int, dim: int, rows: Sequence[tuple[str, bytes]]) -> Index:
    """Make an index of (identity's name, little-endian float32 vector) rows."""
    names = tuple(dict.fromkeys(name for name, _ in rows))
    position = {name: i for i, name in enumerate(names)}
    owner = np.array([position[name] for name, _ in rows], dtype=np.intp)
    data = b"".join(vector for _, vector in rows)
    matrix = np.frombuffer(data, "<f4").astype(np.float32).reshape(len(rows), dim)
    return Index(version, matrix, owner, names)


def search_index(
    index: Index, queries: NDArray[np.float32], threshold: float, top_k: int
) -> list[list[Match]]:
    """Find the `top_k` nearest identities of each query (n, dim), best first.

    An identity's score is the cosine with its nearest vector.
    """
    if not index.names:
        return [[] for _ in queries]
    scores = queries @ index.matrix.T
    best = np.full((len(queries), len(index.names)), -np.inf, np.float32)
    for row, values in zip(best, scores, strict=True):
        np.maximum.at(row, index.owner, values)
    return [_ranked(row, index.names, threshold, top_k) for row in best]


def _ranked(
    scores: NDArray[np.float32], names: tuple[str, ...], threshold: float, top_k: int
) -> list[Match]:
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [Match(names[i], float(scores[i]), bool(scores[i] >= threshold)) for i in order]
