"""Accuracy over folds, each judged with the threshold that is best on the others (LFW's view 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faceport.benchmarks.accuracy.metrics.scores import Doubles, Flags
from faceport.benchmarks.accuracy.types import Labels

DRAWN_FOLDS = 10


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy over folds.

    Attributes:
        mean: of the folds' accuracies.
        std: of the folds' accuracies, divided by their number (as deepinsight/insightface and
            davidsandberg/facenet print it).
        standard_error: of the mean, as LFW asks for: the deviation divided by the number less one,
            over the root of the number.
        accuracies: of each fold.
        thresholds: that each fold was judged with: accepted is a score that is at least this.
        folds: whether the list has them, or they were drawn here.
    """

    mean: float
    std: float
    standard_error: float
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]
    folds: Literal["list", "drawn"]


def fold_accuracy(
    scores: Doubles, same: Flags, folds: Labels, *, seed: int = 0
) -> FoldAccuracy | None:
    """Return the accuracy over folds.

    The threshold is exact: all thresholds that part the other folds' scores are tried, not a grid.
    Of several that are best, the middle one is taken, halfway between its two scores. Where the
    list has no folds, ten are drawn, each with its share of both kinds of pairs; people then are
    in several folds, which LFW's own avoid.

    Args:
        scores: (N,) float64; -inf is never accepted.
        same: (N,).
        folds: (N,), all equal where the list has none.
        seed: of the folds drawn.

    Returns:
        None where there are fewer than two pairs of one kind.
    """
    if min(int(same.sum()), int((~same).sum())) < 2:
        return None
    names = np.unique(folds)
    listed = len(names) > 1
    used = folds if listed else drawn_folds(same, seed)
    order = np.argsort(scores, kind="stable")  # once, so that the folds' own sorts are quick
    scores, same, used = scores[order], same[order], used[order]
    accuracies, thresholds = [], []
    for fold in np.unique(used):
        test = used == fold
        threshold = best_threshold(scores[~test], same[~test])
        thresholds.append(threshold)
        accuracies.append(float(((scores[test] >= threshold) == same[test]).mean()))
    deviation = float(np.std(accuracies, ddof=1))
    return FoldAccuracy(
        mean=float(np.mean(accuracies)),
        std=float(np.std(accuracies)),
        standard_error=deviation / float(np.sqrt(len(accuracies))),
        accuracies=tuple(accuracies),
        thresholds=tuple(thresholds),
        folds="list" if listed else "drawn",
    )


def best_threshold(scores: Doubles, same: Flags) -> float:
    """Return the threshold with the fewest errors; accepted is a score that is at least it.

    Args:
        scores: (N,) float64, N > 0; -inf is never accepted.
        same: (N,).
    """
    found = np.isfinite(scores)
    levels, place = np.unique(scores[found], return_inverse=True)
    if len(levels) == 0:
        return 0.0
    genuine = np.bincount(place, weights=same[found], minlength=len(levels))
    impostor = np.bincount(place, minlength=len(levels)) - genuine
    # Errors with the first k levels rejected, k = 0 … K; failures are errors or not at any k.
    rejected = np.concatenate([[0.0], np.cumsum(genuine)])
    accepted = impostor.sum() - np.concatenate([[0.0], np.cumsum(impostor)])
    errors = rejected + accepted
    best = np.flatnonzero(errors == errors.min())
    return _between(levels, int(best[(len(best) - 1) // 2]))


def _between(levels: Doubles, k: int) -> float:
    """Return a threshold that rejects the first k levels and accepts the rest."""
    if k == 0:
        return float(levels[0])
    if k == len(levels):
        return float(np.nextafter(levels[-1], np.inf))
    low, high = float(levels[k - 1]), float(levels[k])
    middle = low + (high - low) / 2
    return middle if middle > low else high


def drawn_folds(same: Flags, seed: int) -> Labels:
    """Return ten folds, fewer where a kind of pairs has fewer, with equal shares of both kinds."""
    rng = np.random.default_rng(seed)
    count = min(DRAWN_FOLDS, int(same.sum()), int((~same).sum()))
    folds = np.empty(len(same), dtype=np.int64)
    for kind in (same, ~same):
        folds[kind] = rng.permutation(np.arange(int(kind.sum())) % count)
    return folds
