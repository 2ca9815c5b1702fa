"""What `faceport dedupe` and `faceport cluster` share: the graph, the file, the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.models import STUB_WARNING
from faceport.commands.options import Function, all_of
from faceport.commands.output import print_json, print_table, warn
from faceport.commands.screen import screen

if TYPE_CHECKING:
    from faceport.datasets.clusters import Group


@dataclass(frozen=True)
class Summary:
    """What came of a data set.

    Attributes:
        faces: in the data set.
        clusters: of one face and more.
        repeated: of two faces and more.
        extra: faces that are not their cluster's best.
        largest: the largest clusters of two and more.
    """

    faces: int
    clusters: int
    repeated: int
    extra: int
    largest: tuple[Group, ...]


dataset_options: Callable[[Function], Function] = all_of(
    click.argument(
        "dataset",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DATASET",
    ),
    click.option(
        "--memory",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="Megabytes for vectors and pairs, besides what Python takes; more is faster.",
    ),
)


def output_option(default: str) -> Callable[[Function], Function]:
    """Return the option for the file that is written."""
    return click.option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"Parquet file to write  [default: {default} in DATASET].",
    )


def cluster(dataset: Path, threshold: float, target: Path, memory: int, quiet: bool) -> Summary:
    """Find the clusters of a data set and write them."""
    from faceport.datasets.clusters import clusters_of, write_clusters
    from faceport.datasets.info import check_not_of
    from faceport.datasets.reading import open_faces
    from faceport.datasets.threshold_graph import connected

    check_not_of(dataset, target)
    with screen(quiet) as shown:
        shown.say("comparing faces")
        faces = open_faces(dataset)
        if faces.info.is_stub:
            warn(STUB_WARNING)
        labels = connected(faces, threshold, memory * 1_000_000)
        clusters = clusters_of(labels, faces.norms)
        metadata = {"threshold": str(threshold), "fingerprint": faces.info.fingerprint}
        groups = write_clusters(faces, clusters, target, metadata)
    repeated = int((clusters.sizes > 1).sum())
    extra = faces.count - len(clusters.sizes)
    return Summary(faces.count, len(clusters.sizes), repeated, extra, tuple(groups))


def report(summary: Summary, threshold: float, target: Path, as_json: bool) -> None:
    """Print a summary."""
    from faceport.codec import encode

    if as_json:
        values: dict[str, Any] = {"output": str(target), "threshold": threshold}
        print_json({**values, **encode(summary)})
        return
    columns = ("faces", "clusters", "of two or more", "beyond the best of each")
    row = (summary.faces, summary.clusters, summary.repeated, summary.extra)
    print_table(f"{target}, threshold {threshold:g}", columns, [row])
    if summary.largest:
        rows = [(group.cluster, group.faces, group.source) for group in summary.largest]
        print_table("largest", ("cluster", "faces", "its best face is in"), rows)
