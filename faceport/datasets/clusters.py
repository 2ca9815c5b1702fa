"""Components as numbered clusters, written next to the faces that they are of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.atomic import atomic_file
from faceport.datasets.arrow import import_arrow, import_parquet
from faceport.datasets.components import Ints
from faceport.datasets.info import part_path
from faceport.datasets.reading import FaceVectors, batches
from faceport.errors import DatasetError

LISTED = 10
"""Clusters that are told with their size."""


@dataclass(frozen=True)
class Clusters:
    """Who belongs together.

    Attributes:
        cluster: (N,) number of each face's cluster, in the order of their first faces.
        sizes: (clusters,) faces.
        best: (N,) whether a face has its cluster's largest norm, the first one of several.
    """

    cluster: Ints
    sizes: Ints
    best: NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """One cluster: its number, its faces, and the picture of its best face."""

    cluster: int
    faces: int
    source: str


def clusters_of(labels: Ints, norms: NDArray[np.float32]) -> Clusters:
    """Number components, given as the smallest member of each one's."""
    _, cluster = np.unique(labels, return_inverse=True)
    sizes = np.bincount(cluster)
    best = np.zeros(len(labels), np.bool_)
    order = np.lexsort((np.arange(len(labels)), -norms, cluster))
    best[order[np.cumsum(sizes) - sizes]] = True
    return Clusters(cluster.astype(np.int64), sizes.astype(np.int64), best)


def write_clusters(
    faces: FaceVectors, clusters: Clusters, target: Path, metadata: dict[str, str]
) -> list[Group]:
    """Write one row a face, and return the largest clusters of two or more, largest first.

    Columns: `row` (number among all rows of the data set), `source`, `face`, `cluster`, `size`
    (faces of the cluster), `best` (has the cluster's largest norm).

    Raises:
        DatasetError: it can't be written, or the data set not read.
    """
    by_size = np.argsort(-clusters.sizes, kind="stable")[:LISTED].tolist()
    largest = [number for number in by_size if clusters.sizes[number] > 1]
    sources: dict[int, str] = {}
    schema = _schema(metadata)
    with (
        atomic_file(target, DatasetError) as partial,
        import_parquet().ParquetWriter(partial, schema, compression="zstd") as writer,
    ):
        for number in range(faces.info.shards):
            own = slice(int(faces.starts[number]), int(faces.starts[number + 1]))
            table = _table(faces, clusters, own, part_path(faces.folder, number), schema)
            writer.write_table(table)
            for group in largest:
                there = np.flatnonzero(clusters.best[own] & (clusters.cluster[own] == group))
                if len(there):
                    sources[group] = table.column("source")[int(there[0])].as_py()
    return [Group(n, int(clusters.sizes[n]), sources[n]) for n in largest]


def _table(faces: FaceVectors, clusters: Clusters, own: slice, part: Path, schema: Any) -> Any:
    arrow = import_arrow()
    read = arrow.Table.from_batches(list(batches(part, ["source", "face"])))
    read = read.filter(read.column("face").is_valid())
    cluster = clusters.cluster[own]
    columns = [
        faces.rows[own],
        read.column("source"),
        read.column("face"),
        cluster,
        clusters.sizes[cluster],
        clusters.best[own],
    ]
    return arrow.table(columns, schema=schema)


def _schema(metadata: dict[str, str]) -> Any:
    arrow = import_arrow()
    return arrow.schema(
        [
            ("row", arrow.int64()),
            ("source", arrow.string()),
            ("face", arrow.int32()),
            ("cluster", arrow.int64()),
            ("size", arrow.int64()),
            ("best", arrow.bool_()),
        ],
        metadata=metadata,
    )
