"""The true accept rate at false accept rates, where the data can support it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from faceport.benchmarks.accuracy.metrics.bootstrap import (
    interval,
    over_pairs,
    over_people,
    unseen,
)
from faceport.benchmarks.accuracy.metrics.scores import Doubles
from faceport.benchmarks.accuracy.types import Labels
from faceport.errors import InputError
from faceport.rates import LEAST_ERRORS, allowed_accepts, supports, trials_needed

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
REPLICATES = 1000


@dataclass(frozen=True)
class OperatingPoint:
    """The true accept rate at one false accept rate.

    Attributes:
        target: the false accept rate that may not be passed.
        tar: share of genuine pairs accepted; None where the data can't support the figure.
        low, high: its 95 % bootstrap interval; where all or no genuine pairs are accepted, its
            other end is that of the exact interval, counted over what was drawn.
        threshold: accepted is a score that is at least this.
        far: share of impostor pairs accepted, at most `target`.
        false_accepts: their number.
        genuine, impostor: pairs that the figure rests on.
        drawn: what the bootstrap drew: people where they are known, else pairs.
        reason: why there is no figure.
    """

    target: float
    tar: float | None
    low: float | None
    high: float | None
    threshold: float | None
    far: float | None
    false_accepts: int | None
    genuine: int
    impostor: int
    drawn: Literal["pairs", "people"]
    reason: str | None = None


def operating_points(
    genuine: Doubles,
    impostor: Doubles,
    *,
    targets: Sequence[float] = TARGETS,
    genuine_people: Labels | None = None,
    impostor_people: Labels | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    least_errors: int = LEAST_ERRORS,
) -> tuple[OperatingPoint, ...]:
    """Compute the true accept rate at each false accept rate.

    The threshold is the lowest with a false accept rate of at most the target, counted, not fitted.
    A figure is given where the target allows at least `least_errors` of the impostor pairs to be
    accepted (`impostor pairs × target >= 30`, the rule of 30), and else None with the reason. The
    rule is for independent pairs: those of few people support less than it says, and the interval
    over people shows it.

    Args:
        genuine: (G,) scores of pairs of one person; -inf for failures.
        impostor: (N,) scores of pairs of two people.
        targets: false accept rates.
        genuine_people: (G, 2) the two people of each pair (twice the same), for a bootstrap over
            people; one over pairs is made where these are not given.
        impostor_people: (N, 2).
        seed: of the bootstrap.
        replicates: of the bootstrap, 1 or more.
        least_errors: 1 or more.

    Raises:
        InputError: an argument is out of its range, or a score is not a number.
    """
    _check(genuine, impostor, targets, replicates, least_errors)
    up, down = np.argsort(genuine, kind="stable"), np.argsort(-impostor, kind="stable")
    genuine, impostor = genuine[up], impostor[down]
    known = genuine_people is not None and impostor_people is not None
    reasons = [_reason(len(genuine), len(impostor), t, least_errors) for t in targets]
    wanted = [t for t, reason in zip(targets, reasons, strict=True) if reason is None]
    rng = np.random.default_rng(seed)
    rates: dict[float, Doubles] = {}
    if genuine_people is not None and impostor_people is not None and wanted:
        people = genuine_people[up], impostor_people[down]
        rows = over_people(genuine, impostor, people, wanted, replicates, rng)
        rates = dict(zip(wanted, rows, strict=True))
    elif wanted:
        rates = {t: over_pairs(genuine, impostor, t, replicates, rng) for t in wanted}
    drawn: Literal["pairs", "people"] = "people" if known else "pairs"
    units = len(genuine) if genuine_people is None else len(np.unique(genuine_people))
    return tuple(
        _point(genuine, impostor, target, rates.get(target), drawn, units, reason)
        for target, reason in zip(targets, reasons, strict=True)
    )


def _reason(genuine: int, impostor: int, target: float, least_errors: int) -> str | None:
    if genuine == 0:
        return "no genuine pairs"
    if not supports(impostor, target, least_errors):
        return f"{impostor} impostor pairs; needs {trials_needed(target, least_errors)}"
    return None


def _point(
    genuine: Doubles,
    impostor: Doubles,
    target: float,
    rates: Doubles | None,
    drawn: Literal["pairs", "people"],
    units: int,
    reason: str | None,
) -> OperatingPoint:
    counts = len(genuine), len(impostor)
    if reason is not None or rates is None:
        empty = (None,) * 6
        return OperatingPoint(target, *empty, *counts, drawn, reason)
    barred = float(impostor[allowed_accepts(len(impostor), target)])
    false_accepts = int((impostor > barred).sum())
    tar = float((genuine > barred).mean())
    low, high = interval(rates) or (tar, tar)
    low = min(low, 1 - unseen(units)) if tar == 1 else low
    high = max(high, unseen(units)) if tar == 0 else high
    threshold = _threshold(genuine, impostor, barred, false_accepts)
    far = false_accepts / len(impostor)
    return OperatingPoint(target, tar, low, high, threshold, far, false_accepts, *counts, drawn)


def _threshold(genuine: Doubles, impostor: Doubles, barred: float, accepts: int) -> float:
    """Return the threshold halfway between the highest score to reject and the next above it."""
    place = int(np.searchsorted(genuine, barred, side="right"))
    above = [float(genuine[place])] if place < len(genuine) else []
    above += [float(impostor[accepts - 1])] if accepts else []
    if not above:
        return float(np.nextafter(barred, np.inf))
    least = min(above)
    middle = barred + (least - barred) / 2
    return middle if middle > barred else least


def _check(
    genuine: Doubles,
    impostor: Doubles,
    targets: Sequence[float],
    replicates: int,
    least_errors: int,
) -> None:
    if not all(0 < target < 1 for target in targets):
        raise InputError("a false accept rate is out of range", received=targets, expected="0..1")
    if replicates < 1 or least_errors < 1:
        raise InputError(
            "the bootstrap needs replicates, and a figure errors to rest on",
            received=f"{replicates} replicates, {least_errors} errors",
            expected="1 or more",
        )
    if np.isnan(genuine).any() or np.isnan(impostor).any():
        raise InputError("a score is not a number")
