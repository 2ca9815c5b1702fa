"""A bar for work on many pictures, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def picture_bar(total: int, *, quiet: bool = False) -> Iterator[Callable[[], None]]:
    """Show how far a run is, its pictures a second and the time left; gives "one more is done".

    Nothing is shown where stderr is no terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    columns = (
        TextColumn("embedding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeLeft(),
    )
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("embedding", total=total, speed="")

        def advance() -> None:
            speed = progress.tasks[0].speed
            progress.update(task, advance=1, speed=f"{speed:.1f} pictures/s" if speed else "")

        yield advance
