"""1:N figures: closed set and open set.

Definitions are NIST's (Grother, Ngan and Hanaoka, FRVT Part 2: Identification, NISTIR 8271, 2019,
section 3). Searches are mated, for somebody enrolled, or non-mated. Closed set: the share of mated
searches that give the mate at rank r or better (CMC). Open set, at a threshold T:

    FNIR(N, R, T): share of mated searches without the mate at rank R or better, with T or more
    FPIR(N, T):    share of non-mated searches that give anybody, with T or more

A face not found is a search that gives nobody: a miss if mated, no false positive if not (ibid., on
failures to make a template). An identity with no face on what was to be enrolled is missed too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceport.benchmarks.accuracy.metrics.operating_points import (
    REPLICATES,
    OperatingPoint,
    operating_points,
)
from faceport.benchmarks.accuracy.metrics.search import SearchScores
from faceport.rates import LEAST_ERRORS

FPIRS = (1e-1, 1e-2, 1e-3)
CMC_RANKS = 20


@dataclass(frozen=True)
class OpenSetPoint:
    """FNIR at one FPIR.

    Attributes:
        target: the false positive identification rate that may not be passed.
        fnir: false negative identification rate; None where the data can't support it.
        low, high: its 95 % bootstrap interval, over people.
        threshold: a candidate is given where its score is at least this.
        fpir: share of non-mated searches that give somebody, at most `target`.
        false_positives: their number.
        mated, non_mated: searches that the figure rests on.
        reason: why there is no figure.
    """

    target: float
    fnir: float | None
    low: float | None
    high: float | None
    threshold: float | None
    fpir: float | None
    false_positives: int | None
    mated: int
    non_mated: int
    reason: str | None = None


@dataclass(frozen=True)
class Identification:
    """1:N figures.

    Attributes:
        people: identities that the gallery was to have.
        not_enrolled: those of them without a face on what was to be enrolled.
        mated: searches for somebody meant to be in the gallery.
        mated_failed: those of them without a face on the probe.
        strangers: searches for somebody not in the gallery.
        strangers_failed: those of them without a face on the probe.
        left_out: whether each mated search was also done with its identity left out of the
            gallery, as one more non-mated search.
        rank1, rank5: share of mated searches with the mate at that rank or better; None without
            mated searches, or where the gallery has no more people than that.
        cmc: the same for ranks 1 to 20, or to the number of people if that is less.
        points: FNIR at each FPIR asked for.
    """

    people: int
    not_enrolled: int
    mated: int
    mated_failed: int
    strangers: int
    strangers_failed: int
    left_out: bool
    rank1: float | None
    rank5: float | None
    cmc: tuple[float, ...]
    points: tuple[OpenSetPoint, ...]


def identify(
    scores: SearchScores,
    *,
    rank: int = 1,
    leave_out: bool = True,
    targets: Sequence[float] = FPIRS,
    seed: int = 0,
    replicates: int = REPLICATES,
    least_errors: int = LEAST_ERRORS,
) -> Identification:
    """Compute all 1:N figures.

    Args:
        scores: of the searches (`search`).
        rank: R of FNIR: the mate must be at this rank or better.
        leave_out: also count each mated search with its identity left out as a non-mated search.
            It is in a gallery of one person less, and its probe is in a mated search too.
        targets: false positive identification rates.
        seed: of the bootstrap.
        replicates: of the bootstrap.
        least_errors: false positives that a figure must rest on (`operating_points`).

    Raises:
        InputError: an argument is out of its range.
    """
    mated, strangers = scores.mated, ~scores.mated
    non_mated = np.ones_like(mated) if leave_out else strangers
    hit = mated & (scores.rank >= 1) & (scores.rank <= rank)
    mate_scores = np.where(hit, scores.own, -np.inf)[mated]
    pairs = np.stack([scores.people, scores.people], axis=1)
    points = operating_points(
        mate_scores,
        scores.other[non_mated],
        targets=targets,
        genuine_people=pairs[mated],
        impostor_people=pairs[non_mated],
        seed=seed,
        replicates=replicates,
        least_errors=least_errors,
    )
    curve = cmc(scores, CMC_RANKS)
    return Identification(
        people=scores.enrolled,
        not_enrolled=scores.not_enrolled,
        mated=int(mated.sum()),
        mated_failed=int((mated & scores.failed).sum()),
        strangers=int(strangers.sum()),
        strangers_failed=int((strangers & scores.failed).sum()),
        left_out=leave_out,
        rank1=_at(curve, 1, scores.enrolled),
        rank5=_at(curve, 5, scores.enrolled),
        cmc=curve,
        points=tuple(_open_set(point) for point in points),
    )


def cmc(scores: SearchScores, ranks: int) -> tuple[float, ...]:
    """Return the share of mated searches with the mate at rank 1 … `ranks` or better.

    It ends at the number of people in the gallery, and is empty without mated searches.
    """
    rank = scores.rank[scores.mated]
    if len(rank) == 0:
        return ()
    last = min(ranks, scores.enrolled)
    return tuple(float(((rank >= 1) & (rank <= r)).mean()) for r in range(1, last + 1))


def _at(curve: tuple[float, ...], rank: int, people: int) -> float | None:
    return curve[rank - 1] if len(curve) >= rank and people > rank else None


def _open_set(point: OperatingPoint) -> OpenSetPoint:
    reason = point.reason
    if reason is not None:
        reason = reason.replace("impostor pairs", "non-mated searches")
        reason = reason.replace("genuine pairs", "mated searches")
    return OpenSetPoint(
        target=point.target,
        fnir=_complement(point.tar),
        low=_complement(point.high),
        high=_complement(point.low),
        threshold=point.threshold,
        fpir=point.far,
        false_positives=point.false_accepts,
        mated=point.genuine,
        non_mated=point.impostor,
        reason=reason,
    )


def _complement(rate: float | None) -> float | None:
    return None if rate is None else 1 - rate
