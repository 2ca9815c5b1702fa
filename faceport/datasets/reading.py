"""A data set of faces, read for its vectors: in order, by blocks, from anywhere on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.datasets.arrow import import_arrow, import_parquet
from faceport.datasets.info import DatasetInfo, missing_shards, part_path, read_info
from faceport.errors import DatasetError

BATCH = 2048
"""Rows decoded at a time: 4 MB at 512 dimensions."""


@dataclass(frozen=True, eq=False)
class FaceVectors:
    """The faces of a whole data set; pictures without one are passed over.

    Attributes:
        folder: of the data set.
        info: what is in its `_dataset.json`.
        rows: (N,) a face's number among all rows of the data set, parts in order.
        norms: (N,) length before normalisation.
        starts: (shards + 1,) number of the first face in each part, and N.
    """

    folder: Path
    info: DatasetInfo
    rows: NDArray[np.int64]
    norms: NDArray[np.float32]
    starts: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many faces there are."""
        return len(self.rows)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.info.dim

    def blocks(self, first: int, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give blocks as `threshold_graph.Vectors` has it."""
        block = np.empty((size, self.dim), np.float32)
        filled, start = 0, first
        for some in self._from(first):
            used = 0
            while used < len(some):
                taken = some[used : used + size - filled]
                block[filled : filled + len(taken)] = taken
                filled, used = filled + len(taken), used + len(taken)
                if filled == size:
                    yield start, block
                    start, filled = start + size, 0
        if filled:
            yield start, block[:filled]

    def _from(self, first: int) -> Iterator[NDArray[np.float32]]:
        part = max(0, int(np.searchsorted(self.starts, first, side="right")) - 1)
        skip = first - int(self.starts[part]) if self.count else 0
        for number in range(part, self.info.shards):
            for batch in batches(part_path(self.folder, number), ["embedding"]):
                # Leaves out what is null: pictures without a face.
                values = batch.column(0).flatten().to_numpy(zero_copy_only=True)
                some = values.reshape(-1, self.dim)
                taken = min(skip, len(some))
                skip -= taken
                if taken < len(some):
                    yield some[taken:]


def open_faces(folder: Path) -> FaceVectors:
    """Open a data set that is complete.

    Raises:
        DatasetError: it is none, is damaged, or has shards missing.
    """
    info = read_info(folder)
    missing = missing_shards(folder, info)
    if missing:
        raise DatasetError(
            f"{folder} is not complete",
            received=f"{info.shards - len(missing)} shards",
            expected=info.shards,
            fix="give its `faceport embed-dataset` command again; it goes on",
        )
    rows, norms, starts, row = [], [], [0], 0
    for number in range(info.shards):
        faces = 0
        for batch in batches(part_path(folder, number), ["face", "norm"]):
            there = np.flatnonzero(batch.column(0).is_valid().to_numpy(zero_copy_only=False))
            rows.append(there + row)
            norms.append(batch.column(1).to_numpy(zero_copy_only=False)[there])
            faces, row = faces + len(there), row + batch.num_rows
        starts.append(starts[-1] + faces)
    return FaceVectors(
        folder,
        info,
        np.concatenate([np.zeros(0, np.int64), *rows]),
        np.concatenate([np.zeros(0, np.float32), *norms]).astype(np.float32, copy=False),
        np.array(starts, np.int64),
    )


def batches(path: Path, columns: list[str]) -> Iterator[Any]:
    """Give a part's rows by Arrow record batches of the columns asked for, in that order.

    Raises:
        DatasetError: the part can't be read, or lacks a column.
    """
    arrow = import_arrow()
    try:
        with import_parquet().ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH, columns=columns, use_threads=False):
                yield batch.select(columns)
    except (OSError, ValueError, KeyError, arrow.ArrowException) as error:
        raise DatasetError(
            f"{path} can't be read: {error}",
            fix="delete it and give its `faceport embed-dataset` command again",
        ) from error
