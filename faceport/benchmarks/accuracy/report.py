"""The report of an evaluation: `results.json`, `report.md` and the pictures in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from faceport.atomic import atomic_file
from faceport.benchmarks.accuracy.evaluate import Evaluated
from faceport.benchmarks.accuracy.markdown import cell, markdown_table, problem_lines
from faceport.benchmarks.accuracy.panel import draw_panel
from faceport.benchmarks.accuracy.plots import Point, plot_latency, plot_roc, plot_scores
from faceport.benchmarks.accuracy.results import Evaluation
from faceport.benchmarks.accuracy.setting_texts import facts
from faceport.benchmarks.accuracy.tables import (
    cost_table,
    identification_table,
    not_run,
    summary_table,
    tar_table,
    unsupported,
)
from faceport.codec import encode
from faceport.errors import InputError

RESULTS = "results.json"
REPORT = "report.md"
SCORES, ROC, LATENCY, PANEL = "scores.png", "roc.png", "latency.png", "panel.png"


def write_report(evaluated: Evaluated, folder: Path, *, plots: bool = True) -> list[Path]:
    """Write an evaluation into a folder and return the files.

    Args:
        evaluated: what was measured.
        folder: it is there.
        plots: whether to draw the pictures.

    Raises:
        InputError: the folder can't be written.
        MissingDependencyError: matplotlib is not installed.
    """
    pictures = _draw(evaluated, folder) if plots else []
    # What an earlier run drew would stand beside other figures.
    for name in {SCORES, ROC, LATENCY, PANEL} - {path.name for path in pictures}:
        (folder / name).unlink(missing_ok=True)
    data = json.dumps(encode(evaluated.evaluation), indent=1, ensure_ascii=False, allow_nan=False)
    lines = report_lines(evaluated.evaluation, [path.name for path in pictures])
    write_text(folder / RESULTS, data + "\n")
    write_text(folder / REPORT, "\n".join(lines) + "\n")
    return [folder / RESULTS, folder / REPORT, *pictures]


def write_text(target: Path, text: str) -> None:
    """Write a text whole or not at all.

    Raises:
        InputError: the file can't be written.
    """
    with atomic_file(target, InputError) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def report_lines(evaluation: Evaluation, pictures: Sequence[str]) -> list[str]:
    """Return the report in Markdown.

    Args:
        evaluation: the figures.
        pictures: names of the pictures that lie beside the report.
    """
    listed = evaluation.listed
    lines = [f"# {cell(evaluation.model.bundle)} on {cell(listed.name)}", ""]
    lines += [f"- {line}" for line in facts(evaluation)]
    lines += ["", "## Figures", "", *markdown_table(summary_table(evaluation)), ""]
    lines += ["lowest same / highest other: cosines of pairs of one person, and of two."]
    lines += ["ms: median time from one crop to its vector, artefacts in turn in one process."]
    lines += _not_run(evaluation)
    costs = cost_table(evaluation)
    if costs.rows:
        lines += ["", f"## What each artefact costs against {cell(evaluation.reference)}", ""]
        lines += [*markdown_table(costs), "", COST_NOTE]
    lines += ["", "## True accept rate at a false accept rate (95 % bootstrap interval)", ""]
    lines += markdown_table(tar_table(evaluation)) or ["None."]
    lines += ["", "## Identification", "", *_identification(evaluation)]
    if refused := unsupported(evaluation):
        lines += ["", "## Not printed", "", *(f"- {line}" for line in refused)]
    lines += ["", "## Pictures without a crop", "", *problem_lines(listed.problems)]
    for name in pictures:
        lines += ["", f"![{name.removesuffix('.png')}]({name})"]
    return [*lines, "", "## Machine", "", *(f"- {cell(x)}" for x in evaluation.machine.lines())]


COST_NOTE = (
    "accuracy: percentage points, each artefact with its own thresholds, with a paired bootstrap's "
    "interval. lost / gained: pairs that only the reference / only the artefact decides rightly; "
    "p: McNemar's exact test of the two. flipped: decisions that differ if the reference's "
    "threshold is kept. 1 - cosine: of a picture's vector with the reference's."
)


def _not_run(evaluation: Evaluation) -> list[str]:
    lines = [f"- not run: {cell(line)}" for line in not_run(evaluation)]
    return ["", *lines] if lines else []


def _identification(evaluation: Evaluation) -> list[str]:
    table = identification_table(evaluation)
    if not table.rows:
        return [f"None: {cell(evaluation.no_identification)}."]
    kept = "one picture" if evaluation.settings.gallery == "one" else "half of the pictures"
    note = (
        f"Enrolled: {kept} of everybody with two or more, drawn. Non-mated searches: people who "
        "are not enrolled, and each mated search once more with its person left out."
    )
    return [*markdown_table(table), "", note]


def _draw(evaluated: Evaluated, folder: Path) -> list[Path]:
    evaluation = evaluated.evaluation
    title = f"{evaluation.model.bundle} on {evaluation.listed.name}"
    drawn = []
    if any(one.some for one in evaluated.scores):
        plot_scores(evaluated.scores, folder / SCORES, title)
        drawn.append(folder / SCORES)
    if evaluated.scores and all(len(x.genuine) and len(x.impostor) for x in evaluated.scores):
        plot_roc(evaluated.scores, folder / ROC, title)
        drawn.append(folder / ROC)
    points = _points(evaluation)
    if points:
        plot_latency(points, folder / LATENCY, title, "accuracy, with its deviation over the folds")
        drawn.append(folder / LATENCY)
    if evaluated.panel is not None and evaluated.panel.rows:
        panel = evaluated.panel
        heading = f"{title}, {evaluation.reference}: {panel.title}"
        draw_panel(panel.rows, folder / PANEL, heading, panel.note)
        drawn.append(folder / PANEL)
    return drawn


def _points(evaluation: Evaluation) -> list[Point]:
    points = []
    for one in evaluation.artefacts:
        accuracy = None if one.verification is None else one.verification.accuracy
        if one.p50_ms is not None and accuracy is not None:
            points.append(Point(one.label, one.p50_ms, accuracy.mean, accuracy.std))
    return points
