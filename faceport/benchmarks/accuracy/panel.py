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
        label: who it shows.
        score: cosine with the first picture of the row; None for that picture.
        right: whether the answer that the score gives is right; None where none is asked for.
    """

    pixels: Pixels
    label: str
    score: float | None = None
    right: bool | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """A query and what it is compared with, best first."""

    query: Tile
    answers: tuple[Tile, ...]


def draw_panel(rows: Sequence[Row], target: Path, title: str, note: str) -> None:
    """Draw rows of pictures: the query, a gap, and the answers with their cosines.

    Args:
        rows: one or more, not all of one length.
        target: PNG file.
        title: of the panel.
        note: how to read it, in a second line.
    """
    columns = 1 + max(len(row.answers) for row in rows)
    # A narrow panel still has room for its title.
    figure = new_figure(max(1.3 * columns + 0.4, 6.5), 1.75 * len(rows) + 0.7)
    widths = [1.0, *([0.18] if columns > 1 else []), *([1.0] * (columns - 1))]
    grid = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    for axis in grid.flat:
        axis.set_axis_off()
    for axes, row in zip(grid, rows, strict=True):
        _draw(axes[0], row.query)
        for axis, answer in zip(axes[2:], row.answers, strict=False):
            _draw(axis, answer)
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
    axis.set_xlabel(shortened(tile.label, LABEL_LENGTH), fontsize=7, parse_math=False)
