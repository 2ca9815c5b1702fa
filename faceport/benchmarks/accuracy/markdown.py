"""Tables and lists in Markdown, with nothing in a name that could break them."""

from __future__ import annotations

from collections.abc import Sequence

from faceport.benchmarks.accuracy.results import Problem
from faceport.benchmarks.accuracy.tables import Table

MOST_PROBLEMS = 200
"""Lines of the report; `results.json` has them all."""

SPECIAL = "\\`*_[]<>|#"


def cell(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return "".join(f"\\{c}" if c in SPECIAL else c for c in plain)


def markdown_table(table: Table) -> list[str]:
    """Return a table's lines; none where it has no rows."""
    if not table.rows:
        return []
    head = "| " + " | ".join(cell(column) for column in table.columns) + " |"
    rule = "|" + "---|" * len(table.columns)
    return [head, rule, *("| " + " | ".join(map(cell, row)) + " |" for row in table.rows)]


def problem_lines(problems: Sequence[Problem]) -> list[str]:
    """Return every picture without a crop, and why, as a list."""
    if not problems:
        return ["None: every picture has a face."]
    shown = [f"- {cell(one.picture)}: {cell(one.reason)}" for one in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(shown)
    return [*shown, *([f"- … and {more} more, in results.json"] if more else [])]
