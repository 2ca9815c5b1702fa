"""Reading a gallery file within one snapshot: see `base.Reader`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from faceport.errors import GalleryError
from faceport.gallery.stores.base import (
    AuditRow,
    Changes,
    IdentityRow,
    SampleRow,
    StoreStats,
    VectorRows,
)
from faceport.gallery.stores.schema import SCHEMA_VERSION
from faceport.gallery.stores.vectors import Sealing, vector_codec
from faceport.gallery.types import Against, Float, Space, VectorType

BLOCK = 65_536
IDS = 500
"""Ids asked for in one statement."""

KEPT_REMOVALS = 100_000
"""Versions for which removed identities are remembered."""

VECTORS = {
    "templates": ("templates", "identity_id, -1, vector, norm", "identity_id"),
    "samples": ("samples", "identity_id, id, vector, norm", "identity_id, id"),
}
SAMPLE_COLUMNS = (
    "id, identity_id, vector, norm, source, image_hash, added, "
    "EXISTS (SELECT 1 FROM crops WHERE sample_id = samples.id)"
)
IDENTITY_COLUMNS = (
    "id, name, metadata, created, changed, "
    "(SELECT COUNT(*) FROM samples WHERE identity_id = identities.id)"
)

IDENTITY_TYPES = (int, str, str, str, str, int)
SAMPLE_TYPES = (int, int, bytes, float, str, str, str, int)
VECTOR_TYPES = (int, int, bytes, float)
TEXT_TYPES = (int, str)
AUDIT_TYPES = (int, str, str, str, str)


class SqliteReader:
    """Reads on a connection in which a transaction has begun."""

    def __init__(self, connection: sqlite3.Connection, location: str, sealing: Sealing) -> None:
        """Take the snapshot: the first read of the transaction.

        Raises:
            GalleryError: another process has brought the file to a newer schema.
        """
        self._connection = connection
        self._location = location
        self._sealing = sealing
        self._meta: dict[str, str] = dict(connection.execute("SELECT key, value FROM meta"))
        if self._meta.get("schema_version") != SCHEMA_VERSION:
            raise GalleryError(
                f"gallery {location} has been changed to another schema version",
                received=self._meta.get("schema_version"),
                expected=SCHEMA_VERSION,
                fix="use the faceport version that changed it",
            )

    def version(self) -> int:
        """Count of committed transactions: grows with each, of whatever process."""
        return self._number("version")

    def changes(self, since: int) -> Changes | None:
        """List the identities changed and removed after version `since`."""
        version = self.version()
        if since == version:
            return Changes(version, (), ())
        if not version - KEPT_REMOVALS <= since < version:
            return None
        changed = self._connection.execute(
            "SELECT id FROM identities WHERE version > ? ORDER BY id", (since,)
        ).fetchall()
        removed = self._connection.execute(
            "SELECT identity_id FROM removed WHERE version > ? ORDER BY identity_id", (since,)
        ).fetchall()
        return Changes(version, tuple(r[0] for r in changed), tuple(r[0] for r in removed))

    def space(self) -> Space | None:
        """The embedding space that was set."""
        fingerprint = self._meta.get("fingerprint")
        if fingerprint is None:
            return None
        return Space(fingerprint, self._number("dim"), self._meta.get("is_stub") == "1")

    def vector_type(self) -> VectorType:
        """How vectors are kept."""
        name = self._meta.get("vector_type")
        for known in ("float32", "float16", "int8"):
            if name == known:
                return known
        raise self._damaged(f"vector type {name!r}", "float32, float16 or int8")

    def meta(self, key: str) -> str | None:
        """A value that was kept with `set_meta`."""
        return self._meta.get(key)

    def identities(self) -> list[IdentityRow]:
        """All identities by name (in the order of Unicode code points)."""
        rows = self._connection.execute(f"SELECT {IDENTITY_COLUMNS} FROM identities")
        return sorted((self._identity(row) for row in rows), key=lambda row: row.name)

    def identity(self, name: str) -> IdentityRow | None:
        """The identity of exactly that name."""
        row = self._connection.execute(
            f"SELECT {IDENTITY_COLUMNS} FROM identities WHERE name = ?",
            (self._sealing.seal_text(name, "identities.name"),),
        ).fetchone()
        return None if row is None else self._identity(row)

    def names(self, ids: Sequence[int] | None = None) -> dict[int, str]:
        """Names by id: of all identities, or of those of `ids` that are there."""
        rows = [*self._by_id("SELECT id, name FROM identities", "id", ids)]
        self._expect(rows, TEXT_TYPES)
        return {row[0]: self._sealing.open_text(row[1], "identities.name") for row in rows}

    def samples(self, identity_id: int) -> list[SampleRow]:
        """An identity's samples by id."""
        return self._samples("identity_id = ? ORDER BY id", identity_id)

    def sample(self, sample_id: int) -> SampleRow | None:
        """One sample."""
        rows = self._samples("id = ?", sample_id)
        return rows[0] if rows else None

    def sources(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Sources by sample id, of those that are there."""
        rows = [*self._by_id("SELECT id, source FROM samples", "id", sample_ids)]
        self._expect(rows, TEXT_TYPES)
        return {row[0]: self._sealing.open_text(row[1], "samples.source") for row in rows}

    def crop(self, sample_id: int) -> bytes | None:
        """The picture that was kept with a sample."""
        row = self._connection.execute(
            "SELECT data FROM crops WHERE sample_id = ?", (sample_id,)
        ).fetchone()
        if row is None:
            return None
        self._expect([row], (bytes,))
        return self._sealing.open(row[0], f"crops.data/{sample_id}")

    def has_image(self, image_hash: str) -> str | None:
        """Name of an identity with a sample of that (not empty) image hash."""
        if not image_hash:
            return None
        row = self._connection.execute(
            "SELECT name FROM samples JOIN identities ON identities.id = identity_id "
            "WHERE image_hash = ? AND image_hash != '' ORDER BY samples.id LIMIT 1",
            (self._sealing.seal_text(image_hash, "samples.image_hash"),),
        ).fetchone()
        if row is None:
            return None
        self._expect([row], (str,))
        return self._sealing.open_text(row[0], "identities.name")

    def count(self, against: Against) -> int:
        """How many vectors `vectors(against)` gives."""
        return self._count(VECTORS[against][0])

    def vectors(
        self, against: Against, identity_ids: Sequence[int] | None = None
    ) -> Iterator[VectorRows]:
        """Read all vectors, or those of some identities, in blocks of at most 65,536 rows."""
        table, columns, order = VECTORS[against]
        query = f"SELECT {columns} FROM {table}"
        for part in [None] if identity_ids is None else _parts(sorted(set(identity_ids))):
            where = "" if part is None else f" WHERE identity_id IN ({_marks(part)})"
            rows = self._connection.execute(f"{query}{where} ORDER BY {order}", part or ())
            while block := rows.fetchmany(BLOCK):
                yield self._vector_rows(table, block)

    def audit(self, limit: int | None = None) -> list[AuditRow]:
        """The audit log, oldest first; the newest `limit` lines where that is given."""
        rows = self._connection.execute(
            "SELECT number, at, action, details, chain FROM audit ORDER BY number DESC LIMIT ?",
            (-1 if limit is None else limit,),
        ).fetchall()
        self._expect(rows, AUDIT_TYPES)
        return [
            AuditRow(n, at, action, self._sealing.open_text(text, f"audit.details/{n}"), chain)
            for n, at, action, text, chain in reversed(rows)
        ]

    def stats(self) -> StoreStats:
        """Count what is there."""
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        (journal,) = self._connection.execute("PRAGMA journal_mode").fetchone()
        return StoreStats(
            schema=SCHEMA_VERSION,
            identities=self._count("identities"),
            samples=self._count("samples"),
            crops=self._count("crops"),
            audit_rows=self._count("audit"),
            bytes=pages * size,
            details={"store": "sqlite", "journal": journal, "free_bytes": str(free * size)},
        )

    def _count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    def _by_id(self, query: str, column: str, ids: Sequence[int] | None) -> Iterator[Any]:
        if ids is None:
            yield from self._connection.execute(query)
            return
        for part in _parts(ids):
            yield from self._connection.execute(f"{query} WHERE {column} IN ({_marks(part)})", part)

    def _identity(self, row: Sequence[Any]) -> IdentityRow:
        self._expect([row], IDENTITY_TYPES)
        name = self._sealing.open_text(row[1], "identities.name")
        metadata = self._sealing.open_text(row[2], f"identities.metadata/{row[0]}")
        return IdentityRow(row[0], name, metadata, row[3], row[4], row[5])

    def _samples(self, where: str, number: int) -> list[SampleRow]:
        rows = self._connection.execute(
            f"SELECT {SAMPLE_COLUMNS} FROM samples WHERE {where}", (number,)
        ).fetchall()
        self._expect(rows, SAMPLE_TYPES)
        vectors = self._decoded("samples", [row[0] for row in rows], [row[2] for row in rows])
        opened = self._sealing.open_text
        return [
            SampleRow(
                id=row[0],
                identity_id=row[1],
                vector=vector,
                norm=row[3],
                source=opened(row[4], "samples.source"),
                image_hash=row[5] and opened(row[5], "samples.image_hash"),
                added=row[6],
                has_crop=bool(row[7]),
            )
            for row, vector in zip(rows, vectors, strict=True)
        ]

    def _vector_rows(self, table: str, block: list[Any]) -> VectorRows:
        self._expect(block, VECTOR_TYPES)
        identity_ids, sample_ids, blobs, norms = zip(*block, strict=True)
        ids = sample_ids if table == "samples" else identity_ids
        return VectorRows(
            np.array(identity_ids, np.int64),
            np.array(sample_ids, np.int64),
            self._decoded(table, ids, blobs),
            np.array(norms, np.float32),
        )

    def _decoded(self, table: str, ids: Sequence[int], blobs: Sequence[bytes]) -> Float:
        space = self.space()
        if not blobs:
            return np.empty((0, 0 if space is None else space.dim), np.float32)
        if space is None:
            raise self._damaged("no fingerprint", "the embedder's")
        places = (f"{table}.vector/{number}" for number in ids)
        opened = [self._sealing.open(*pair) for pair in zip(blobs, places, strict=True)]
        codec = vector_codec(self.vector_type())
        if set(map(len, opened)) != {codec.size(space.dim)}:
            raise self._damaged("a vector of another length", f"{space.dim} numbers")
        return codec.decode(opened, space.dim)

    def _expect(self, rows: Sequence[Sequence[Any]], types: tuple[type, ...]) -> None:
        """Refuse rows of a damaged page, which may have anything in any column."""
        for column, expected in enumerate(types):
            for row in rows:
                if type(row[column]) is not expected:
                    raise self._damaged(f"{type(row[column]).__name__}", expected.__name__)

    def _number(self, key: str) -> int:
        text = self._meta.get(key, "")
        if not (text.isascii() and text.isdigit()):
            raise self._damaged(f"{key} {text[:20]!r}", "a number")
        return int(text)

    def _damaged(self, received: str, expected: str) -> GalleryError:
        return GalleryError(
            f"gallery {self._location} is damaged",
            received=received,
            expected=expected,
            fix="restore it from a copy; the file was changed by something else",
        )


def _parts(ids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), IDS):
        yield [int(number) for number in ids[start : start + IDS]]


def _marks(ids: Sequence[int]) -> str:
    return ", ".join("?" * len(ids))
