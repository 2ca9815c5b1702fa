"""How far a command over many pictures is, on stderr: a bar, or a line now and then in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faceport.commands.output import note

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY = 10.0
"""Seconds between two lines in a pipe."""


@dataclass(eq=False)
class Screen:
    """Tells what is being done and how many pictures are.

    Attributes:
        quiet: whether to tell nothing.
        bar: on a terminal; None in a pipe.
        started: when the pictures began, seconds of `time.monotonic`.
        told: when the last line was written.
    """

    quiet: bool
    bar: Progress | None = None
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Name the next step."""
        self.started = self.told = time.monotonic()
        if self.bar is not None:
            self.bar.update(
                self.bar.task_ids[0], description=text, completed=0, total=None, rate=""
            )
        elif not self.quiet:
            note(f"{text} …")

    def pictures(self, done: int, total: int) -> None:
        """Tell how many pictures are done, how fast, and how long the rest will take."""
        now = time.monotonic()
        rate = f"{done / max(now - self.started, 1e-9):.1f} pictures/s"
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=done, total=total, rate=rate)
            return
        if self.quiet or done >= total or now - self.told < EVERY:
            return
        self.told = now
        left = (now - self.started) / done * (total - done)
        note(f"  {done} of {total} pictures, {rate}, about {_duration(left)} left")


@contextmanager
def screen(quiet: bool) -> Iterator[Screen]:
    """Give a screen; what it shows on a terminal is gone at the end."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal:
        yield Screen(quiet)
        return
    text = TextColumn("{task.description}", markup=False)
    rate = TextColumn("{task.fields[rate]}")
    counts = (MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(
        SpinnerColumn(), text, BarColumn(), *counts, console=console, transient=True
    ) as bar:
        bar.add_task("starting", total=None, rate="")
        yield Screen(quiet, bar)


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{seconds / 60:.0f} min"
