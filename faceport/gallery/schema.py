"""The tables of a gallery file, and how one is opened.

meta(key, value)                       schema version, fingerprint, dim, is_stub
identities(id, name)
embeddings(id, identity_id, vector, norm, source, added)   vector: float32, little endian
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceport.errors import GalleryError

SCHEMA_VERSION = "1"

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE identities (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    identity_id INTEGER NOT NULL REFERENCES identities(id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    norm REAL NOT NULL,
    source TEXT NOT NULL,
    added TEXT NOT NULL
);
CREATE INDEX embeddings_identity ON embeddings(identity_id);
"""


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a gallery file, making it where `create` allows.

    Raises:
        GalleryError: it is missing, no gallery, damaged, or of another schema.
    """
    if not create and not path.is_file():
        raise GalleryError(
            f"there is no gallery at {path}", fix="enroll somebody first: `faceport enroll`"
        )
    with translated(path):
        # Read-write without create where it exists, so that a mistyped path makes no file.
        mode = "rwc" if create else "rw"
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Looked at before any lock is taken, so that a gallery on a read-only disk can be searched.
    if not _tables(connection):
        _create(connection)
    if not {"meta", "identities", "embeddings"} <= _tables(connection):
        raise GalleryError(
            f"{path} is a database, but not a gallery", fix="choose another --gallery"
        )
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    if row is None or row[0] != SCHEMA_VERSION:
        raise GalleryError(
            f"{path} has another schema version",
            received=row and row[0],
            expected=SCHEMA_VERSION,
            fix="use the faceport version that wrote it",
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have made the tables while this one waited for the lock.
        if not _tables(connection):
            for statement in filter(str.strip, TABLES.split(";")):
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn sqlite3's errors into ours.

    Raises:
        GalleryError: the file is locked, damaged, read-only, or the disk is full.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise GalleryError(
            f"gallery {path}: {error}",
            fix="check that it is a gallery file, not locked by another program, and the disk "
            "has room; what was enrolled before is kept",
        ) from error
