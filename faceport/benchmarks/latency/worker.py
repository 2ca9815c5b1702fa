"""One case in this process: load, first run, warm-up, timed runs, memory, distance from fp32.

    python -m faceport.benchmarks.latency.worker < job.json

The habits are those of MLPerf's single-stream scenario: one run after another, each timed by
itself, for at least so many runs and so many seconds
(https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc).
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.inputs import read_inputs, repeated
from faceport.benchmarks.latency.processes import speak_json
from faceport.benchmarks.latency.results import Round, Settings
from faceport.bundle import Bundle
from faceport.codec import decode, encode
from faceport.errors import FaceportError
from faceport.runtime import parity
from faceport.runtime.sessions import open_session
from faceport.runtime.sessions.base import batch_limit, limited

WINDOW = 5
"""Runs whose median is compared with that of as many before."""
STILL_FASTER = 0.98
"""Below this share of the earlier median, the runs are still getting faster."""
WARM_UP_RUNS = 100
WARM_UP_SECONDS = 5.0
"""Limits of a warm-up that does not get steady."""

Run = Callable[[], object]


@dataclass(frozen=True)
class Job:
    """What a worker is given: the case, the NPZ file to feed, and how much to measure."""

    case: Case
    inputs: Path
    settings: Settings


@dataclass(frozen=True)
class Answer:
    """What a worker gives back: a round, or why there is none."""

    round: Round | None = None
    problem: str = ""


def measure(job: Job) -> Round:
    """Measure a case in this process; meant to be all that the process does.

    Raises:
        FaceportError: the artefact does not load, does not run, or gives nothing to compare.
    """
    case = job.case
    bundle = Bundle.open(case.bundle)
    inputs, reference = read_inputs(job.inputs, bundle.spec)
    batch = repeated(inputs, case.batch)
    base = peak_memory_mb()
    start = time.perf_counter()
    options = case.session.options(case.threads)
    session = open_session(case.bundle / case.artefact, case.session.backend, options)
    load_ms = (time.perf_counter() - start) * 1e3
    with closing(session):
        feeds = {session.inputs[0].name: batch}

        def run() -> object:
            return session.run(feeds)

        first_ms = _timed(run)
        warm_up_runs, steady = warm_up(run)
        times = timed_runs(run, job.settings)
        peak = peak_memory_mb()
        spec = limited(bundle.spec, batch_limit(session))
        records = parity.measure(session, spec, inputs, reference)
        provider = session.provider
    lowest = min(record.min_cosine for record in records)
    mean = min(r.min_cosine if r.mean_cosine is None else r.mean_cosine for r in records)
    return Round(
        tuple(times),
        load_ms,
        first_ms,
        warm_up_runs,
        steady,
        base,
        peak,
        provider,
        max(0.0, 1 - lowest),
        max(0.0, 1 - mean),
    )


def warm_up(run: Run) -> tuple[int, bool]:
    """Run until the median of the last 5 runs is no longer 2 % below that of the 5 before.

    Returns:
        How many runs that took, and whether it came to that before 100 runs or 5 seconds.
    """
    times: list[float] = []
    end = time.perf_counter() + WARM_UP_SECONDS
    while len(times) < WARM_UP_RUNS and time.perf_counter() < end:
        times.append(_timed(run))
        if len(times) >= 2 * WINDOW:
            last, before = times[-WINDOW:], times[-2 * WINDOW : -WINDOW]
            if statistics.median(last) >= STILL_FASTER * statistics.median(before):
                return len(times), True
    return len(times), False


def timed_runs(run: Run, settings: Settings) -> list[float]:
    """Return the time of each run in milliseconds: as many as the settings ask for."""
    times: list[float] = []
    start = time.perf_counter()
    while True:
        times.append(_timed(run))
        spent = time.perf_counter() - start
        enough = len(times) >= settings.runs and spent >= settings.seconds
        if enough or spent >= settings.longest:
            return times


def peak_memory_mb() -> float | None:
    """Return this process's peak resident memory so far, 10^6 bytes; None off Linux."""
    # Not ru_maxrss: a process begins with the peak of the one that started it.
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 / 1e6 if found else None


def _timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Answer the job on stdin with a round, or a problem, on stdout."""
    with speak_json() as answer:
        job = decode(Job, json.load(sys.stdin))
        try:
            given = Answer(measure(job))
        except FaceportError as error:
            given = Answer(problem=str(error))
        answer(encode(given))


if __name__ == "__main__":
    main()
