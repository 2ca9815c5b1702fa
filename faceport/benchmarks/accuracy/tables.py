"""An evaluation's figures as the cells of tables, for the report and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceport.benchmarks.accuracy.cost import Change
from faceport.benchmarks.accuracy.metrics.identification import OpenSetPoint
from faceport.benchmarks.accuracy.metrics.operating_points import OperatingPoint
from faceport.benchmarks.accuracy.results import ArtefactResult, Evaluation, Spread


@dataclass(frozen=True)
class Table:
    """A table of texts: as many cells a row as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def summary_table(evaluation: Evaluation) -> Table:
    """Return the figures of each artefact next to its latency, one row each."""
    far = lowest_supported(evaluation)
    tar = () if far is None else (f"TAR@FAR {far:.0e}",)
    one_to_n = ("rank-1",) if any(one.identification for one in evaluation.artefacts) else ()
    cosines = "lowest same / highest other"
    columns = ("artefact", "accuracy", "AUC", "EER", *tar, *one_to_n, cosines, "ms", "size")
    rows: list[tuple[str, ...]] = []
    for one in evaluation.artefacts:
        if one.verification is None:
            rows.append((one.label, "not run", *[""] * (len(columns) - 2)))
            continue
        points = {point.target: point for point in one.verification.points}
        rate = () if far is None else (percent(points[far].tar),)
        rank = (percent(one.identification.rank1 if one.identification else None),)
        auc, eer = one.verification.auc, one.verification.eer
        rows.append(
            (
                one.label,
                accuracy_text(one),
                "" if auc is None else f"{auc:.5f}",
                percent(None if eer is None else eer.rate),
                *rate,
                *(rank if one_to_n else ()),
                _spread_text(one.spread),
                "" if one.p50_ms is None else f"{one.p50_ms:.2f}",
                f"{one.size_bytes / 1e6:.2f} MB",
            )
        )
    return Table(columns, tuple(rows))


def cost_table(evaluation: Evaluation) -> Table:
    """Return what each artefact costs and gains against the reference."""
    base = next((one for one in evaluation.artefacts if one.label == evaluation.reference), None)
    changes = ("artefact", "accuracy", "95 % interval", "lost / gained", "p", "flipped")
    columns = (*changes, "1 - cosine: mean", "99 %", "worst", "time", "size")
    rows = []
    for one in evaluation.artefacts:
        if one.loss is None or base is None:
            continue
        loss = one.loss
        figures = (f"{loss.mean:.1e}", f"{loss.p99:.1e}", f"{loss.worst:.1e} {loss.worst_picture}")
        size = f"{one.size_bytes / base.size_bytes:.2f} ×"
        rows.append((one.label, *_change_cells(one.change), *figures, _time_ratio(one, base), size))
    return Table(columns, tuple(rows))


def tar_table(evaluation: Evaluation) -> Table:
    """Return the true accept rate at each false accept rate, with its interval, an artefact a row.

    Rates that the data can't support have no column; `unsupported` says so.
    """
    rows = []
    targets = _targets(evaluation, supported=True)
    for one in evaluation.artefacts:
        if one.verification is not None:
            points = {point.target: point for point in one.verification.points}
            rows.append((one.label, *(_rate(points[target]) for target in targets)))
    heads = tuple(f"FAR {target:.0e}" for target in targets)
    return Table(("artefact", *heads), tuple(rows) if targets else ())


def unsupported(evaluation: Evaluation) -> list[str]:
    """Return which rates have no figure, and why: a line for 1:1, and one for 1:N."""
    lines = []
    for one in evaluation.artefacts:
        if one.verification is not None:
            missing = [p for p in one.verification.points if p.tar is None]
            lines += _refusal("TAR@FAR", [(p.target, p.reason) for p in missing])
        if one.identification is not None:
            points = [p for p in one.identification.points if p.fnir is None]
            lines += _refusal("FNIR@FPIR", [(p.target, p.reason) for p in points])
        if lines:
            break
    return lines


