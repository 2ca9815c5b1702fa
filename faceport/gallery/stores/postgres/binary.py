"""Vectors as PostgreSQL sends them: big-endian numbers behind a length.

`vector` is a 16-bit count, 16 bits unused, then float32 numbers; `halfvec` has float16 numbers. In
a binary COPY each row is a 16-bit count of fields, and each field a 32-bit length and its bytes.
Source: PostgreSQL's manual (COPY, Binary Format) and pgvector's `vector_send`, `halfvec_send`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from faceport.errors import GalleryError
from faceport.gallery.stores.base import VectorRows
from faceport.gallery.types import Float, VectorType

NUMBERS: dict[VectorType, str] = {"float32": ">f4", "float16": ">f2"}
_SIGNATURE = 11 + 4 + 4
"""Bytes before the first row: a signature, flags, and the length of an extension: none."""


def vector_from_bytes(data: bytes | None, vector_type: VectorType, dim: int) -> Float:
    """Read one vector as its type's `send` function gives it.

    Raises:
        GalleryError: it is missing or of another length.
    """
    numbers = np.dtype(NUMBERS[vector_type])
    expected = 4 + dim * numbers.itemsize
    if data is None or len(data) != expected:
        raise damaged(dim)
    return np.frombuffer(data, numbers, offset=4).astype(np.float32)


def rows_from_copy(
    blocks: Iterable[bytes | bytearray | memoryview], vector_type: VectorType, dim: int
) -> VectorRows:
    """Read a binary COPY of (identity's id, sample's id, norm, vector).

    Raises:
        GalleryError: a vector is missing or of another length.
    """
    data = b"".join(blocks)
    layout = _row(vector_type, dim)
    # At the end is a count of fields of -1.
    count, rest = divmod(len(data) - _SIGNATURE - 2, layout.itemsize)
    table = np.frombuffer(data, layout, max(count, 0), offset=_SIGNATURE)
    lengths = _lengths(vector_type, dim)
    if rest or any((table[key] != value).any() for key, value in lengths.items()):
        raise damaged(dim)
    return VectorRows(
        table["identity"].astype(np.int64),
        table["sample"].astype(np.int64),
        table["vector"].astype(np.float32).reshape(count, dim),
        table["norm"].astype(np.float32),
    )


def damaged(dim: int) -> GalleryError:
    """Say that a vector is not what the gallery's space asks for."""
    return GalleryError(
        "a vector of the gallery is damaged",
        received="none, or one of another length",
        expected=f"{dim} numbers",
        fix="restore the database from a copy; something else changed it",
    )


def _row(vector_type: VectorType, dim: int) -> np.dtype[Any]:
    return np.dtype(
        [
            ("fields", ">i2"),
            ("identity_size", ">i4"),
            ("identity", ">i8"),
            ("sample_size", ">i4"),
            ("sample", ">i8"),
            ("norm_size", ">i4"),
            ("norm", ">f8"),
            ("vector_size", ">i4"),
            ("dim", ">i2"),
            ("unused", ">i2"),
            ("vector", NUMBERS[vector_type], (dim,)),
        ]
    )


def _lengths(vector_type: VectorType, dim: int) -> dict[str, int]:
    size = 4 + dim * np.dtype(NUMBERS[vector_type]).itemsize
    return {
        "fields": 4,
        "identity_size": 8,
        "sample_size": 8,
        "norm_size": 8,
        "vector_size": size,
        "dim": dim,
        "unused": 0,
    }
