"""The rows of the tables that the screen and the report show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faceport.benchmarks.latency.document import Results
from faceport.benchmarks.latency.results import CaseResult, Timing
from faceport.benchmarks.latency.stages import Stages

CASE_HEADER = (
    *("session", "artefact", "batch", "threads", "p50 ms", "p90 ms", "p99 ms", "mean ms"),
    *("pictures/s", "load ms", "first ms", "peak MB", "size MB", "ran on", "cosine loss"),
)
SHORT_HEADER = (
    *("session", "artefact", "batch", "threads", "p50 ms", "p90", "p99", "mean"),
    *("pictures/s", "load", "first", "peak MB", "MB", "loss"),
)
NOT_STEADY = " (not steady)"


def fastest_first(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Sort by batch, then by p50; cases without figures last."""
    return sorted(
        results,
        key=lambda r: (r.timing is None, r.case.batch, r.timing.p50_ms if r.timing else 0.0),
    )


def case_rows(results: Results) -> list[tuple[str, ...]]:
    """Return one row a case that has figures, the fastest of each batch first."""
    return [_row(r, r.timing) for r in fastest_first(results.cases) if r.timing is not None]


def short_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the same for a screen: `SHORT_HEADER`, without the provider."""
    ran_on = CASE_HEADER.index("ran on")
    return [row[:ran_on] + row[ran_on + 1 :] for row in case_rows(results)]


def problem_rows(results: Results) -> list[tuple[str, str, str]]:
    """Return session, artefact and reason of all that has no figures.

    Cases of a session and an artefact that fail alike share a row.
    """
    rows = [(item.session, item.artefact or "all", item.problem) for item in results.absent]
    groups: dict[tuple[str, str, str], list[CaseResult]] = {}
    for result in results.cases:
        if result.problem:
            case = result.case
            key = (case.session.label, case.artefact, result.problem)
            groups.setdefault(key, []).append(result)
    for (session, artefact, problem), found in groups.items():
        batches = ", ".join(dict.fromkeys(str(r.case.batch) for r in found))
        rows.append((session, artefact, f"batch {batches}: {problem}"))
    return rows


def stage_table(stages: Sequence[Stages]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: one column a session, one row a stage."""
    measured = [one for one in stages if not one.problem]
    if not measured:
        return [], []
    header = ["stage, median ms", *(one.session for one in measured)]
    names = [stage.name for stage in measured[0].stages]
    rows = [
        [name, *(f"{one.stages[number].median_ms:.2f}" for one in measured)]
        for number, name in enumerate(names)
    ]
    rows.append(["pipeline: detect, align, embed", *(f"{s.pipeline_ms:.2f}" for s in measured)])
    rows.append(["of it, the two bare runs", *(f"{s.bare_ms:.2f}" for s in measured)])
    rows.append(["overhead", *(f"{s.overhead or 0:.3f}" for s in measured)])
    return header, rows


def number(value: float | None, digits: int = 4) -> str:
    """Return a figure with so many significant digits, a dash where there is none."""
    if value is None:
        return "–"
    if value >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:#.{digits}g}".rstrip(".") if value >= 1e-3 else f"{value:.1e}"


def loss_text(value: float | None) -> str:
    """Return a cosine loss; what float32 can't tell from none is 0."""
    if value is None:
        return "–"
    return "0" if value < 1e-7 else f"{value:.1e}" if value < 1e-3 else f"{value:.4f}"


def _row(result: CaseResult, timing: Timing) -> tuple[str, ...]:
    return tuple(_cells(result, timing))


def _cells(result: CaseResult, timing: Timing) -> Iterator[str]:
    case = result.case
    yield case.session.label + ("" if timing.steady else NOT_STEADY)
    yield case.artefact
    yield str(case.batch)
    yield "engine's" if case.threads is None else str(case.threads)
    for value in (timing.p50_ms, timing.p90_ms, timing.p99_ms, timing.mean_ms):
        yield number(value)
    yield number(timing.pictures_per_second)
    yield number(timing.load_ms)
    yield number(timing.first_ms)
    yield "–" if timing.peak_mb is None else f"{timing.peak_mb:.0f}"
    yield f"{result.size_bytes / 1e6:.1f}"
    yield timing.provider
    yield loss_text(result.cosine_loss)
