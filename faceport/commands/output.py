"""What commands print: tables for people, JSON for machines, notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

Step = Callable[[str], None]
"""Names the next step of a long command."""


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table to stdout; in a pipe it is as wide as it needs."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(
        title=escape(_printable(title)),
        title_justify="left",
        title_style="bold",
        show_header=any(columns),
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_printable(str(cell))) for cell in row))
    console.print(table)


def _printable(text: str) -> str:
    """Escape control characters but line ends: names of files and folders may hold any."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def note(message: str) -> None:
    """Write a line to stderr, where it does not disturb what a program reads."""
    click.echo(_printable(message), err=True)


def warn(message: str) -> None:
    """Write a warning to stderr."""
    note(f"warning: {message}")


@contextmanager
def steps(quiet: bool) -> Iterator[Step]:
    """Show what is being done, on stderr; gives a function that names the next step."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, quiet=quiet)
    with console.status("starting …") as status:

        def step(text: str) -> None:
            line = f"{_printable(text)} …"
            if console.is_terminal:
                status.update(escape(line))
            elif not quiet:
                console.print(line, highlight=False, markup=False)

        yield step


@contextmanager
def download_bar(quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar on stderr; gives a function of bytes done and total (or None)."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("download", total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total, visible=True)

        yield show


def size_text(size_bytes: int) -> str:
    """Return a size as people read it: `4.9 MB` (decimal)."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"
