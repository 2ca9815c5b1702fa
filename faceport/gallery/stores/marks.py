"""Check sums of rows: `check` finds a bit that flipped on the disk and a row changed by hand.

The values are those of the columns as they are stored (encrypted where the gallery is), so that a
check needs no decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

Value = bytes | str | int | float | None


def row_bytes(place: str, values: Sequence[Value]) -> bytes:
    """Write a row's place and values one after the other, so that no two rows are written alike."""
    parts = [_typed(value) for value in (place, *values)]
    return b"".join(struct.pack(">cQ", kind, len(data)) + data for kind, data in parts)


def _typed(value: Value) -> tuple[bytes, bytes]:
    if isinstance(value, str):
        return b"t", value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"b", value
    if value is None:
        return b"n", b""
    if isinstance(value, float):
        return b"f", struct.pack(">d", value)
    return b"i", str(value).encode()
