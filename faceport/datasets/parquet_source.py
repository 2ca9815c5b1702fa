"""Pictures in Parquet: a column of bytes, or of `{bytes, path}` as Hugging Face has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faceport.datasets.arrow import import_parquet
from faceport.errors import InputError

BATCH = 16
"""Rows decoded at a time: as many pictures as a pipeline takes together."""


def count_rows(path: Path) -> int:
    """Return how many pictures a file has.

    Raises:
        InputError: it can't be read, or has not exactly one column of bytes.
    """
    try:
        file = import_parquet().ParquetFile(path)
    # Arrow raises OSError for what is missing and ArrowInvalid, a ValueError, for what is damaged.
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable Parquet file: {error}") from error
    with file:
        bytes_column(path, file.schema_arrow)
        return int(file.metadata.num_rows)


def bytes_column(path: Path, schema: Any) -> tuple[str, str | None]:
    """Return the column that has the pictures, and the field in it where it is a struct.

    Raises:
        InputError: there is none, or several.
    """
    import pyarrow.types as kinds

    found: list[tuple[str, str | None]] = []
    for column in schema:
        if kinds.is_binary(column.type) or kinds.is_large_binary(column.type):
            found.append((column.name, None))
        elif kinds.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            found.append((column.name, "bytes"))
    if len(found) != 1:
        raise InputError(
            f"{path} has {len(found)} columns of bytes",
            received=", ".join(schema.names),
            expected="one column of type binary, or struct<bytes, …>",
        )
    return found[0]


def read_rows(path: Path, first: int, count: int) -> Iterator[bytes | None]:
    """Give the bytes of `count` rows from row `first` on; None for an empty one.

    Raises:
        OSError, ValueError: the file can't be read there.
    """
    parquet = import_parquet()
    # Without `pre_buffer`, which would hold a whole row group.
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        name, field = bytes_column(path, file.schema_arrow)
        groups, skip = _groups_from(file.metadata, first, count)
        batches = file.iter_batches(BATCH, groups, columns=[name], use_threads=False)
        for batch in batches:
            column = batch.column(0) if field is None else batch.column(0).field(field)
            for value in column[skip:]:
                if count == 0:
                    return
                count -= 1
                yield value.as_py()
            skip = max(0, skip - len(column))
    raise ValueError("it has fewer rows than when it was listed")


def _groups_from(metadata: Any, first: int, count: int) -> tuple[list[int], int]:
    """Return the row groups that hold the rows, and how many rows of theirs come before."""
    groups: list[int] = []
    start = skip = 0
    for group in range(metadata.num_row_groups):
        end = start + metadata.row_group(group).num_rows
        if start < first + count and end > first:
            skip = skip if groups else first - start
            groups.append(group)
        start = end
    return groups, skip
