"""The report of a suite: every run and artefact in one table, with plots across the runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from faceport.benchmarks.accuracy.figures import COLORS, new_figure, save_figure, shortened
from faceport.benchmarks.accuracy.markdown import cell, markdown_table
from faceport.benchmarks.accuracy.plots import Point, plot_latency
from faceport.benchmarks.accuracy.report import REPORT, RESULTS, write_text
from faceport.benchmarks.accuracy.results import ArtefactResult, Evaluation
from faceport.benchmarks.accuracy.suite.running import Done
from faceport.benchmarks.accuracy.tables import (
    Table,
    accuracy_text,
    lowest_supported,
    not_run,
    percent,
)
from faceport.codec import encode

COLUMNS = (
    *("bundle", "set", "detector", "settings", "artefact", "accuracy", "EER", "TAR@FAR"),
    *("rank-1", "1 - cosine", "p", "ms", "no face"),
)
NOTE = (
    "1 - cosine, p: mean loss of the vectors, and McNemar's test of the decisions, against the "
    "run's reference. ms: one crop to its vector; artefacts of one run take turns, runs do not."
)
ACCURACY = "accuracy.png"
LABEL_LENGTH = 70


def write_suite(done: Sequence[Done], folder: Path, title: str, *, plots: bool = True) -> None:
    """Write `results.json`, `report.md` and the plots of a suite.

    Raises:
        InputError: the folder can't be written.
        MissingDependencyError: matplotlib is not installed.
    """
    pictures = _draw(done, folder, title) if plots else []
    lines = [f"# {cell(title)}", "", f"{len(done)} runs, {_failed(done)} of them failed.", ""]
    lines += [*markdown_table(suite_table(done)), "", NOTE]
    if reasons := failures(done):
        lines += ["", "## Not run", "", *(f"- {cell(line)}" for line in reasons)]
    for name in pictures:
        lines += ["", f"![{cell(name.removesuffix('.png'))}]({name})"]
    machine = next((one.evaluation.machine for one in done if one.evaluation), None)
    if machine is not None:
        lines += ["", "## Machine", "", *(f"- {cell(line)}" for line in machine.lines())]
    write_text(folder / REPORT, "\n".join(lines) + "\n")
    write_text(folder / RESULTS, json.dumps(suite_json(done), indent=1, allow_nan=False) + "\n")


def suite_json(done: Sequence[Done]) -> list[dict[str, object]]:
    """Return every run with its settings, its file or its problem; the figures are in the files."""
    return [
        {"run": encode(one.run), "file": one.file, "problem": one.problem, "resumed": one.resumed}
        for one in done
    ]


def suite_table(done: Sequence[Done]) -> Table:
    """Return a row for every artefact of every run, and one for every run that failed."""
    rows = []
    for one in done:
        run = one.run
        head = (run.bundle, run.listing, run.detector, run.variant)
        if one.evaluation is None:
            rows.append((*head, f"failed: {one.problem}", *[""] * (len(COLUMNS) - 5)))
            continue
        for artefact in one.evaluation.artefacts:
            rows.append((*head, artefact.label, *_figures(one.evaluation, artefact)))
    return Table(COLUMNS, tuple(rows))


def failures(done: Sequence[Done]) -> list[str]:
    """Return which run, or artefact of a run, has no figures, and why, one line each."""
    lines = []
    for one in done:
        if one.evaluation is None:
            lines.append(f"{one.run.label}: {one.problem}")
        else:
            lines += [f"{one.run.label}: {line}" for line in not_run(one.evaluation)]
    return lines


def _failed(done: Sequence[Done]) -> int:
    return sum(one.evaluation is None for one in done)


def _figures(evaluation: Evaluation, one: ArtefactResult) -> tuple[str, ...]:
    if one.verification is None:
        return ("not run", *[""] * 7)
    far = lowest_supported(evaluation)
    tar = next((p.tar for p in one.verification.points if p.target == far), None)
    eer = one.verification.eer
    return (
        accuracy_text(one),
        percent(None if eer is None else eer.rate),
        "–" if far is None else f"{percent(tar)} at {far:.0e}",
        percent(one.identification.rank1 if one.identification else None),
        "reference" if one.loss is None else f"{one.loss.mean:.1e}",
        "" if one.change is None else f"{one.change.p_value:.2g}",
        "–" if one.p50_ms is None else f"{one.p50_ms:.2f}",
        f"{len(evaluation.listed.problems)} of {evaluation.listed.pictures}",
    )


def _draw(done: Sequence[Done], folder: Path, title: str) -> list[str]:
    points = _points(done)
    drawn = []
    if points:
        _plot_accuracy(points, folder / ACCURACY, title)
        drawn.append(ACCURACY)
    for number, listing in enumerate(dict.fromkeys(name for name, _ in points), 1):
        timed = [point for name, point in points if name == listing and point.milliseconds > 0]
        if timed:
            name = f"latency-{number}.png"
            heading = f"{title}: {listing}"
            plot_latency(timed, folder / name, heading, "accuracy, with its deviation over folds")
            drawn.append(name)
    return drawn


def _points(done: Sequence[Done]) -> list[tuple[str, Point]]:
    """Return each artefact that has an accuracy, with the name of its set; 0 ms: not measured."""
    points = []
    for one in done:
        for artefact in one.evaluation.artefacts if one.evaluation else ():
            accuracy = artefact.verification.accuracy if artefact.verification else None
            if accuracy is not None:
                run = one.run
                label = " · ".join(x for x in (run.bundle, run.variant, artefact.label) if x)
                point = Point(label, artefact.p50_ms or 0.0, accuracy.mean, accuracy.std)
                points.append((run.listing, point))
    return points


def _plot_accuracy(points: Sequence[tuple[str, Point]], target: Path, title: str) -> None:
    """Draw every artefact's accuracy, a line each, grouped and coloured by set."""
    listings = list(dict.fromkeys(name for name, _ in points))
    ordered = [(n, p) for listing in listings for n, p in points if n == listing]
    figure = new_figure(9.0, 1.4 + 0.24 * len(ordered))
    axis = figure.subplots()
    for number, listing in enumerate(listings):
        rows = [row for row, (name, _) in enumerate(ordered) if name == listing]
        values = [100 * ordered[row][1].value for row in rows]
        errors = [100 * ordered[row][1].error for row in rows]
        color = COLORS[number % len(COLORS)]
        axis.errorbar(values, rows, xerr=errors, fmt="o", color=color, capsize=3, label=listing)
    names = [shortened(point.label, LABEL_LENGTH) for _, point in ordered]
    axis.set_yticks(range(len(ordered)), names, fontsize=7, parse_math=False)
    axis.set_ylim(len(ordered) - 0.5, -0.5)
    low = min(100 * (point.value - point.error) for _, point in points)
    high = max(100 * (point.value + point.error) for _, point in points)
    axis.set_xlim(low - max(0.1 * (high - low), 0.5), high + max(0.1 * (high - low), 0.5))
    axis.set_xlabel("accuracy, with its deviation over folds (%)")
    axis.grid(alpha=0.3)
    axis.ticklabel_format(axis="x", useOffset=False)
    figure.suptitle(title, fontsize=11, parse_math=False)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8)
    save_figure(figure, target)
