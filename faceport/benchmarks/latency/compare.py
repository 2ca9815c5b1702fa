"""Two results of `faceport bench` against each other, case by case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faceport.benchmarks.latency.cases import threads_text
from faceport.benchmarks.latency.document import Results, busy_text
from faceport.benchmarks.latency.results import CaseResult, Timing
from faceport.benchmarks.machine.environment import Machine

Name = tuple[str, str, int, int]
"""Of a case, whatever the artefact's bytes: artefact, session, threads (0: the engine's), batch."""

HARDWARE = ("device", "architecture", "cpu", "cores", "gpus", "board", "power_mode")
"""Fields of a `Machine` without which times do not compare."""


@dataclass(frozen=True)
class Ratio:
    """One case in both results.

    Attributes:
        case: in words.
        before_ms: p50 of the first.
        after_ms: p50 of the second.
        ratio: after / before; below 1 is faster now.
        noise: the largest ratio of two rounds' medians of the same case in the same results. A
            ratio closer to 1 than that says nothing.
    """

    case: str
    before_ms: float
    after_ms: float
    ratio: float
    noise: float


@dataclass(frozen=True)
class Comparison:
    """What two results have in common, and what they have not.

    Attributes:
        ratios: slowest first.
        failed: cases with figures in the first and a problem in the second, with the problem; also
            where their session is not there any more.
        only_before: cases with figures in the first that the second was not asked for.
        only_after: cases with figures in the second alone.
        warnings: reasons why the times may not compare: another machine, another model.
        notes: what else differs, which may be what is being compared: versions, settings.
    """

    ratios: tuple[Ratio, ...]
    failed: tuple[tuple[str, str], ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def slower(self, limit: float) -> tuple[Ratio, ...]:
        """Return the cases whose ratio is above a limit."""
        return tuple(ratio for ratio in self.ratios if ratio.ratio > limit)


def compare_results(before: Results, after: Results) -> Comparison:
    """Compare the second results with the first."""
    old = {_name(result): result for result in before.cases}
    new = {_name(result): result for result in after.cases}
    ratios, failed = [], []
    for name, result in old.items():
        if result.timing is None:
            continue
        later = new.get(name)
        if later is not None and later.timing is not None:
            ratios.append(_ratio(name, result.timing, later.timing))
        elif problem := later.problem if later else _absence(name, after):
            failed.append((_text(name), problem))
    return Comparison(
        tuple(sorted(ratios, key=lambda ratio: -ratio.ratio)),
        tuple(failed),
        tuple(
            _text(name)
            for name, r in old.items()
            if r.timing and name not in new and not _absence(name, after)
        ),
        tuple(_text(n) for n, r in new.items() if r.timing and not _has_figures(old.get(n))),
        tuple(_warnings(before, after)),
        tuple(_notes(before, after)),
    )


def _absence(name: Name, results: Results) -> str:
    """Return why a case was asked for and could not be tried; empty where it was not asked for."""
    artefact, session, _, _ = name
    for one in results.absent:
        if one.session == session and one.artefact in ("", artefact):
            return one.problem
    return ""


def _has_figures(result: CaseResult | None) -> bool:
    return result is not None and result.timing is not None


def _ratio(name: Name, before: Timing, after: Timing) -> Ratio:
    noise = max(max(t.round_p50_ms) / min(t.round_p50_ms) for t in (before, after))
    return Ratio(_text(name), before.p50_ms, after.p50_ms, after.p50_ms / before.p50_ms, noise)


def _name(result: CaseResult) -> Name:
    case = result.case
    return case.artefact, case.session.label, case.threads or 0, case.batch


def _text(name: Name) -> str:
    artefact, session, threads, batch = name
    return f"{artefact} in {session}, batch {batch}, {threads_text(threads or None)}"


def _warnings(before: Results, after: Results) -> Iterator[str]:
    for field in HARDWARE:
        old, new = getattr(before.environment, field), getattr(after.environment, field)
        if old != new:
            yield f"measured on different machines: {field} {_plain(old)} | {_plain(new)}"
    for name, results in (("A", before), ("B", after)):
        if busy := busy_text(results):
            yield f"{name}: {busy}"
    if before.subject.name != after.subject.name:
        yield f"different models: {before.subject.name} | {after.subject.name}"


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(getattr(item, "text", str(item)) for item in value) or "none"
    return "none" if value is None else str(value)


def _notes(before: Results, after: Results) -> Iterator[str]:
    yield from _version_notes(before.environment, after.environment)
    if before.subject.fingerprint != after.subject.fingerprint:
        yield (
            "other weights or preprocessing: fingerprint "
            f"{before.subject.fingerprint[:16]} | {after.subject.fingerprint[:16]}"
        )
    if before.subject.fed != after.subject.fed:
        yield f"fed {before.subject.fed} | {after.subject.fed}"
    for field in ("runs", "seconds", "longest", "rounds"):
        old, new = getattr(before.settings, field), getattr(after.settings, field)
        if old != new:
            yield f"{field} {old:g} | {new:g}"


def _version_notes(before: Machine, after: Machine) -> Iterator[str]:
    if before.python != after.python:
        yield f"Python {before.python} | {after.python}"
    for name in sorted({*before.versions, *after.versions}):
        old, new = before.versions.get(name, "none"), after.versions.get(name, "none")
        if old != new:
            yield f"{name} {old} | {new}"
