"""Pictures of a measurement: latency by case, and latency against accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceport.benchmarks.accuracy.figures import check_plots, save_figure
from faceport.benchmarks.latency.cases import threads_text
from faceport.benchmarks.latency.document import Results
from faceport.benchmarks.latency.results import CaseResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 40
"""More cases in one picture can't be read."""
LOG_FROM = 12.0
"""Ratio of the longest to the shortest time from which the axis is logarithmic."""
LEAST_LOSS = 1e-7
"""Losses below it are float32 noise and are drawn at it."""
MARKERS = {"fp32": "o", "fp16": "s", "int8": "^"}


def write_plots(folder: Path, results: Results) -> list[str]:
    """Draw what there is to draw into a folder and return the files' names.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        InputError: the folder can't be written.
    """
    measured = [result for result in results.cases if result.timing is not None]
    if not measured:
        return []
    check_plots()
    names = []
    for batch in sorted({result.case.batch for result in measured}):
        own = [result for result in measured if result.case.batch == batch]
        names.append(f"latency-batch-{batch}.png")
        save_figure(latency_figure(own, results.subject.name), folder / names[-1])
    least = min(result.case.batch for result in measured)
    names.append("latency-accuracy.png")
    same = [result for result in measured if result.case.batch == least]
    figure = accuracy_figure(same, results.subject.name, results.subject.fed)
    save_figure(figure, folder / names[-1])
    return names


def latency_figure(results: Sequence[CaseResult], name: str) -> Figure:
    """Draw p50 of cases of one batch as bars, with a line on to p99 (p90 below 100 runs)."""
    from matplotlib.figure import Figure

    shown = sorted(results, key=_p50)[:MOST_ROWS]
    figure = Figure(figsize=(10, 1.6 + 0.32 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    colours = _colours(shown)
    ends = [_end(result) for result in shown]
    for row, (result, end) in enumerate(zip(shown, ends, strict=True)):
        middle = _p50(result)
        axes.barh(row, middle, color=colours[result.case.session.label], height=0.65)
        axes.plot([middle, end], [row, row], color="black", linewidth=1.2)
        axes.plot([end], [row], "|", color="black", markersize=8)
        axes.annotate(
            f"{middle:.3g}", (end, row), (6, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(shown)), [_label(result) for result in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    least = min(_p50(result) for result in shown)
    wide = max(ends) / least >= LOG_FROM
    if wide:
        _logarithmic(axes)
        axes.set_xlim(least / 2, max(ends) * 1.6)
    else:
        axes.set_xlim(0, max(ends) * 1.12)
    left_out = len(results) - len(shown)
    rest = f", the fastest {len(shown)} of {len(results)} cases" if left_out else ""
    few = any(result.timing and result.timing.p99_ms is None for result in shown)
    line = "p99 (p90 where fewer than 100 runs)" if few else "p99"
    axes.set_title(f"{name}, batch {shown[0].case.batch}{rest}", fontsize=10)
    axes.set_xlabel(
        f"ms a run{', logarithmic' if wide else ''}: bar and number p50, line on to {line}"
    )
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return figure


def accuracy_figure(results: Sequence[CaseResult], name: str, fed: str) -> Figure:
    """Draw time a run against cosine loss: colour is the session, shape the precision.

    Of an artefact and a session the fastest thread count is drawn. The line joins those that no
    other beats in both.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    best: dict[tuple[str, str], CaseResult] = {}
    for result in sorted(results, key=_p50):
        best.setdefault((result.case.artefact, result.case.session.label), result)
    shown = list(best.values())
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    axes = figure.add_subplot()
    colours = _colours(shown)
    front = _front(shown)
    axes.plot([x for x, _ in front], [y for _, y in front], color="0.6", linewidth=1, zorder=1)
    for result in shown:
        marker = MARKERS.get(result.case.precision, "D")
        colour = colours[result.case.session.label]
        x, y = _point(result)
        axes.scatter([x], [y], marker=marker, s=70, color=colour, edgecolors="black", zorder=2)
    _logarithmic(axes)
    axes.set_yscale("log")
    axes.set_title(f"{name}, batch {shown[0].case.batch}, fed {fed}", fontsize=10)
    axes.set_xlabel("p50, ms a run, logarithmic: left is faster")
    axes.set_ylabel("cosine loss against fp32, worst picture (none: 1e-7)")
    axes.grid(which="both", alpha=0.25)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=label)
        for label, colour in colours.items()
    ]
    precisions = dict.fromkeys(result.case.precision for result in shown)
    handles += [
        Line2D([], [], marker=MARKERS.get(p, "D"), linestyle="", color="0.4", label=p)
        for p in precisions
    ]
    handles.append(Line2D([], [], color="0.6", label="best trade-offs"))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)
    return figure


def _logarithmic(axes: Any) -> None:
    """Make the time axis logarithmic, with plain numbers that don't run into each other."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _front(shown: Sequence[CaseResult]) -> list[tuple[float, float]]:
    """Return the points that no other beats in both, from fast to slow."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(map(_point, shown)):
        if not front or y < front[-1][1]:
            front.append((x, y))
    return front


def _point(result: CaseResult) -> tuple[float, float]:
    return _p50(result), max(result.cosine_loss or 0.0, LEAST_LOSS)


def _p50(result: CaseResult) -> float:
    return result.timing.p50_ms if result.timing else float("inf")


def _end(result: CaseResult) -> float:
    timing = result.timing
    if timing is None:
        return 0.0
    return timing.p90_ms if timing.p99_ms is None else timing.p99_ms


def _label(result: CaseResult) -> str:
    case = result.case
    return f"{case.artefact} · {case.session.label}, {threads_text(case.threads)}"


def _colours(shown: Sequence[CaseResult]) -> dict[str, Any]:
    from matplotlib import colormaps

    labels = sorted({result.case.session.label for result in shown})
    palette = colormaps["tab20" if len(labels) > 10 else "tab10"]
    return {label: palette(number % palette.N) for number, label in enumerate(labels)}
