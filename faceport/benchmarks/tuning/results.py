"""What tuning measures and decides: frozen, and JSON by `codec`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceport.benchmarks.latency.results import Absent
from faceport.benchmarks.tuning.setups import Setup
from faceport.errors import InputError
from faceport.runtime.device_file import DeviceFile

Objective = Literal["latency", "throughput"]


@dataclass(frozen=True)
class Goal:
    """What is wanted.

    Attributes:
        max_cosine_loss: 1 - the lowest cosine that an embedding may have with the fp32 one.
        objective: `latency` is the median of one picture alone, `throughput` the time a picture
            takes in the best batch.
    """

    max_cosine_loss: float
    objective: Objective = "latency"

    def __post_init__(self) -> None:
        if not 0 <= self.max_cosine_loss <= 2:
            raise InputError(
                "the cosine loss that is allowed",
                received=self.max_cosine_loss,
                expected="0 to 2; 0.001 is hardly ever noticed",
            )


@dataclass(frozen=True)
class BatchTime:
    """Median time of a run of a batch in the best round, milliseconds."""

    batch: int
    p50_ms: float

    @property
    def picture_ms(self) -> float:
        """Time a picture takes."""
        return self.p50_ms / self.batch


@dataclass(frozen=True)
class Candidate:
    """A way to run a bundle, and what came of it.

    Attributes:
        setup: the way.
        times: by batch; empty where it did not run.
        loss: 1 - the lowest cosine; None where it was not measured.
        final: whether it was measured to the end.
        out: why it is not eligible; empty where it is.
    """

    setup: Setup
    times: tuple[BatchTime, ...] = ()
    loss: float | None = None
    final: bool = False
    out: str = ""

    @property
    def best(self) -> BatchTime:
        """The batch in which a picture takes least."""
        return min(self.times, key=lambda time: time.picture_ms)

    def value(self, objective: Objective) -> float:
        """Return the milliseconds that count; infinite for one that did not run."""
        if not self.times:
            return float("inf")
        if objective == "throughput":
            return self.best.picture_ms
        return min(self.times, key=lambda time: time.batch).p50_ms


@dataclass(frozen=True)
class Tuning:
    """What came of one bundle.

    Attributes:
        bundle: folder.
        task: `embedder` or `detector`.
        objective: that its candidates were ranked by; beside a detector, an embedder's is
            `throughput`: what a face takes among the others of its picture.
        measured_on: what the loss was measured on.
        default: what runs without a device file; None where nothing would.
        candidates: all others, the fastest first, those that are out last.
        absent: what could not even be tried.
        chosen: the fastest within the limit.
        file: as it is written; None where it was not.
    """

    bundle: Path
    task: str
    objective: Objective
    measured_on: str
    default: Candidate | None
    candidates: tuple[Candidate, ...]
    absent: tuple[Absent, ...]
    chosen: Candidate
    file: DeviceFile | None = None


@dataclass(frozen=True)
class Combination:
    """A detector's and an embedder's setup in one process.

    Attributes:
        detector: of the pair; likewise the embedder.
        batch: most faces a run of the embedder.
        p50_ms: of a decoded picture: detect, align, embed; the median of the best round.
        rounds: processes measured.
        loss: 1 - the lowest cosine of an embedding with the default pair's.
        out: why it is not eligible; empty where it is.
    """

    detector: Setup
    embedder: Setup
    batch: int | None
    p50_ms: float | None = None
    rounds: int = 0
    loss: float | None = None
    out: str = ""


@dataclass(frozen=True)
class Tuned:
    """What came of a call.

    Attributes:
        goal: what was wanted.
        models: one record a bundle that was tuned.
        default: the pair as it runs without device files; None for one bundle alone.
        combinations: pairs, the fastest first; empty for one bundle alone.
    """

    goal: Goal
    models: tuple[Tuning, ...]
    default: Combination | None = None
    combinations: tuple[Combination, ...] = ()