def not_run(evaluation: Evaluation) -> list[str]:
    """Return what was asked for and did not run, and why, one line each."""
    failed = [f"{one.label}: {one.problem}" for one in evaluation.artefacts if one.problem]
    return [*failed, *evaluation.absent]


def identification_table(evaluation: Evaluation) -> Table:
    """Return the 1:N figures, an artefact a row; empty without any."""
    answers = [(one.label, one.identification) for one in evaluation.artefacts]
    found = [(label, answer) for label, answer in answers if answer is not None]
    if not found:
        return Table((), ())
    counted = ("artefact", "gallery", "mated searches", "non-mated", "rank-1", "rank-5")
    targets = [point.target for point in found[0][1].points if point.fnir is not None]
    columns = counted + tuple(f"FNIR@FPIR {target:.0e}" for target in targets)
    rows = []
    for label, answer in found:
        strangers = answer.strangers + (answer.mated if answer.left_out else 0)
        counts = (f"{answer.people} people", f"{answer.mated}", f"{strangers}")
        ranks = (percent(answer.rank1), percent(answer.rank5))
        misses = [_miss(point) for point in answer.points if point.target in targets]
        rows.append((label, *counts, *ranks, *misses))
    return Table(columns, tuple(rows))


def accuracy_text(one: ArtefactResult) -> str:
    """Return `99.12 ± 0.31 %`, or why there is none."""
    accuracy = None if one.verification is None else one.verification.accuracy
    if accuracy is None:
        return "too few pairs"
    return f"{100 * accuracy.mean:.2f} ± {100 * accuracy.std:.2f} %"


def percent(rate: float | None) -> str:
    """Return a rate as people read it; a dash where there is none."""
    return "–" if rate is None else f"{100 * rate:.2f} %"


def lowest_supported(evaluation: Evaluation) -> float | None:
    """Return the lowest false accept rate with a figure; None where there is none."""
    return min(_targets(evaluation, supported=True), default=None)


def _spread_text(spread: Spread | None) -> str:
    if spread is None:
        return ""
    sides = (spread.lowest_genuine, spread.highest_impostor)
    return " / ".join("–" if side is None else f"{side:.3f}" for side in sides)


def _targets(evaluation: Evaluation, *, supported: bool) -> Sequence[float]:
    for one in evaluation.artefacts:
        if one.verification is not None:
            return [p.target for p in one.verification.points if (p.tar is not None) == supported]
    return []


def _change_cells(change: Change | None) -> tuple[str, ...]:
    if change is None:
        return ("too few pairs", "", "", "", "")
    return (
        f"{100 * change.accuracy:+.2f}",
        f"{100 * change.low:+.2f} … {100 * change.high:+.2f}",
        f"{change.lost} / {change.gained}",
        f"{change.p_value:.2g}",
        f"{change.flipped}",
    )


def _time_ratio(one: ArtefactResult, base: ArtefactResult) -> str:
    if one.p50_ms is None or not base.p50_ms:
        return "–"
    return f"{one.p50_ms / base.p50_ms:.2f} ×"


def _rate(point: OperatingPoint) -> str:
    if point.low is None or point.high is None:
        return percent(point.tar)
    return f"{percent(point.tar)} ({100 * point.low:.2f} … {100 * point.high:.2f})"


def _refusal(measure: str, refused: Sequence[tuple[float, str | None]]) -> list[str]:
    if not refused:
        return []
    rates = ", ".join(f"{target:.0e} ({reason})" for target, reason in refused)
    return [f"{measure} that the data can't support: {rates}"]


def _miss(point: OpenSetPoint) -> str:
    if point.low is None or point.high is None:
        return percent(point.fnir)
    return f"{percent(point.fnir)} ({100 * point.low:.2f} … {100 * point.high:.2f})"
