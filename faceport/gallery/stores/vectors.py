"""How a vector becomes bytes, and what of a gallery is sealed.

| type    | bytes a number | what is lost of a unit vector of 512 numbers                          |
|---------|----------------|-----------------------------------------------------------------------|
| float32 | 4              | nothing                                                               |
| float16 | 2              | a cosine moves by less than 1e-4                                      |
| int8    | 1 (+ 4 each)   | a cosine moves by less than 1e-2, typically 1e-3                      |

int8 keeps round(127 v / max |v|) and behind it the scale that gives these numbers length 1, as a
little-endian float32. Decoding and encoding again gives the same bytes for every type, so that a
vector that was exported and comes back is known for the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.stores.marks import Value, row_bytes
from faceport.gallery.types import Float, VectorType


class VectorCodec(Protocol):
    """Turns vectors into blobs and back."""

    @property
    def vector_type(self) -> VectorType:
        """What the numbers are kept as."""

    def encode(self, vectors: Float) -> list[bytes]:
        """Make a blob of each row of (n, D)."""

    def size(self, dim: int) -> int:
        """Bytes of a vector of that many numbers."""

    def decode(self, blobs: Sequence[bytes], dim: int) -> Float:
        """Make (n, D) float32 of blobs, each of `size(dim)` bytes."""


class Sealing(Protocol):
    """Encrypts what is sensitive, bound to its place (`table.column` or `table.column/id`).

    `faceport.gallery.stores.encrypted.Seal` is the one with a key.
    """

    def seal(self, data: bytes, place: str) -> bytes:
        """Encrypt a blob."""

    def open(self, blob: bytes, place: str) -> bytes:
        """Decrypt a blob."""

    def seal_text(self, text: str, place: str) -> str:
        """Encrypt a text that is looked up: the same text gives the same token."""

    def open_text(self, token: str, place: str) -> str:
        """Decrypt such a text."""

    def mark(self, place: str, values: Sequence[Value]) -> bytes:
        """Make the check sum of columns as they are stored: see `marks.py`."""


class Unsealed:
    """Leaves everything as it is, with a CRC-32 a row: a gallery without a key."""

    def seal(self, data: bytes, place: str) -> bytes:
        """Return the blob."""
        return data

    def open(self, blob: bytes, place: str) -> bytes:
        """Return the blob."""
        return blob

    def seal_text(self, text: str, place: str) -> str:
        """Return the text."""
        return text

    def open_text(self, token: str, place: str) -> str:
        """Return the text."""
        return token

    def mark(self, place: str, values: Sequence[Value]) -> bytes:
        """Return the CRC-32 of the place and the values, big endian."""
        return zlib.crc32(row_bytes(place, values)).to_bytes(4, "big")


class _Floats:
    """float32 or float16 numbers, little endian."""

    def __init__(self, vector_type: VectorType, dtype: str) -> None:
        self.vector_type: VectorType = vector_type
        self._dtype = np.dtype(dtype)

    def encode(self, vectors: Float) -> list[bytes]:
        return [row.tobytes() for row in np.ascontiguousarray(vectors, self._dtype)]

    def size(self, dim: int) -> int:
        return dim * self._dtype.itemsize

    def decode(self, blobs: Sequence[bytes], dim: int) -> Float:
        data: NDArray[np.generic] = np.frombuffer(b"".join(blobs), self._dtype)
        return data.astype(np.float32).reshape(len(blobs), dim)


class _Int8:
    """round(127 v / max |v|), then the scale as float32."""

    vector_type: VectorType = "int8"

    def encode(self, vectors: Float) -> list[bytes]:
        wide = np.asarray(vectors, np.float64)
        largest = np.abs(wide).max(axis=1, keepdims=True)
        numbers = np.rint(127 * wide / np.where(largest > 0, largest, 1))
        length = np.linalg.norm(numbers, axis=1)
        scales = (1 / np.where(length > 0, length, 1)).astype("<f4")
        rows = numbers.astype(np.int8)
        return [a.tobytes() + b.tobytes() for a, b in zip(rows, scales, strict=True)]

    def size(self, dim: int) -> int:
        return dim + 4

    def decode(self, blobs: Sequence[bytes], dim: int) -> Float:
        data = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), dim + 4)
        numbers = data[:, :dim].view(np.int8)
        scales = np.ascontiguousarray(data[:, dim:]).view("<f4")
        vectors: Float = (numbers * scales).astype(np.float32)
        return vectors


_CODECS: dict[VectorType, Callable[[], VectorCodec]] = {
    "float32": lambda: _Floats("float32", "<f4"),
    "float16": lambda: _Floats("float16", "<f2"),
    "int8": _Int8,
}


def vector_codec(vector_type: VectorType) -> VectorCodec:
    """Return the codec of a vector type."""
    return _CODECS[vector_type]()
