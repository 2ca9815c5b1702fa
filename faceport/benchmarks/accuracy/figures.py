"""A blank figure and its file, through matplotlib's objects: no window, no global state."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from faceport.atomic import atomic_file
from faceport.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933"),
)
"""Told apart by most eyes (Okabe and Ito, "Color Universal Design", 2008), the yellow darkened."""

STYLES = ("-", "--", "-.", ":")
"""Lines that lie on each other are still told apart."""

DOTS_PER_INCH = 120


def check_plots() -> None:
    """See that pictures can be drawn, before anything is measured.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("matplotlib", "bench") from error


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; sizes in inches.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    check_plots()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # With a margin, so that thick frames at the edge of a panel are not cut off.
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, target: Path) -> None:
    """Write a figure as PNG.

    Raises:
        InputError: the file can't be written.
    """
    _plain_texts(figure)
    with atomic_file(target, InputError) as partial, warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes: no reason to complain.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(partial, format="png", dpi=DOTS_PER_INCH)


def _plain_texts(figure: Figure) -> None:
    """Have all texts drawn as they are: names may hold `$…$`, or bytes that are no UTF-8."""
    from matplotlib.text import Text

    axes = [axis for one in figure.axes for axis in (one.xaxis, one.yaxis)]
    # Those of logarithmic axes are matplotlib's own formulas.
    ticks = {id(text) for axis in axes for text in axis.get_ticklabels(which="both")}
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in ticks:
            text.set_parse_math(False)
            text.set_text(text.get_text().encode("utf-8", "replace").decode())


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters, its middle left out: names differ at the ends."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def line_look(number: int) -> tuple[str, str]:
    """Return colour and line style of the curve of that number."""
    return COLORS[number % len(COLORS)], STYLES[number % len(STYLES)]
