"""Pairs of the pictures of an identity set: all, or a seeded sample of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.types import IdentitySet, Labels, PairSet
from faceport.errors import InputError

MOST = 50_000_000
"""Pairs that are made at most: 1.3 GB of indexes."""


def pairs_of(identities: IdentitySet, limit: int | None = None, seed: int = 0) -> PairSet:
    """Make pairs of an identity set's pictures.

    Args:
        identities: pictures with labels.
        limit: pairs at most; all if not given.
        seed: of the sample.

    Returns:
        Each pair once. Past the limit, pairs of one person are all kept as far as they fill no more
        than half of it (or more, where pairs of two people do not fill the other half), and the
        rest is drawn without repetition, each pair as likely as another. No folds.

    Raises:
        InputError: there is no pair, the limit is not above 0, or there are too many pairs for it
            to be left out.
    """
    left, right = label_pairs(identities.labels, limit, seed)
    return PairSet(
        name=identities.name,
        pictures=identities.pictures,
        left=left,
        right=right,
        same=identities.labels[left] == identities.labels[right],
        folds=np.zeros(len(left), dtype=np.int64),
        labels=identities.labels,
    )


def label_pairs(labels: Labels, limit: int | None = None, seed: int = 0) -> tuple[Labels, Labels]:
    """Return the two sides of the pairs of items with these labels; see `pairs_of`."""
    if limit is not None and limit < 1:
        raise InputError("the limit of pairs is not above 0", received=limit)
    order = np.argsort(labels, kind="stable")
    _, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    ends = np.repeat(starts + sizes, sizes)
    places = np.arange(len(order))
    # Item i of the order has its genuine partners in (i, end of its label), impostors from there.
    genuine = _Rows(places + 1, ends - places - 1)
    impostor = _Rows(ends, len(order) - ends)
    total = genuine.total + impostor.total
    if total == 0:
        raise InputError("one picture makes no pair", received=len(order), expected="2 or more")
    if min(total, limit or total) > MOST:
        raise InputError(
            "there are too many pairs", received=total, fix=f"give a limit up to {MOST}"
        )
    keep_genuine, keep_impostor = _shares(genuine.total, impostor.total, limit)
    rng = np.random.default_rng(seed)
    sides = [genuine.sample(keep_genuine, rng), impostor.sample(keep_impostor, rng)]
    first, second = (order[np.concatenate(side)] for side in zip(*sides, strict=True))
    return np.minimum(first, second), np.maximum(first, second)


def _shares(genuine: int, impostor: int, limit: int | None) -> tuple[int, int]:
    if limit is None or genuine + impostor <= limit:
        return genuine, impostor
    kept = min(genuine, max((limit + 1) // 2, limit - impostor))
    return kept, limit - kept


class _Rows:
    """Pairs in order: item i with `counts[i]` partners from `starts[i]` on."""

    def __init__(self, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        self.starts = starts
        self.before = np.concatenate([[0], np.cumsum(counts)])
        self.total = int(self.before[-1])

    def sample(
        self, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return `size` of the pairs, drawn without repetition, in order."""
        whole = size == self.total
        chosen = np.arange(size) if whole else np.sort(rng.choice(self.total, size, replace=False))
        item = np.searchsorted(self.before, chosen, side="right") - 1
        return item, self.starts[item] + chosen - self.before[item]
