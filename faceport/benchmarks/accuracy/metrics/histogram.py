"""Histograms of the scores of both kinds of pairs, as data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.errors import InputError


@dataclass(frozen=True)
class Histogram:
    """Numbers of pairs by score.

    Attributes:
        edges: of the bins, one more than there are bins; a bin has its lower edge, the last both.
        genuine: pairs of one person in each bin.
        impostor: pairs of two people in each bin.
        failed: pairs without a score, in no bin.
    """

    edges: tuple[float, ...]
    genuine: tuple[int, ...]
    impostor: tuple[int, ...]
    failed: int


def histogram(scores: PairScores, bins: int = 80) -> Histogram:
    """Count pairs by score, in equal bins over all cosines there are, -1 to 1 at most.

    Raises:
        InputError: `bins` is not above 0.
    """
    if bins < 1:
        raise InputError("a histogram needs bins", received=bins, expected="1 or more")
    known = scores.scores[~scores.failed]
    low, high = (float(known.min()), float(known.max())) if len(known) else (-1.0, 1.0)
    # Whole twentieths, so that histograms of several artefacts have comparable axes.
    edges = np.linspace(
        np.floor(low * 20) / 20, max(np.ceil(high * 20), np.floor(low * 20) + 1) / 20, bins + 1
    )
    genuine = np.histogram(scores.scores[scores.same & ~scores.failed], edges)[0]
    impostor = np.histogram(scores.scores[~scores.same & ~scores.failed], edges)[0]
    return Histogram(
        edges=tuple(map(float, edges)),
        genuine=tuple(map(int, genuine)),
        impostor=tuple(map(int, impostor)),
        failed=int(scores.failed.sum()),
    )
