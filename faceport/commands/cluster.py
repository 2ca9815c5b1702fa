"""`faceport cluster`: faces of a data set by person."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.cluster_output import cluster, dataset_options, output_option, report
from faceport.commands.options import json_option

OUTPUT = "_clusters.parquet"


@click.command("cluster")
@dataset_options
@click.option(
    "--threshold",
    required=True,
    type=click.FloatRange(-1, 1),
    help="Cosine from which two faces are linked. Links chain: choose it well above the threshold "
    "that tells two persons apart.",
)
@output_option(OUTPUT)
@json_option
def command(
    *, dataset: Path, threshold: float, output: Path | None, memory: int, as_json: bool
) -> None:
    """Group the faces of a data set by identity (`faceport embed-dataset`).

    Two faces are in one cluster if a chain of links joins them. Writes one row a face.

    \b
    Examples:
      faceport cluster faces/ --threshold 0.6
      faceport cluster faces/ --threshold 0.6 --memory 8000 --output people.parquet --json
    """
    target = output or dataset / OUTPUT
    summary = cluster(dataset, threshold, target, memory, as_json)
    report(summary, threshold, target, as_json)
