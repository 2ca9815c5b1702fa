"""Check sums: `check` finds a bit that flipped on the disk, and a row that was changed by hand.

One mark an identity covers its row, its template and its samples with their crops, and one covers
`meta`. They are written in the transaction that changed the rows. The values are those of the
columns as they are stored (encrypted where the gallery is), so that nothing is decoded. Without a
key a mark is a CRC-32; with one it is an HMAC, which nobody makes without the key. SQLite's own
`integrity_check` looks at the pages' structure and not at what is in them.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from typing import Protocol

Value = bytes | str | int | float | None

TABLE = """CREATE TABLE marks (
    identity_id INTEGER PRIMARY KEY REFERENCES identities(id) ON DELETE CASCADE,
    mark BLOB NOT NULL
)"""

_ROWS = (
    "SELECT id, name, metadata, created, changed FROM identities WHERE id = ?",
    "SELECT vector, norm FROM templates WHERE identity_id = ?",
    "SELECT s.id, vector, norm, source, image_hash, added, data FROM samples s "
    "LEFT JOIN crops ON sample_id = s.id WHERE identity_id = ? ORDER BY s.id",
)


class Marking(Protocol):
    """What makes a mark: a gallery's `Sealing`."""

    def mark(self, place: str, values: Sequence[Value]) -> bytes:
        """Make the check sum of values at a place."""


def write_marks(connection: sqlite3.Connection, marking: Marking, version: int) -> None:
    """Mark `meta` and the identities that commit `version` changed; the last thing before it."""
    changed = connection.execute("SELECT id FROM identities WHERE version = ?", (version,))
    connection.executemany(
        "INSERT OR REPLACE INTO marks VALUES (?, ?)",
        [(i, _identity_mark(connection, marking, i)) for (i,) in changed.fetchall()],
    )
    connection.execute(
        "INSERT OR REPLACE INTO meta VALUES ('mark', ?)", (_meta_mark(connection, marking),)
    )


def wrong_marks(connection: sqlite3.Connection, marking: Marking) -> Iterator[str]:
    """Say which rows are not what was written, by the ids of their identities."""
    kept = connection.execute("SELECT value FROM meta WHERE key = 'mark'").fetchone()
    if kept is None or kept[0] != _meta_mark(connection, marking):
        yield "the gallery's settings are not what was written"
    marks = dict(connection.execute("SELECT identity_id, mark FROM marks").fetchall())
    for (i,) in connection.execute("SELECT id FROM identities").fetchall():
        if marks.get(i) != _identity_mark(connection, marking, i):
            yield f"what is kept of identity {i} is not what was written"


def row_bytes(place: str, values: Sequence[Value]) -> bytes:
    """Write a row's place and values one after the other, so that no two rows are written alike."""
    parts = [_typed(value) for value in (place, *values)]
    return b"".join(struct.pack(">cQ", kind, len(data)) + data for kind, data in parts)


def _identity_mark(connection: sqlite3.Connection, marking: Marking, identity_id: int) -> bytes:
    values: list[Value] = []
    for statement in _ROWS:
        for row in connection.execute(statement, (identity_id,)):
            values += [len(row), *row]
    return marking.mark(f"identities/{identity_id}", values)


def _meta_mark(connection: sqlite3.Connection, marking: Marking) -> str:
    rows = connection.execute("SELECT key, value FROM meta WHERE key != 'mark' ORDER BY key")
    return marking.mark("meta", [value for row in rows for value in row]).hex()


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
