"""The tables of a gallery file, version 2.

meta(key, value)          schema_version, version (grows with every commit), id (of the file),
                          vector_type, fingerprint, dim, is_stub, and what `Gallery` keeps
identities                `version`: of the commit that last changed it
samples                   `vector`: see `vectors.py`
crops                     apart from the samples, so that reading all vectors does not read them
templates                 one an identity that has samples
marks                     check sums: see `marks.py`
removed                   identities that are gone, for readers that hold them in memory; no names
audit                     append-only: triggers refuse changes
"""

from __future__ import annotations

import sqlite3
import uuid

from faceport.gallery.stores.marks import TABLE as MARKS

SCHEMA_VERSION = "2"

TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE identities (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        metadata TEXT NOT NULL,
        created TEXT NOT NULL,
        changed TEXT NOT NULL,
        version INTEGER NOT NULL
    )""",
    """CREATE TABLE samples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        identity_id INTEGER NOT NULL REFERENCES identities(id) ON DELETE CASCADE,
        vector BLOB NOT NULL,
        norm REAL NOT NULL,
        source TEXT NOT NULL,
        image_hash TEXT NOT NULL,
        added TEXT NOT NULL
    )""",
    """CREATE TABLE crops (
        sample_id INTEGER PRIMARY KEY REFERENCES samples(id) ON DELETE CASCADE,
        data BLOB NOT NULL
    )""",
    """CREATE TABLE templates (
        identity_id INTEGER PRIMARY KEY REFERENCES identities(id) ON DELETE CASCADE,
        vector BLOB NOT NULL,
        norm REAL NOT NULL
    )""",
    MARKS,
    "CREATE TABLE removed (identity_id INTEGER PRIMARY KEY, version INTEGER NOT NULL)",
    """CREATE TABLE audit (
        number INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        details TEXT NOT NULL,
        chain TEXT NOT NULL
    )""",
    """CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    "CREATE INDEX identities_version ON identities(version)",
    "CREATE INDEX samples_identity ON samples(identity_id)",
    "CREATE INDEX samples_image ON samples(image_hash) WHERE image_hash != ''",
    "CREATE INDEX removed_version ON removed(version)",
)


def tables_of(connection: sqlite3.Connection) -> set[str]:
    """List what a database holds."""
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def schema_version(connection: sqlite3.Connection) -> str | None:
    """Read the schema version; None in a database that is no gallery."""
    if not {"meta", "identities"} <= tables_of(connection):
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return None if row is None else str(row[0])


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty gallery, within the caller's transaction."""
    for statement in TABLES:
        connection.execute(statement)
    set_counters(connection)


def set_counters(connection: sqlite3.Connection) -> None:
    """Write the rows of `meta` that every gallery file has."""
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [
            ("schema_version", SCHEMA_VERSION),
            ("version", "1"),
            ("id", uuid.uuid4().hex),
            ("vector_type", "float32"),
        ],
    )
