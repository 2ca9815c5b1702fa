"""Which rows of a matrix were there before, whatever their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Float

Digests = NDArray[np.uint64]
STEP = 8192
SEED = 20_240_501
"""Of the multipliers: part of the files' format."""


def row_digests(matrix: Float) -> Digests:
    """Return a number for each row (rows,), of its bytes: the same for the same row only.

    The 32-bit words are multiplied by fixed odd 64-bit numbers and summed modulo 2**64; among a
    million rows two different ones are alike with a chance of 3e-8.
    """
    multipliers = np.random.default_rng(SEED).integers(
        2**63, size=max(matrix.shape[1], 1), dtype=np.uint64
    )
    multipliers = multipliers[: matrix.shape[1]] * np.uint64(2) + np.uint64(1)
    found = np.empty(len(matrix), np.uint64)
    for start in range(0, len(matrix), STEP):
        words = np.ascontiguousarray(matrix[start : start + STEP], "<f4").view("<u4")
        found[start : start + STEP] = np.einsum("rd,d->r", words.astype(np.uint64), multipliers)
    return found


def matched(old: Digests, new: Digests) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the old rows among the new; rows that are there several times are paired one by one.

    Returns:
        (old rows,) where each old row is now, or fewer where some are gone; and the new rows that
        no old one is.
    """
    old_order, new_order = np.argsort(old, kind="stable"), np.argsort(new, kind="stable")
    sorted_old, sorted_new = old[old_order], new[new_order]
    twin = np.arange(len(old)) - np.searchsorted(sorted_old, sorted_old)
    place = np.searchsorted(sorted_new, sorted_old) + twin
    there = place < len(new)
    there[there] = sorted_new[place[there]] == sorted_old[there]
    now = np.full(len(old), -1, np.intp)
    now[old_order[there]] = new_order[place[there]]
    missing = np.ones(len(new), bool)
    missing[now[now >= 0]] = False
    return now[now >= 0], np.flatnonzero(missing)
