"""Which range of a value 8 bits are spent on, from what was seen on real faces.

    minmax       all that was seen
    percentile   all but the outermost 0.01 % of the numbers seen
    entropy      the range whose 8-bit histogram loses the least information (Kullback-Leibler), as
                 in Szymon Migacz, "8-bit inference with TensorRT", GTC 2017; but never less than
                 99.9 % of the numbers, because values that are no activations (what comes before a
                 PReLU) have tails that matter

Histograms are of magnitudes for `entropy`, which is symmetric, and of signed values otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.exporters.base import Calibrator
from faceport.runtime.sessions.base import Array

BINS = 2048
LEVELS = 128
MOST_CUT = 1e-3
"""Share of numbers that `entropy` cuts off at most."""

OUTERMOST = 1e-4
"""Share of numbers that `percentile` cuts off, half of it at either end."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Range:
    """The smallest and the largest number that 8 bits represent; 0 lies between them."""

    low: float
    high: float


Values = Mapping[str, Array]


def ranges_of(run: Callable[[], Iterable[Values]], calibrator: Calibrator) -> dict[str, Range]:
    """Choose the range of every value.

    Args:
        run: gives the values of one picture after the other; it is asked once for `minmax`, and
            twice for the others.
        calibrator: see above.
    """
    seen = _minmax(run())
    if calibrator == "minmax":
        return seen
    if calibrator == "percentile":
        counts = _histograms(run(), seen)
        return {name: _percentile(counts[name], seen[name]) for name in seen}
    widest = {name: _symmetric(found) for name, found in seen.items()}
    counts = _histograms(run(), widest)
    return {name: _entropy(counts[name], widest[name], seen[name]) for name in seen}


def _minmax(pictures: Iterable[Values]) -> dict[str, Range]:
    found: dict[str, Range] = {}
    for values in pictures:
        for name, array in values.items():
            old = found.get(name, Range(0.0, 0.0))
            found[name] = Range(min(old.low, float(array.min())), max(old.high, float(array.max())))
    return found


def _histograms(pictures: Iterable[Values], over: Mapping[str, Range]) -> dict[str, Counts]:
    counts = {name: np.zeros(BINS, np.int64) for name in over}
    for values in pictures:
        for name, array in values.items():
            span = over[name]
            if span.high > span.low:
                counts[name] += np.histogram(array, BINS, (span.low, span.high))[0]
    return counts


def _percentile(counts: Counts, span: Range) -> Range:
    total = counts.sum()
    if total == 0:
        return span
    share = np.cumsum(counts) / total
    edges = np.linspace(span.low, span.high, BINS + 1)
    first = int(np.searchsorted(share, OUTERMOST / 2, side="right"))
    last = int(np.searchsorted(share, 1 - OUTERMOST / 2))
    return Range(min(0.0, float(edges[first])), max(0.0, float(edges[min(last, BINS - 1) + 1])))


def _symmetric(span: Range) -> Range:
    widest = max(-span.low, span.high)
    return Range(-widest, widest)


def _entropy(counts: Counts, span: Range, seen: Range) -> Range:
    """Cut magnitudes off where the least is lost, and stay inside what was seen."""
    half = BINS // 2
    magnitudes = counts[half:] + counts[:half][::-1]
    if magnitudes.sum() == 0:
        return seen
    share = np.cumsum(magnitudes) / magnitudes.sum()
    least = max(LEVELS, int(np.searchsorted(share, 1 - MOST_CUT)) + 1)
    sizes = [*range(least, half, LEVELS // 8), half]
    losses = {size: _loss(magnitudes, size) for size in sizes}
    size = min(losses, key=lambda key: losses[key])
    limit = span.high * size / half
    return Range(max(seen.low, -limit), min(seen.high, limit))


def _loss(counts: Counts, size: int) -> float:
    """Return the divergence of a histogram cut at `size` bins from what 128 levels make of it."""
    cut = counts[:size].astype(np.float64)
    reference = cut.copy()
    reference[-1] += counts[size:].sum()
    level = np.arange(size) * LEVELS // size
    filled = cut > 0
    sums = np.bincount(level, cut, LEVELS)
    sizes = np.maximum(np.bincount(level, filled, LEVELS), 1)
    coarse = np.where(filled, (sums / sizes)[level], 0.0)
    p, q = reference / reference.sum(), coarse / max(coarse.sum(), 1.0)
    # What was cut off lands in the last bin, where the coarse histogram may be empty.
    both = (p > 0) & (q > 0)
    missing = float(p[(p > 0) & (q == 0)].sum())
    return float((p[both] * np.log(p[both] / q[both])).sum() + missing * np.log(1e6))
