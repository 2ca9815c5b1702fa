"""Plots of an evaluation: scores, the trade of false matches for false non-matches, latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.figures import COLORS, line_look, new_figure, save_figure
from faceport.benchmarks.accuracy.metrics.roc import roc, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Scores = NDArray[np.float64]

GENUINE, IMPOSTOR = COLORS[0], COLORS[1]
BINS = 60
POINTS = 2000
"""Of a curve; more can't be seen."""


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """Cosines of one artefact.

    Attributes:
        label: of the artefact and its session.
        genuine: of pairs of one person; -inf where a picture has no face.
        impostor: of pairs of two; likewise.
    """

    label: str
    genuine: Scores
    impostor: Scores

    @property
    def some(self) -> bool:
        """Whether any pair has two faces."""
        return bool(np.isfinite(self.genuine).any() or np.isfinite(self.impostor).any())


@dataclass(frozen=True)
class Point:
    """One artefact in the plot of accuracy against latency.

    Attributes:
        label: see `ScoreSet`.
        milliseconds: median time of one picture.
        value: the accuracy, 0 to 1.
        error: half the length of its bar: standard deviation over the folds; 0 draws none.
    """

    label: str
    milliseconds: float
    value: float
    error: float = 0.0


def plot_scores(sets: Sequence[ScoreSet], target: Path, title: str) -> None:
    """Draw how the cosines of each artefact are spread, one strip each on a common axis.

    Args:
        sets: one an artefact; one pair at least has two faces.
        target: PNG file.
        title: of the legend.
    """
    figure = new_figure(8.0, 1.2 + 1.7 * len(sets))
    axes = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
    every = np.concatenate([_finite(side) for one in sets for side in (one.genuine, one.impostor)])
    low, high = float(every.min()), float(every.max())
    edges = np.linspace(low, high if high > low else low + 1e-3, BINS + 1)
    for axis, one in zip(axes, sets, strict=True):
        for values, color, name in (
            (one.impostor, IMPOSTOR, "different people"),
            (one.genuine, GENUINE, "same person"),
        ):
            shown = _finite(values)
            if len(shown):
                weights = np.full(len(shown), 100 / len(shown))
                label = f"{name} ({len(shown):,} pairs)"
                axis.hist(shown, edges, weights=weights, color=color, alpha=0.6, label=label)
        axis.set_title(one.label, fontsize=9, loc="left", parse_math=False)
        axis.set_ylabel("% of pairs", fontsize=8)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("cosine of the two faces")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8, title=title)
    save_figure(figure, target)


def plot_roc(sets: Sequence[ScoreSet], target: Path, title: str) -> None:
    """Draw true against false accept rate, and the miss rate on logarithmic axes (DET).

    Both end at the left where one impostor pair is left: the data says nothing about lower rates.

    Args:
        sets: one an artefact, each with both kinds of pairs.
        target: PNG file.
        title: names the list.
    """
    figure = new_figure(10.5, 4.6)
    left, right = figure.subplots(1, 2)
    fewest = min(len(one.impostor) for one in sets)
    least = 1 / max(fewest, 1)
    lowest, missed = 0.98, 1.0
    for number, one in enumerate(sets):
        curve = thinned(roc(one.genuine, one.impostor), POINTS)
        color, style = line_look(number)
        look = {"color": color, "linestyle": style, "label": one.label, "drawstyle": "steps-post"}
        shown = curve.far > 0
        lowest = min(lowest, float(curve.tar[shown].min()))
        rates = 1 - curve.tar[shown]
        missed = min(missed, float(rates[rates > 0].min(initial=1.0)))
        left.plot(curve.far[shown], curve.tar[shown], **look)
        right.plot(curve.far[shown], np.maximum(rates, 1e-9), **look)
    limit = min(0.09, least * 0.8)
    _rates_axis(left, limit, "true accept rate")
    _rates_axis(right, limit, "miss rate (1 - true accept rate)")
    right.set_yscale("log")
    right.set_ylim(min(0.5 * missed, 0.01), 1.3)
    left.set_ylim(lowest - 0.04 * (1.0 - lowest), 1.0 + 0.04 * (1.0 - lowest))
    if missed == 1.0:
        middle = {"transform": right.transAxes, "ha": "center", "va": "center"}
        right.text(0.5, 0.5, "no pair of one person is missed\nat any rate shown", **middle)
    left.set_title("ROC", fontsize=10)
    right.set_title("DET (0 is below the axis)", fontsize=10)
    figure.suptitle(f"{title}: {fewest:,} pairs of different people", fontsize=11, parse_math=False)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    save_figure(figure, target)


def plot_latency(points: Sequence[Point], target: Path, title: str, measure: str) -> None:
    """Draw accuracy against the time of one picture; upper left is better.

    Args:
        points: one an artefact.
        target: PNG file.
        title: of the plot.
        measure: what the value is.
    """
    figure = new_figure(8.0, 4.6 + 0.1 * len(points))
    axis = figure.subplots()
    for number, point in enumerate(points):
        color, _ = line_look(number)
        # Colour and marker together come again after 64 points.
        marker = "osD^vPX*"[(number + number // len(COLORS)) % 8]
        error = point.error * 100 or None
        axis.errorbar(
            point.milliseconds,
            point.value * 100,
            yerr=error,
            fmt=marker,
            color=color,
            markersize=8,
            capsize=3,
            elinewidth=0.8,
            label=point.label,
        )
    axis.set_xlabel("median time of one picture, embedding only (ms)")
    axis.set_ylabel(f"{measure} (%)")
    axis.set_xlim(left=0, right=max(point.milliseconds for point in points) * 1.1)
    low = min(100 * (point.value - point.error) for point in points)
    high = max(100 * (point.value + point.error) for point in points)
    margin = max(0.15 * (high - low), 0.5)
    axis.set_ylim(low - margin, high + margin)
    axis.grid(alpha=0.3)
    axis.set_title(title, fontsize=11, parse_math=False)
    axis.ticklabel_format(useOffset=False)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    save_figure(figure, target)


def _finite(scores: Scores) -> Scores:
    return scores[np.isfinite(scores)]


def _rates_axis(axis: Axes, limit: float, label: str) -> None:
    axis.set_xscale("log")
    axis.set_xlim(limit, 1.0)
    axis.set_xlabel("false accept rate")
    axis.set_ylabel(label)
    axis.grid(alpha=0.3, which="both")
