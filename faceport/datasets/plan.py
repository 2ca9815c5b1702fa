"""The plan of a data set: which pictures are in which shard, the same every time.

It is a Parquet file with one row group a shard, so that a worker that knows a shard's number reads
that shard's rows and no others, and nobody holds the list of all pictures.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from faceport.atomic import atomic_file
from faceport.datasets.arrow import import_arrow, import_parquet
from faceport.datasets.info import PLAN
from faceport.datasets.items import Item
from faceport.errors import DatasetError, InputError


@dataclass(frozen=True)
class Plan:
    """What a plan comes to.

    Attributes:
        pictures: in all shards.
        shards: of `shard_size` pictures, the last one of what is left.
        digest: SHA-256 hex over the pictures' names, places and sizes.
    """

    pictures: int
    shards: int
    digest: str


def write_plan(
    folder: Path, items: Iterable[Item], shard_size: int, check: Callable[[Plan], None]
) -> Plan:
    """Deal the pictures out to shards, in order, and write who has which.

    Args:
        folder: of the data set.
        items: the pictures.
        shard_size: pictures a shard.
        check: raises if this is not the plan that it should be; the one that is there then stays.

    Raises:
        InputError: there are no pictures, or as listing them raises.
        DatasetError: the plan can't be written.
    """
    parquet = import_parquet()
    digest, pictures, shards = hashlib.sha256(), 0, 0
    with atomic_file(folder / PLAN, DatasetError) as partial:
        with parquet.ParquetWriter(partial, _schema(), compression="zstd") as writer:
            for shard in _in_shards(items, shard_size):
                writer.write_table(_table(shard), row_group_size=shard_size)
                for item in shard:
                    digest.update(f"{item.name}\0{item.start}\0{item.size}\n".encode())
                pictures, shards = pictures + len(shard), shards + 1
        if not pictures:
            raise InputError("the source has no pictures", expected="at least one")
        plan = Plan(pictures, shards, digest.hexdigest())
        check(plan)
    return plan


def read_shard(folder: Path, number: int) -> tuple[Item, ...]:
    """Return the pictures of one shard, in order.

    Raises:
        DatasetError: the plan is missing or damaged.
    """
    path = folder / PLAN
    try:
        with import_parquet().ParquetFile(path) as file:
            rows = file.read_row_group(number, use_threads=False).to_pylist()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} can't be read: {error}") from error
    return tuple(
        Item(row["name"], row["kind"], Path(os.fsdecode(row["path"])), row["start"], row["size"])
        for row in rows
    )


def _in_shards(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while shard := list(islice(rest, size)):
        yield shard


def _schema() -> Any:
    arrow = import_arrow()
    return arrow.schema(
        [
            ("name", arrow.string()),
            ("kind", arrow.string()),
            # Bytes: a path need not be UTF-8.
            ("path", arrow.binary()),
            ("start", arrow.int64()),
            ("size", arrow.int64()),
        ]
    )


def _table(items: Sequence[Item]) -> Any:
    columns = {
        "name": [item.name for item in items],
        "kind": [item.kind for item in items],
        "path": [os.fsencode(item.path) for item in items],
        "start": [item.start for item in items],
        "size": [item.size for item in items],
    }
    return import_arrow().table(columns, schema=_schema())
