"""Each case's share of what the machine can do: arithmetic of the graph against measured limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.planning import CPU
from faceport.benchmarks.latency.results import CaseResult
from faceport.benchmarks.machine.limits import Limits, measure_limits
from faceport.benchmarks.machine.macs import Work, count_macs
from faceport.bundle import Bundle
from faceport.errors import FaceportError

ONNX = "onnx"


@dataclass(frozen=True)
class Bound:
    """The physical limit of one case.

    Attributes:
        key: of the case.
        work: its arithmetic and the bytes that it must move.
        least_ms: time below which the machine's float32 limits do not let it come.
        share: least_ms / p50. Above 1 where lower precision or a sparser graph is faster than
            float32 can be.
    """

    key: str
    work: Work
    least_ms: float
    share: float


@dataclass(frozen=True)
class Bounds:
    """The machine's limits, each case's share of them, and why some have none."""

    limits: tuple[Limits, ...] = ()
    cases: tuple[Bound, ...] = ()
    problems: tuple[str, ...] = ()


def measured_limits(cases: Sequence[Case], cores: int) -> tuple[Limits, ...]:
    """Measure the machine for each thread count of the cases on the CPU, fewest first.

    Args:
        cases: that are measured.
        cores: how many threads an engine takes by itself.

    Raises:
        SessionError: a measuring process failed.
    """
    counts = {case.threads or cores for case in cases if case.session.provider == CPU}
    return tuple(map(measure_limits, sorted(counts)))


def best_limits(tries: Sequence[Sequence[Limits]]) -> tuple[Limits, ...]:
    """Return the best of several measurements: a busy moment must not pass for the limit.

    With more threads a machine can do at least what it can with fewer.
    """
    best: dict[int, Limits] = {}
    for one in sorted((one for tried in tries for one in tried), key=lambda one: one.threads):
        able = [*best.values(), one]
        best[one.threads] = Limits(
            one.threads,
            max(limits.flops for limits in able),
            max(limits.bytes_per_second for limits in able),
        )
    return tuple(best.values())


def bounds_of(
    results: Sequence[CaseResult],
    limits: Sequence[Limits],
    cores: int,
    sizes: Mapping[Path, tuple[int, int]],
) -> Bounds:
    """Count the work of the cases and compare it with the machine's limits.

    Args:
        results: those on the CPU and with figures get a bound.
        limits: of the thread counts of the cases.
        cores: how many threads an engine takes by itself.
        sizes: height and width of the input that each bundle was fed, by its folder.
    """
    problems: dict[str, None] = {}
    works: dict[tuple[Path, str, int], Work | None] = {}
    found = []
    for result in results:
        case = result.case
        if result.timing is None or case.session.provider != CPU:
            continue
        limit = next((one for one in limits if one.threads == (case.threads or cores)), None)
        place = (case.bundle, case.artefact, case.batch)
        if place not in works:
            works[place] = _work(case, sizes[case.bundle], problems)
        work = works[place]
        if limit and work:
            share = limit.share(work, result.timing.p50_ms / 1e3)
            found.append(Bound(case.key, work, limit.least_seconds(work) * 1e3, share))
    return Bounds(tuple(limits), tuple(found), tuple(problems))


def _work(case: Case, size: tuple[int, int], problems: dict[str, None]) -> Work | None:
    """Count the ONNX file of the case, or the one that stands for an artefact of another format."""
    try:
        file = _graph_of(case)
        if file is None:
            problems[f"{case.artefact}: no ONNX artefact of that model to count"] = None
            return None
        return count_macs(file, case.batch, *size)
    except FaceportError as error:
        problems[f"{case.artefact}: {error}"] = None
    return None


def _graph_of(case: Case) -> Path | None:
    if case.format == ONNX:
        return case.bundle / case.artefact
    graphs = [a for a in Bundle.open(case.bundle).manifest.artefacts if a.format == ONNX]
    graphs.sort(key=lambda a: (a.precision != case.precision, a.precision != "fp32"))
    return case.bundle / graphs[0].file.path if graphs else None
