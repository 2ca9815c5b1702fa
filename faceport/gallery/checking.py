"""Whether the vectors of a store are what a gallery put there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from faceport.errors import GalleryError
from faceport.gallery.resident import UNIT_TOLERANCE
from faceport.gallery.stores.base import Ids, Reader, VectorRows
from faceport.gallery.templates import fuse_groups
from faceport.gallery.types import Against, Float, Fusion, Problem

IDENTITIES = 1000
"""Checked at once."""

LEAST_COSINE = 1 - 1e-5
"""Between a template and the one that its samples give, kept in the same vector type."""

NORM_TOLERANCE = 1e-3


def vector_problems(
    reader: Reader, fusion: Fusion, as_stored: Callable[[Float], Float]
) -> Iterator[Problem]:
    """Compare all vectors with length 1, and all templates with what their samples give."""
    space = reader.space()
    if space is None:
        return
    names = reader.names()
    ids = sorted(names)
    for start in range(0, len(ids), IDENTITIES):
        part = ids[start : start + IDENTITIES]
        try:
            samples = _all(reader, "samples", part, space.dim)
            templates = _all(reader, "templates", part, space.dim)
        except GalleryError as error:
            yield Problem("vectors", str(error))
            continue
        yield from _lengths("samples", samples, samples.sample_ids)
        yield from _lengths("templates", templates, templates.identity_ids)
        yield from _templates(samples, templates, fusion, as_stored, names)


def _all(reader: Reader, against: Against, ids: list[int], dim: int) -> VectorRows:
    blocks = list(reader.vectors(against, ids))
    none = np.empty(0, np.int64)
    empty = VectorRows(none, none, np.empty((0, dim), np.float32), np.empty(0, np.float32))
    return VectorRows(
        *(
            np.concatenate([getattr(block, field) for block in [empty, *blocks]])
            for field in ("identity_ids", "sample_ids", "matrix", "norms")
        )
    )


def _lengths(table: str, rows: VectorRows, ids: Ids) -> Iterator[Problem]:
    lengths = np.linalg.norm(rows.matrix.astype(np.float64), axis=1)
    for row in np.flatnonzero(~(np.abs(lengths - 1) < UNIT_TOLERANCE)):
        yield Problem("vectors", f"{table} {ids[row]}: of length {lengths[row]:.4f}, not 1")
    for row in np.flatnonzero(~((rows.norms >= 0) & np.isfinite(rows.norms))):
        yield Problem("vectors", f"{table} {ids[row]}: norm {rows.norms[row]}")


def _templates(
    samples: VectorRows,
    templates: VectorRows,
    fusion: Fusion,
    as_stored: Callable[[Float], Float],
    names: dict[int, str],
) -> Iterator[Problem]:
    owners, starts = np.unique(samples.identity_ids, return_index=True)
    # The store itself tells of identities that have only one of the two.
    if not len(owners):
        return
    both, ours, theirs = np.intersect1d(owners, templates.identity_ids, return_indices=True)
    fused, norms = fuse_groups(samples.matrix, samples.norms, starts, fusion)
    cosines = _cosines(as_stored(fused)[ours], templates.matrix[theirs])
    gaps = np.abs(norms[ours] - templates.norms[theirs])
    # Written so that NaN fails.
    same = (cosines >= LEAST_COSINE) & (gaps <= NORM_TOLERANCE * np.maximum(1, norms[ours]))
    for owner in both[~same].tolist():
        detail = f"of {names[owner]!r} (identity {owner}) is not what its samples give"
        yield Problem("templates", detail)


def _cosines(first: Float, second: Float) -> NDArray[np.float64]:
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines: NDArray[np.float64] = np.einsum("rd,rd->r", a, b) / lengths
    return cosines
