"""Cases measured in rounds, so that a noisy machine hits all alike; what is finished is on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.results import CaseResult, Settings

Say = Callable[[str], None]
"""Takes a line about what is being done."""


def measure_cases(
    cases: Sequence[Case],
    settings: Settings,
    folder: Path,
    *,
    inputs: Mapping[Path, Path] | None = None,
    resume: bool = True,
    say: Say | None = None,
) -> list[CaseResult]:
    """Measure cases, each in fresh processes, and return one result a case, in their order.

    In a round every case has one process, in an order shuffled by the seed. Each finished round is
    in `folder/cases/` at once, and a later call with the same settings does what is missing. A case
    that fails has a `problem`, is left alone for the rest of the call and tried again by the next.

    Args:
        cases: what to measure.
        settings: how much.
        folder: made if need be.
        inputs: bundle folder to an NPZ file like its `proof.npz`, with the pictures to feed; where
            there is none, the bundle's proof is fed.
        resume: False starts over.
        say: told what is being done, and how long it will take.

    Raises:
        InputError: the folder can't be written.
    """
    raise NotImplementedError
