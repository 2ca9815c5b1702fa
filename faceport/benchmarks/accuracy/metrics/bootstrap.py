"""Bootstrap replicates of the true accept rate at a false accept rate.

The threshold is chosen anew in each replicate, since it is an estimate too.

Over pairs, the (k+1)-th largest of N scores drawn again from N is the one at rank floor(N U), where
U, the (k+1)-th smallest of N uniform numbers, has the distribution Beta(k+1, N-k); so a replicate
costs one draw of it and one binomial draw, whatever N is, and is exact.

Over people (the subsets bootstrap of Bolle, Ratha and Pankanti, 2004, and for pairs across people
the vertex bootstrap of Snijders and Borgatti, 1999), people are drawn with repetition; a pair
counts as often as its person was drawn, one of two people as often as the product says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.metrics.scores import Doubles
from faceport.benchmarks.accuracy.types import Labels
from faceport.rates import allowed_accepts

LEVEL = 0.95
WORK = 400_000_000
"""Replicates times pairs at most: half a minute; fewer replicates are made past it, but 100."""

LEAST_REPLICATES = 100


def interval(rates: Doubles) -> tuple[float, float] | None:
    """Return the percentile interval of replicates; None where all of them were empty."""
    known = rates[~np.isnan(rates)]
    if len(known) == 0:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def unseen(units: int) -> float:
    """Return how often an event may happen that none of `units` independent trials showed.

    The end of the exact interval (Clopper and Pearson, 1934). Drawing again from trials without an
    error never gives one, so a bootstrap alone would call a rate of 1 certain.
    """
    return float(1 - ((1 - LEVEL) / 2) ** (1 / units))


def over_pairs(
    genuine: Doubles,
    impostor: Doubles,
    target: float,
    replicates: int,
    rng: np.random.Generator,
) -> Doubles:
    """Return replicates of the rate, drawing pairs.

    Args:
        genuine: (G,) scores, rising.
        impostor: (N,) scores, falling.
        target: false accept rate.
        replicates: how many.
        rng: random numbers.
    """
    size, allowed = len(impostor), allowed_accepts(len(impostor), target)
    place = np.floor(size * rng.beta(allowed + 1, size - allowed, replicates)).astype(np.int64)
    barred = impostor[np.minimum(place, size - 1)]
    accepted = len(genuine) - np.searchsorted(genuine, barred, side="right")
    return np.asarray(rng.binomial(len(genuine), accepted / len(genuine)) / len(genuine))


def over_people(
    genuine: Doubles,
    impostor: Doubles,
    people: tuple[Labels, Labels],
    targets: Sequence[float],
    replicates: int,
    rng: np.random.Generator,
) -> Doubles:
    """Return (targets, replicates) rates, drawing people; nan where none of a kind was drawn.

    Args:
        genuine: (G,) scores, rising.
        impostor: (N,) scores, falling.
        people: (G, 2) and (N, 2), the two people of each pair.
        targets: false accept rates.
        replicates: how many.
        rng: random numbers.
    """
    names, compact = np.unique(np.concatenate(people), return_inverse=True)
    compact = compact.reshape(-1, 2)
    sides = compact[: len(genuine)], compact[len(genuine) :]
    most = WORK // (len(genuine) + len(impostor))
    replicates = min(replicates, max(LEAST_REPLICATES, most))
    rates = np.full((len(targets), replicates), np.nan)
    for i in range(replicates):
        drawn = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        rates[:, i] = _weighted_rates(
            genuine, impostor, _weights(drawn, sides[0]), _weights(drawn, sides[1]), targets
        )
    return rates


def _weights(drawn: NDArray[np.int64], sides: NDArray[np.int64]) -> NDArray[np.int64]:
    first, second = sides[:, 0], sides[:, 1]
    return np.where(first == second, drawn[first], drawn[first] * drawn[second])


def _weighted_rates(
    genuine: Doubles,
    impostor: Doubles,
    genuine_weights: NDArray[np.int64],
    impostor_weights: NDArray[np.int64],
    targets: Sequence[float],
) -> Doubles:
    genuine_sum = np.concatenate([[0], np.cumsum(genuine_weights)])
    impostor_sum = np.cumsum(impostor_weights)
    if genuine_sum[-1] == 0 or impostor_sum[-1] == 0:
        return np.full(len(targets), np.nan)
    allowed = [allowed_accepts(int(impostor_sum[-1]), target) for target in targets]
    barred = impostor[np.searchsorted(impostor_sum, allowed, side="right")]
    below = genuine_sum[np.searchsorted(genuine, barred, side="right")]
    return np.asarray(1 - below / genuine_sum[-1], dtype=np.float64)
