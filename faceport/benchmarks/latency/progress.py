"""How far a measurement is, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.results import Settings

AROUND = 2.0
"""Seconds that a process takes around its timed runs, as a first guess."""


@dataclass
class Progress:
    """Knows what each case's process took, and guesses the rest.

    Attributes:
        settings: that say how long one times at least.
        taken: seconds that the last process of a case took.
    """

    settings: Settings
    taken: dict[Case, float] = field(default_factory=dict)

    def estimate(self, processes: int) -> str:
        """Say beforehand how long it may take."""
        least = processes * (self.settings.seconds + AROUND)
        return (
            f"{processes} processes to run, about {duration(least)} "
            "(more with slow models or large batches)"
        )

    def left(self, rest: Sequence[Case]) -> str:
        """Say how much time is left for the processes of these cases."""
        guess = self.settings.seconds + AROUND
        if self.taken:
            guess = sum(self.taken.values()) / len(self.taken)
        seconds = sum(self.taken.get(case, guess) for case in rest)
        return f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
