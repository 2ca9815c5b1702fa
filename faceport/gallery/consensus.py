"""Do the pictures of one identity show one person?

A picture belongs if its cosine reaches the threshold with at least half of the identity's other
pictures; that is, if the upper median of its cosines to them does. Where the pictures fall into
groups that agree within and disagree across, the group with more than half of all pictures stays
and the rest are outliers; without such a group nobody can say who is the wrong one, and all are
undecided. Two pictures that disagree are the smallest case of that.

A mean would let one very near picture outvote several far ones; the median, as a robust medoid
takes it (Kaufman and Rousseeuw, 1987, "Clustering by means of medoids"), does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError

Float = NDArray[np.float32]
Verdict = Literal["agrees", "outlier", "undecided"]

BLOCK_ROWS = 2048
"""Pictures judged at a time: their cosines to all others are in memory together."""


@dataclass(frozen=True, eq=False)
class Consensus:
    """What the pictures of one identity say of each other.

    Attributes:
        medians: (N,) float32, the upper median of each judged picture's cosines to all others; 1
            for a picture that is alone.
        verdicts: of each.
        threshold: cosine from which two pictures agree.
    """

    medians: Float
    verdicts: tuple[Verdict, ...]
    threshold: float

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(N,) whether each picture agrees with the others."""
        return np.array([verdict == "agrees" for verdict in self.verdicts], dtype=bool)


def consensus(vectors: Float, threshold: float, known: Float | None = None) -> Consensus:
    """Judge each picture of an identity by its cosines to all others, in one matrix product.

    Args:
        vectors: (N, D) of length 1, the pictures to judge.
        threshold: cosine from which two pictures agree, -1 to 1.
        known: (K, D) of length 1, the identity's pictures that are enrolled already: they vote, and
            are not judged.

    Raises:
        InputError: the shapes do not fit, or the threshold is out of range.
    """
    voters = vectors if known is None or not len(known) else np.concatenate([vectors, known])
    _check(vectors, voters, threshold)
    if len(voters) == 1:
        return Consensus(np.ones(1, np.float32), ("agrees",), threshold)
    medians = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        medians[rows] = _upper_medians(vectors[rows], voters, start)
    agree = medians >= threshold
    # What is enrolled already was judged before: with it there is somebody to disagree with.
    decided = agree.any() or len(voters) > len(vectors)
    otherwise: Verdict = "outlier" if decided else "undecided"
    verdicts: tuple[Verdict, ...] = tuple("agrees" if one else otherwise for one in agree)
    return Consensus(medians, verdicts, threshold)


def _upper_medians(rows: Float, voters: Float, start: int) -> Float:
    """Return the upper median of each row's cosines to all voters but itself, `start` rows on."""
    scores = rows @ voters.T
    others = len(voters) - 1
    # A row's own cosine goes below all others, and so never counts in the upper half.
    scores[np.arange(len(rows)), start + np.arange(len(rows))] = -np.inf
    # Of m sorted others the upper median is at m // 2; one place on, past the row's own.
    place = others // 2 + 1
    return np.asarray(np.partition(scores, place, axis=1)[:, place])


def _check(vectors: Float, voters: Float, threshold: float) -> None:
    if vectors.ndim != 2 or voters.ndim != 2 or not len(vectors):
        raise InputError(
            "the pictures of an identity are no matrix", received=vectors.shape, expected="(N, D)"
        )
    if not -1 <= threshold <= 1:
        raise InputError("a threshold is out of range", received=threshold, expected="-1 to 1")
