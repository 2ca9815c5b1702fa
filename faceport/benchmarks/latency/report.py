"""`report.md`: the figures of one `faceport bench` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from faceport.atomic import atomic_file
from faceport.benchmarks.latency.cases import threads_text
from faceport.benchmarks.latency.document import Results, busy_text
from faceport.benchmarks.latency.rows import (
    CASE_HEADER,
    case_rows,
    fastest_first,
    number,
    problem_rows,
    stage_table,
)
from faceport.errors import InputError

REPORT = "report.md"
READING = """\
Times are of one run, that is of a whole batch, one run after another. Percentiles are nearest
ranks over the runs of all processes of a case together; p99 is given from 100 runs on. Pictures/s
is batch over mean time, nothing running in parallel. Load is from the engine's import to the
session being ready; first is the first run, before warming up; peak is the process's resident
memory (not the GPU's) with interpreter, numpy and engine. Cosine loss is 1 - the lowest cosine of a
picture's outputs with those of the fp32 reference, on what was fed; 0 stands for less than 1e-7.
`not steady`: the warm-up of 100 runs or 5 seconds ended with the runs still getting faster."""


def write_report(folder: Path, results: Results, plots: Sequence[str]) -> Path:
    """Write `report.md` into a folder and return its path.

    Args:
        folder: that has the plots too.
        results: to report.
        plots: files in the folder.

    Raises:
        InputError: the folder can't be written.
    """
    target = folder / REPORT
    with atomic_file(target, InputError) as partial:
        partial.write_text("\n".join(_lines(results, plots)) + "\n", encoding="utf-8")
    return target


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table's lines."""
    return [_line(header), _line(["---"] * len(header)), *map(_line, rows)]


def _lines(results: Results, plots: Sequence[str]) -> Iterator[str]:
    subject, settings = results.subject, results.settings
    yield f"# Latency of {subject.name}"
    yield ""
    yield f"`{subject.bundle.name}`, fingerprint `{subject.fingerprint[:16]}`, fed {subject.fed}."
    yield (
        f"Each case: {settings.rounds} fresh processes in rounds of shuffled order, each warmed up "
        f"and timed for at least {settings.runs} runs and {settings.seconds:g} s (at most "
        f"{settings.longest:g} s). Measured {results.created} with faceport "
        f"{results.faceport_version}."
    )
    yield ""
    yield from (f"- {line}" for line in results.environment.lines())
    if busy := busy_text(results):
        yield from ("", f"**Warning: {busy}.**")
    yield from _section("Cases", markdown_table(CASE_HEADER, case_rows(results)))
    yield from ("", READING)
    if problems := problem_rows(results):
        table = markdown_table(("session", "artefact", "why not"), problems)
        yield from _section("Not measured", table)
    for name in plots:
        yield from ("", f"![{name.removesuffix('.png')}]({name})")
    yield from _stages(results)
    yield from _bounds(results)


def _stages(results: Results) -> Iterator[str]:
    if not results.stages:
        return
    header, rows = stage_table(results.stages)
    faces = max(one.faces for one in results.stages)
    yield from _section("Stages of the pipeline", markdown_table(header, rows) if rows else [])
    yield from ("", f"fp32 artefacts, {faces} faces, medians; stages taken in turn in one process.")
    yield from (f"- {one.session}: {one.problem}" for one in results.stages if one.problem)


def _bounds(results: Results) -> Iterator[str]:
    bounds = results.bounds
    if not bounds.limits and not bounds.problems:
        return
    limits = [
        f"- {threads_text(item.threads)}: float32 matrix products {item.flops / 1e9:.1f} GFLOP/s "
        f"({item.flops / 2e9:.1f} GMAC/s), memory {item.bytes_per_second / 1e9:.1f} GB/s"
        for item in bounds.limits
    ]
    yield from _section("Physical limit", limits)
    by_key = {bound.key: bound for bound in bounds.cases}
    rows = []
    for result in fastest_first(results.cases):
        bound, case = by_key.get(result.case.key), result.case
        if bound is not None and result.timing is not None:
            rows.append(
                (
                    *(case.session.label, case.artefact, str(case.batch), str(case.threads or "–")),
                    *(f"{bound.work.macs / 1e6:.1f}", f"{bound.work.bytes / 1e6:.2f}"),
                    *(number(bound.least_ms), number(result.timing.p50_ms), f"{bound.share:.0%}"),
                )
            )
    header = ("session", "artefact", "batch", "threads", "million MACs", "MB to move")
    yield ""
    yield from markdown_table((*header, "least ms", "p50 ms", "share"), rows)
    yield from (
        "",
        "MACs are counted from the graph (convolutions and matrix products). Least is the longer "
        "of its sums at the measured rate and its weights, input and output at the measured "
        "bandwidth. The rate is numpy's float32: bf16 and int8 have units of their own and may "
        "pass it; so may float32 where the machine was busy while its limits were measured.",
    )
    yield from (f"- no limit for {problem}" for problem in bounds.problems)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", *(lines or ["None."]))


def _line(cells: Sequence[str]) -> str:
    plain = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(plain)} |"
