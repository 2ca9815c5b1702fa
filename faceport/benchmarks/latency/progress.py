"""How far a measurement is, and how long it will take."""

from __future__ import annotations

from dataclasses import dataclass

from faceport.benchmarks.latency.results import Settings

AROUND = 2.0
"""Seconds that a process takes around its timed runs, as a first guess."""


@dataclass
class Progress:
    """Counts processes.

    Attributes:
        total: processes to run.
        settings: that say how long one times at least.
        done: how many are finished or were left out.
        seconds: that the measured ones took.
        measured: how many of them there are.
    """

    total: int
    settings: Settings
    done: int = 0
    seconds: float = 0.0
    measured: int = 0

    def add(self, seconds: float) -> None:
        """Count a process that took so long."""
        self.done += 1
        self.measured += 1
        self.seconds += seconds

    def skip(self) -> None:
        """Count a process that is not needed."""
        self.done += 1

    def estimate(self) -> str:
        """Say beforehand how long it may take."""
        least = self.total * (self.settings.seconds + AROUND)
        return (
            f"{self.total} processes to run, about {duration(least)} "
            "(more with slow models or large batches)"
        )

    def left(self) -> str:
        """Say how much time is left."""
        guess = self.settings.seconds + AROUND
        each = self.seconds / self.measured if self.measured else guess
        return f"about {duration((self.total - self.done) * each)} left"


def duration(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
