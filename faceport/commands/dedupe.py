"""`faceport dedupe`: faces of a data set that are the same picture, or nearly."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.cluster_output import cluster, dataset_options, output_option, report
from faceport.commands.options import json_option

OUTPUT = "_duplicates.parquet"


@click.command("dedupe")
@dataset_options
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    default=0.9,
    show_default=True,
    help="Cosine from which two faces count as copies.",
)
@output_option(OUTPUT)
@json_option
def command(
    *, dataset: Path, threshold: float, output: Path | None, memory: int, as_json: bool
) -> None:
    """Find near-duplicates in a data set of faces (`faceport embed-dataset`).

    Writes one row a face: its cluster, and whether it is the cluster's best, the one to keep.

    \b
    Examples:
      faceport dedupe faces/
      faceport dedupe faces/ --threshold 0.95 --memory 8000 --output copies.parquet --json
    """
    target = output or dataset / OUTPUT
    summary = cluster(dataset, threshold, target, memory, as_json)
    report(summary, threshold, target, as_json)
