"""From places to what a pipeline takes: paths, and bytes that say where they came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import cast

from faceport.datasets.items import Item
from faceport.datasets.parquet_source import read_rows
from faceport.datasets.tar_source import read_member
from faceport.images import ImageSource


@dataclass(frozen=True)
class Blob:
    """Bytes as a file object that can be read once, or the reason why there are none."""

    name: str
    data: bytes | None
    problem: str = ""

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            OSError: they could not be had; the picture's row will say so.
        """
        if self.data is None:
            raise OSError(self.problem)
        return self.data


def pictures(items: Sequence[Item]) -> Iterator[ImageSource]:
    """Give a source for each item, in order; never raises for what is wrong with one."""
    for (kind, _, _), numbered in groupby(enumerate(items), _run_of):
        group = [item for _, item in numbered]
        if kind == "file":
            yield from (_from_file(item) for item in group)
        else:
            blobs = _from_tar(group) if kind == "tar" else _from_parquet(group)
            yield from (cast(ImageSource, blob) for blob in blobs)


def _run_of(numbered: tuple[int, Item]) -> tuple[str, Path, int]:
    """Tell runs apart: rows that follow each other in one Parquet file are read together."""
    number, item = numbered
    return item.kind, item.path, item.start - number if item.kind == "parquet" else 0


def _from_file(item: Item) -> ImageSource:
    # A pipe that nobody writes to would hold up its shard for ever, and so would a device.
    if os.path.exists(item.path) and not os.path.isfile(item.path):
        return cast(ImageSource, Blob(item.name, None, "no regular file"))
    return item.path


def _from_tar(items: Sequence[Item]) -> Iterator[Blob]:
    for item in items:
        try:
            yield Blob(item.name, read_member(item.path, item.start, item.size))
        except OSError as error:
            yield Blob(item.name, None, str(error))


def _from_parquet(items: Sequence[Item]) -> Iterator[Blob]:
    """Read consecutive rows; from the first that can't be read on, none of them can."""
    done = 0
    try:
        for data in read_rows(items[0].path, items[0].start, len(items)):
            yield Blob(items[done].name, data, "the row is empty")
            done += 1
    except (OSError, ValueError) as error:
        for item in items[done:]:
            yield Blob(item.name, None, str(error))
