"""Panels: pictures beside each other with their scores, framed by whether the answer is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.accuracy.figures import COLORS, new_figure, save_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]

RIGHT, WRONG = COLORS[2], COLORS[1]
LABEL_LENGTH = 20


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of a panel.

    Attributes:
        pixels: (height, width, 3) uint8, RGB.
        label: who it shows; a line each where it shows two.
        score: cosine with the query, or of the pair; None for the query.
        right: whether the answer that the score gives is right; None where none is asked for.
    """

    pixels: Pixels
    label: str
    score: float | None = None
    right: bool | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """Pictures beside each other.

    Attributes:
        answers: in their order.
        query: what the answers are compared with; None where each answer is a pair by itself.
        title: at the left of the row.
    """

    answers: tuple[Tile, ...]
    query: Tile | None = None
    title: str = ""


def draw_panel(rows: Sequence[Row], target: Path, title: str, note: str) -> None:
    """Draw rows of pictures: the query and a gap, if there is one, and the answers.

    Args:
        rows: one or more, not all of one length.
        target: PNG file.
        title: of the panel.
        note: how to read it, in a second line.
    """
    queries = any(row.query is not None for row in rows)
    columns = max(len(row.answers) for row in rows)
    wide = max(tile.pixels.shape[1] / tile.pixels.shape[0] for row in rows for tile in row.answers)
    # A narrow panel still has room for its title.
    figure = new_figure(max(1.4 * wide * columns + 2.2 * queries, 6.5), 1.85 * len(rows) + 0.7)
    widths = [*([wide, 0.2] if queries else []), *([wide] * columns)]
    grid = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    for axis in grid.flat:
        axis.set_axis_off()
    for axes, row in zip(grid, rows, strict=True):
        if row.query is not None:
            _draw(axes[0], row.query)
        for axis, answer in zip(axes[2 if queries else 0 :], row.answers, strict=False):
            _draw(axis, answer)
        axes[0].set_ylabel(row.title, fontsize=8, parse_math=False)
    figure.suptitle(f"{title}\n{note}", fontsize=9, parse_math=False)
    save_figure(figure, target)


def _draw(axis: Axes, tile: Tile) -> None:
    axis.set_axis_on()
    axis.imshow(tile.pixels)
    axis.set_xticks([])
    axis.set_yticks([])
    color = "#777777" if tile.right is None else RIGHT if tile.right else WRONG
    for spine in axis.spines.values():
        spine.set_color(color)
        spine.set_linewidth(1.0 if tile.right is None else 4.0)
        spine.set_linestyle("--" if tile.right is False else "-")
    head = "query" if tile.score is None else f"{tile.score:+.3f}"
    mark = "" if tile.right is None else " ✓" if tile.right else " ✗"
    axis.set_title(head + mark, fontsize=8, color=color, pad=3)
    label = "\n".join(shortened(line, LABEL_LENGTH) for line in tile.label.splitlines())
    axis.set_xlabel(label, fontsize=7, parse_math=False)
