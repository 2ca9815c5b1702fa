"""The ROC, the area under it, and the equal error rate: exact, over all scores.

A pair is accepted where its score is at least the threshold. A score of -inf is a failure: it is
accepted last of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceport.benchmarks.accuracy.metrics.scores import Doubles
from faceport.errors import InputError


@dataclass(frozen=True, eq=False)
class Roc:
    """A ROC, from accepting nothing to accepting everything.

    Attributes:
        far: (K,) share of impostor pairs accepted, rising from 0 to 1.
        tar: (K,) share of genuine pairs accepted, rising from 0 to 1.
        thresholds: (K,) each distinct score, falling; the first is +inf.
    """

    far: Doubles
    tar: Doubles
    thresholds: Doubles


@dataclass(frozen=True)
class EqualError:
    """The equal error rate.

    Attributes:
        rate: where FAR and FRR are equal, on the line between the two points of the ROC around it.
        threshold: of the nearer of those two points; None where that is to accept nothing, or to
            accept failures.
    """

    rate: float
    threshold: float | None


def roc(genuine: Doubles, impostor: Doubles) -> Roc:
    """Return the ROC of two sets of scores, one point for each distinct score.

    Raises:
        InputError: one of the sets is empty, or has a score that is not a number.
    """
    _check(genuine, impostor)
    levels = np.unique(np.concatenate([genuine, impostor]))[::-1]
    far = _share_at_least(np.sort(impostor), levels)
    tar = _share_at_least(np.sort(genuine), levels)
    return Roc(
        np.concatenate([[0.0], far]),
        np.concatenate([[0.0], tar]),
        np.concatenate([[np.inf], levels]),
    )


def thinned(curve: Roc, points: int) -> Roc:
    """Return at most about `points` points of a ROC, evenly spread over log FAR and over rank.

    For plots and reports: a curve of millions of points is drawn no better than one of a thousand.
    """
    size = len(curve.far)
    if size <= points:
        return curve
    by_rank = np.linspace(0, size - 1, points // 2).astype(np.int64)
    floor = curve.far[curve.far > 0].min()
    wanted = np.geomspace(floor, 1.0, points // 2)
    # The last point of a FAR has the most genuine pairs for it.
    by_far = np.searchsorted(curve.far, wanted, side="right") - 1
    kept = np.unique(np.concatenate([by_rank, by_far, [0, size - 1]]))
    return Roc(curve.far[kept], curve.tar[kept], curve.thresholds[kept])


def area_under_roc(genuine: Doubles, impostor: Doubles) -> float:
    """Return the area under the ROC, exactly.

    It is the Mann-Whitney statistic over the number of comparisons: how often a genuine pair's
    score is above an impostor pair's, equal scores counting half (Hanley and McNeil, 1982).

    Raises:
        InputError: one of the sets is empty, or has a score that is not a number.
    """
    _check(genuine, impostor)
    ordered = np.sort(impostor)
    below = np.searchsorted(ordered, genuine, side="left").sum(dtype=np.int64)
    upto = np.searchsorted(ordered, genuine, side="right").sum(dtype=np.int64)
    return float((int(below) + int(upto)) / (2 * len(genuine) * len(impostor)))


def equal_error(genuine: Doubles, impostor: Doubles) -> EqualError:
    """Return the equal error rate, interpolated on the ROC.

    Raises:
        InputError: one of the sets is empty, or has a score that is not a number.
    """
    curve = roc(genuine, impostor)
    gap = curve.far + curve.tar - 1  # FAR - FRR, rising from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    part = -gap[before] / (gap[after] - gap[before])
    rate = curve.far[before] + part * (curve.far[after] - curve.far[before])
    nearer = before if -gap[before] < gap[after] else after
    threshold = float(curve.thresholds[nearer])
    return EqualError(float(rate), threshold if np.isfinite(threshold) else None)


def _share_at_least(ordered: Doubles, levels: Doubles) -> Doubles:
    accepted = len(ordered) - np.searchsorted(ordered, levels, side="left")
    return np.asarray(accepted / len(ordered), dtype=np.float64)


def _check(genuine: Doubles, impostor: Doubles) -> None:
    if len(genuine) == 0 or len(impostor) == 0:
        raise InputError(
            "a ROC needs both kinds of pairs",
            received=f"{len(genuine)} of one person, {len(impostor)} of two",
        )
    if np.isnan(genuine).any() or np.isnan(impostor).any():
        raise InputError("a score is not a number")
