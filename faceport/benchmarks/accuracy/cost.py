"""What an artefact costs against the reference: of its vectors, and of its decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.metrics.folds import FoldAccuracy, drawn_folds
from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.benchmarks.accuracy.types import Embedded, Picture

Flags = NDArray[np.bool_]

REPLICATES = 10_000


@dataclass(frozen=True)
class Loss:
    """1 - cosine between an artefact's vector of a picture and the reference's.

    Attributes:
        pictures: with a face.
        mean: over them.
        p99: 99 % of the pictures lose no more.
        worst: the largest.
        worst_picture: which one that is.
    """

    pictures: int
    mean: float
    p99: float
    worst: float
    worst_picture: str


@dataclass(frozen=True)
class Change:
    """Decisions on the same pairs, against the reference's.

    Each artefact is judged with the thresholds that are best for it on the other folds, as its
    accuracy is.

    Attributes:
        accuracy: share of right decisions less the reference's, over all pairs.
        low, high: 95 % interval of it, by a paired bootstrap over the pairs.
        lost: pairs that only the reference decides rightly.
        gained: pairs that only the artefact decides rightly.
        p_value: of `lost` and `gained` if the two were equally good (McNemar's test, exact).
        flipped: decisions that differ where both keep to the reference's thresholds, as in a
            product whose threshold is set already.
    """

    accuracy: float
    low: float
    high: float
    lost: int
    gained: int
    p_value: float
    flipped: int


def loss_against(
    reference: Embedded, other: Embedded, pictures: tuple[Picture, ...]
) -> Loss | None:
    """Return how far an artefact's vectors are from the reference's; None without any face."""
    rows = np.flatnonzero(reference.found & other.found)
    if len(rows) == 0:
        return None
    ours, theirs = (one.vectors[rows].astype(np.float64) for one in (other, reference))
    # From the difference: exact where 1 - cosine would be lost in float32's last digits.
    losses = np.square(ours - theirs).sum(axis=1) / 2
    worst = int(losses.argmax())
    return Loss(
        pictures=len(rows),
        mean=float(losses.mean()),
        p99=float(np.quantile(losses, 0.99, method="higher")),
        worst=float(losses[worst]),
        worst_picture=pictures[int(rows[worst])].name,
    )


def change_against(
    reference: tuple[PairScores, FoldAccuracy],
    other: tuple[PairScores, FoldAccuracy],
    *,
    seed: int = 0,
) -> Change:
    """Compare the decisions of two artefacts on the same pairs.

    Args:
        reference: its scores and its accuracy.
        other: likewise.
        seed: of the folds, as in `fold_accuracy`, and of the bootstrap.
    """
    (scores, accuracy), (theirs, their_accuracy) = reference, other
    before = _accepted(scores, accuracy, seed)
    after = _accepted(theirs, their_accuracy, seed)
    kept = _accepted(theirs, accuracy, seed)
    was, now = before == scores.same, after == scores.same
    lost, gained = int((was & ~now).sum()), int((~was & now).sum())
    low, high = _interval(lost, gained, len(was), seed)
    return Change(
        accuracy=(gained - lost) / len(was),
        low=low,
        high=high,
        lost=lost,
        gained=gained,
        p_value=exact_mcnemar(lost, gained),
        flipped=int((before != kept).sum()),
    )


def exact_mcnemar(lost: int, gained: int) -> float:
    """Return the two-sided p-value: `lost` of `lost + gained` tosses of a fair coin.

    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 1947, with the binomial distribution itself.
    """
    tosses = lost + gained
    ways = total = 1
    for k in range(min(lost, gained)):
        ways = ways * (tosses - k) // (k + 1)
        total += ways
    return min(1.0, 2 * total / (1 << tosses))


def _accepted(scores: PairScores, accuracy: FoldAccuracy, seed: int) -> Flags:
    """Apply each fold's threshold to its pairs."""
    listed = accuracy.folds == "list"
    folds = scores.folds if listed else drawn_folds(scores.same, seed)
    thresholds = np.asarray(accuracy.thresholds)
    _, place = np.unique(folds, return_inverse=True)
    return np.asarray(scores.scores >= thresholds[place], dtype=np.bool_)


def _interval(lost: int, gained: int, pairs: int, seed: int) -> tuple[float, float]:
    """Return the bootstrap's interval.

    A replicate draws `pairs` pairs with repetition: its numbers of lost and gained ones are those
    of a multinomial draw, which needs no list of pairs.
    """
    shares = np.array([lost, gained, pairs - lost - gained]) / pairs
    drawn = np.random.default_rng(seed).multinomial(pairs, shares, size=REPLICATES)
    low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / pairs, [0.025, 0.975])
    return float(low), float(high)
