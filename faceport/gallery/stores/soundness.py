"""Damage in a gallery file: pages, references, orphans, counters, lengths of vectors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice

from faceport.gallery.stores.marks import wrong_marks
from faceport.gallery.stores.vectors import Sealing, vector_codec
from faceport.gallery.types import Problem

MOST = 100
"""Problems listed of one kind: a broken disk has millions."""

ORPHANS = {
    "samples without an identity": "SELECT id FROM samples WHERE identity_id NOT IN "
    "(SELECT id FROM identities)",
    "crops without a sample": "SELECT sample_id FROM crops WHERE sample_id NOT IN "
    "(SELECT id FROM samples)",
    "templates without an identity": "SELECT identity_id FROM templates WHERE identity_id NOT IN "
    "(SELECT id FROM identities)",
    "identities that are there and removed": "SELECT id FROM identities WHERE id IN "
    "(SELECT identity_id FROM removed)",
    "identities with samples and no template": "SELECT id FROM identities WHERE "
    "id IN (SELECT identity_id FROM samples) AND id NOT IN (SELECT identity_id FROM templates)",
    "identities with a template and no samples": "SELECT identity_id FROM templates WHERE "
    "identity_id NOT IN (SELECT identity_id FROM samples)",
}
VERSION = "(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'version')"
COUNTERS = {
    "identities changed after the gallery's version": "SELECT id FROM identities WHERE "
    f"version > {VERSION}",
    "identities removed after the gallery's version": "SELECT identity_id FROM removed WHERE "
    f"version > {VERSION}",
    "identities with an id that was not given yet": "SELECT id FROM identities WHERE id > "
    "(SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'identities')",
    "samples with an id that was not given yet": "SELECT id FROM samples WHERE id > "
    "(SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'samples')",
}


def find_problems(connection: sqlite3.Connection, sealing: Sealing) -> list[Problem]:
    """Look through a gallery file in one snapshot.

    Raises:
        sqlite3.Error: it is too damaged to be looked through.
    """
    connection.execute("BEGIN")
    broken = [
        Problem("database", str(row[0]))
        for row in connection.execute(f"PRAGMA integrity_check({MOST})")
        if row[0] != "ok"
    ]
    # Rows of broken pages say nothing about anything else.
    return broken or [
        *_references(connection),
        *_vectors(connection, sealing),
        *(Problem("marks", text) for text in islice(wrong_marks(connection, sealing), MOST)),
    ]


def _references(connection: sqlite3.Connection) -> Iterator[Problem]:
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(MOST):
        yield Problem("rows", f"{table} row {row} belongs to nothing in {parent}")
    for kind, queries in (("rows", ORPHANS), ("counters", COUNTERS)):
        for what, query in queries.items():
            for (number,) in connection.execute(f"{query} LIMIT {MOST}"):
                yield Problem(kind, f"{what}: {number}")


def _vectors(connection: sqlite3.Connection, sealing: Sealing) -> Iterator[Problem]:
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    rows = connection.execute("SELECT COUNT(*) FROM samples").fetchone()[0]
    dim, kind = meta.get("dim", "0"), meta.get("vector_type")
    if kind not in ("float32", "float16", "int8"):
        yield Problem("vectors", f"unknown vector type {kind!r}")
    elif not (dim.isascii() and dim.isdigit()) or (rows and "fingerprint" not in meta):
        yield Problem("vectors", f"{rows} samples of an unknown space (dimension {dim[:20]!r})")
    else:
        size = len(sealing.seal(b"\0" * vector_codec(kind).size(int(dim)), "samples.vector/0"))
        for table, column in (("samples", "id"), ("templates", "identity_id")):
            query = f"SELECT {column}, length(vector) FROM {table} WHERE length(vector) != ?"
            for number, found in connection.execute(f"{query} LIMIT {MOST}", (size,)):
                yield Problem(
                    "vectors", f"{table} {number}: {found} bytes where {size} are expected"
                )
