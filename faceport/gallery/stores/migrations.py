"""Older gallery files become those of today, each in one transaction.

Version 1 held one table of embeddings and no templates:

    meta(key, value), identities(id, name),
    embeddings(id, identity_id, vector float32, norm, source, added)
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone

import numpy as np

from faceport.errors import GalleryError
from faceport.gallery.stores.marks import write_marks
from faceport.gallery.stores.schema import TABLES, schema_version, set_counters
from faceport.gallery.stores.vectors import Unsealed
from faceport.gallery.templates import fuse

OLDER = ("1",)
"""Schema versions that `migrate` takes."""


def migrate(connection: sqlite3.Connection, location: str) -> None:
    """Bring a file of an older schema up to date, within the caller's transaction.

    Raises:
        GalleryError: a vector of the old file is damaged.
    """
    # Another process may have done it while this one waited for the lock.
    if schema_version(connection) == "1":
        _from_1(connection, location)
        write_marks(connection, Unsealed(), 1)


def _from_1(connection: sqlite3.Connection, location: str) -> None:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    connection.execute("ALTER TABLE identities RENAME TO identities_1")
    for statement in TABLES:
        if not statement.startswith("CREATE TABLE meta "):
            connection.execute(statement)
    connection.execute(
        "INSERT INTO identities SELECT i.id, name, '{}', COALESCE(MIN(added), :now), "
        "COALESCE(MAX(added), :now), 1 FROM identities_1 i "
        "LEFT JOIN embeddings e ON e.identity_id = i.id GROUP BY i.id",
        {"now": now},
    )
    connection.execute(
        "INSERT INTO samples SELECT id, identity_id, vector, norm, source, '', added "
        "FROM embeddings ORDER BY id"
    )
    connection.execute("DROP TABLE embeddings")
    connection.execute("DROP TABLE identities_1")
    set_counters(connection)
    _add_templates(connection, location)


def _add_templates(connection: sqlite3.Connection, location: str) -> None:
    row = connection.execute("SELECT value FROM meta WHERE key = 'dim'").fetchone()
    dim = int(row[0]) if row is not None and row[0].isdigit() else 0
    for (identity_id,) in connection.execute("SELECT id FROM identities").fetchall():
        samples = connection.execute(
            "SELECT vector, norm FROM samples WHERE identity_id = ? ORDER BY id", (identity_id,)
        ).fetchall()
        if any(len(blob) != 4 * dim or not dim for blob, _ in samples):
            raise GalleryError(
                f"gallery {location} is damaged: a vector of another length",
                expected=f"{dim} numbers",
                fix="restore it from a copy; the file was left as it was",
            )
        if samples:
            data = np.frombuffer(b"".join(blob for blob, _ in samples), "<f4")
            norms = np.array([norm for _, norm in samples], np.float32)
            vector, length = fuse(data.astype(np.float32).reshape(-1, dim), norms, "mean")
            connection.execute(
                "INSERT INTO templates VALUES (?, ?, ?)",
                (identity_id, vector.astype("<f4").tobytes(), length),
            )
