"""What a latency measurement is asked and what it gives: frozen, JSON both ways by `codec`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from faceport.benchmarks.latency.cases import Case
from faceport.errors import InputError, SpecError


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        rounds: fresh processes a case; in a round every case has one, in an order of its own.
        runs: least timed runs a process.
        seconds: least time of them together.
        longest: seconds after which a process stops timing even with fewer `runs`; a table says how
            many there were.
        timeout: seconds after which a process is given up, loading and warming up included.
        seed: of the order.
    """

    rounds: int = 3
    runs: int = 40
    seconds: float = 1.0
    longest: float = 20.0
    timeout: float = 300.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "runs"):
            if getattr(self, name) < 1:
                raise InputError(name, received=getattr(self, name), expected="1 or more")
        if not 0 <= self.seconds <= self.longest <= self.timeout < math.inf:
            raise InputError(
                "seconds, longest and timeout contradict each other",
                received=f"{self.seconds:g}, {self.longest:g}, {self.timeout:g}",
                expected="0 or more, each at least the one before",
            )


@dataclass(frozen=True)
class Round:
    """What one fresh process measured of a case.

    Attributes:
        times_ms: of every timed run, in order.
        load_ms: from the engine's import to the session being ready.
        first_ms: of the first run.
        warm_up_runs: untimed runs after the first.
        steady: whether they had stopped getting faster when timing began.
        base_mb: peak resident memory before the engine is imported, 10^6 bytes; None where the
            system does not tell.
        peak_mb: the same after the timed runs. Memory of a GPU is in neither.
        provider: what really ran, by faceport's short name.
        cosine_loss: 1 - the lowest cosine of a picture's outputs with the fp32 reference.
        mean_cosine_loss: 1 - the mean of these cosines.
    """

    times_ms: tuple[float, ...]
    load_ms: float
    first_ms: float
    warm_up_runs: int
    steady: bool
    base_mb: float | None
    peak_mb: float | None
    provider: str
    cosine_loss: float
    mean_cosine_loss: float

    def __post_init__(self) -> None:
        _check_times(self.times_ms)


@dataclass(frozen=True)
class Timing:
    """A case's rounds in short.

    Percentiles are nearest ranks over the runs of all rounds together: `p90_ms` is the shortest
    time that 90 % of the runs kept.

    Attributes:
        rounds: how many processes.
        runs: timed runs of all of them.
        p50_ms: of a run, that is of a whole batch; so are the others.
        p90_ms: see above.
        p99_ms: None below 100 runs, which do not support it.
        mean_ms: of all runs.
        round_p50_ms: median of each round; how far they lie apart is the noise.
        pictures_per_second: batch / mean time: one run after another, with none in parallel.
        load_ms: median of the rounds.
        first_ms: median of the rounds.
        base_mb: median of the rounds.
        peak_mb: highest of the rounds.
        steady: whether every round's warm-up ended steady.
        provider: what really ran.
    """

    rounds: int
    runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float | None
    mean_ms: float
    round_p50_ms: tuple[float, ...]
    pictures_per_second: float
    load_ms: float
    first_ms: float
    base_mb: float | None
    peak_mb: float | None
    steady: bool
    provider: str

    def __post_init__(self) -> None:
        _check_times((self.p50_ms, self.p90_ms, self.mean_ms))
        _check_times(self.round_p50_ms)


def _check_times(times: Sequence[float]) -> None:
    """Refuse what no clock gives, and nothing could be divided by."""
    if not times or min(times) <= 0:
        raise SpecError("times", received=list(times[:3]), expected="one or more above 0")


@dataclass(frozen=True)
class CaseResult:
    """What came of one case: figures, or the reason that there are none.

    Attributes:
        case: what was measured.
        size_bytes: of the artefact.
        timing: None where there is a `problem`.
        cosine_loss: 1 - the lowest cosine with the fp32 reference, over the pictures that were fed;
            the worst of the rounds. None where there is a `problem`.
        mean_cosine_loss: 1 - the mean of these cosines, likewise.
        problem: why the case has no figures; empty where it has.
    """

    case: Case
    size_bytes: int
    timing: Timing | None = None
    cosine_loss: float | None = None
    mean_cosine_loss: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Absent:
    """Cases that could not even be tried, and why: one for all of a session, or of an artefact.

    Attributes:
        session: label of the session.
        artefact: file in the bundle; empty for all.
        problem: why.
    """

    session: str
    artefact: str
    problem: str
