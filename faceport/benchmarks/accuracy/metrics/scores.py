"""Cosines of pairs, and how a pair counts on which no face was found.

ISO/IEC 19795-1 tells the matcher's error rates (FMR, FNMR: over comparisons that were made) from
the system's (FAR, FRR: over all attempts). With the failure to acquire a picture, FTA,
`FRR = FTA + FNMR (1 - FTA)` and `FAR = FMR (1 - FTA)`: an attempt without a face is rejected,
whoever it is. That is the default here, `reject`: a pair of one person is then an error, a pair
of two people is not. `exclude` gives the matcher's rates. Both numbers of failed pairs are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.types import Embedded, Labels, PairSet
from faceport.errors import InputError

Failures = Literal["reject", "exclude"]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLOCK = 1 << 22
"""Numbers that are gathered at a time: 32 MiB of float64 a side."""


@dataclass(frozen=True, eq=False)
class PairScores:
    """Cosines of pairs.

    Attributes:
        scores: (N,) float64 in -1..1; -inf where a picture has no face.
        same: (N,) whether they are one person.
        folds: (N,) number of the fold; all 0 where there are none.
        people: (N, 2) index of the person on each side, where known.
        failed: (N,) whether a picture has no face.
    """

    scores: Doubles
    same: Flags
    folds: Labels
    people: Labels | None
    failed: Flags

    def without_failures(self) -> PairScores:
        """Return the pairs on which both faces were found."""
        kept = ~self.failed
        people = None if self.people is None else self.people[kept]
        return PairScores(
            self.scores[kept], self.same[kept], self.folds[kept], people, self.failed[kept]
        )


def scores_of(pairs: PairSet, embedded: Embedded) -> PairScores:
    """Return the cosines of a set's pairs, in float64, a block at a time.

    Args:
        pairs: the set.
        embedded: what was made of its pictures, in their order.

    Raises:
        InputError: `embedded` is not of as many pictures.
    """
    if len(embedded.found) != len(pairs.pictures):
        raise InputError(
            f"the embeddings are not those of {pairs.name}",
            received=len(embedded.found),
            expected=f"{len(pairs.pictures)} pictures",
        )
    people = None
    if pairs.labels is not None:
        people = np.stack([pairs.labels[pairs.left], pairs.labels[pairs.right]], axis=1)
    failed = ~(embedded.found[pairs.left] & embedded.found[pairs.right])
    scores = _cosines(embedded, pairs.left, pairs.right)
    scores[failed] = -np.inf
    return PairScores(scores, pairs.same, pairs.folds, people, failed)


def _cosines(embedded: Embedded, left: Labels, right: Labels) -> Doubles:
    step = max(1, BLOCK // max(1, embedded.vectors.shape[1]))
    scores = np.empty(len(left), dtype=np.float64)
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        a = embedded.vectors[left[part]].astype(np.float64)
        b = embedded.vectors[right[part]].astype(np.float64)
        scores[part] = np.einsum("nd,nd->n", a, b)
    return scores
