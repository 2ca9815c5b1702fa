"""`python -m faceport.benchmarks.matrix`: family × format × precision, with parity (`make matrix`).

Every checkpoint that is at hand goes through every exporter in every precision, as `faceport
export` would do it; what can't be made or run here is in the table too, with the reason.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from faceport.benchmarks.matrix.rows import Row, rows_of_checkpoint, rows_of_detector
from faceport.benchmarks.matrix.subjects import Subject, subjects
from faceport.benchmarks.matrix.table import table
from faceport.errors import FaceportError

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--shared", type=FOLDER, default="../shared", show_default=True, help="Real data.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Markdown file.")
@click.option("--only", multiple=True, metavar="NAME", help="Only these checkpoints.")
@click.option("--engines/--no-engines", default=True, show_default=True, help="Build engines too.")
def main(*, shared: Path, output: Path | None, only: tuple[str, ...], engines: bool) -> None:
    """Export everything in every way, and write down what came of it."""
    start = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        for subject in subjects(shared, Path(name), only):
            click.echo(f"{time.monotonic() - start:4.0f} s: {subject.name}", err=True)
            rows += _rows(subject, shared, Path(name), engines=engines)
    text = table(rows, time.monotonic() - start)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")


def _rows(subject: Subject, shared: Path, folder: Path, *, engines: bool) -> list[Row]:
    try:
        if subject.detector_family is not None:
            return rows_of_detector(subject, folder)
        return rows_of_checkpoint(subject, shared, folder, engines=engines)
    except FaceportError as error:
        return [Row(subject.name, subject.weights, "all", "all", problem=str(error))]


if __name__ == "__main__":
    sys.exit(main())
