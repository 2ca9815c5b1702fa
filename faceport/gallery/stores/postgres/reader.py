"""Reads within one transaction on one connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from faceport.gallery.stores.base import (
    AuditRow,
    Changes,
    IdentityRow,
    SampleRow,
    StoreStats,
    VectorRows,
)
from faceport.gallery.stores.postgres.address import Method
from faceport.gallery.stores.postgres.binary import rows_from_copy, vector_from_bytes
from faceport.gallery.stores.postgres.columns import TYPES
from faceport.gallery.stores.postgres.statistics import read_stats
from faceport.gallery.types import Against, Space, VectorType

if TYPE_CHECKING:
    from faceport.gallery.stores.postgres.connections import Connection

BLOCK = 16_384
"""Rows read at once: 32 MB of 512 float32 numbers."""

_IDENTITY = """
SELECT id, name, metadata, created, changed,
    (SELECT count(*) FROM embeddings WHERE identity_id = identities.id)
FROM identities"""
_PAGES = {
    # By key, not by cursor: each page is a whole statement, so others may come between two.
    "templates": "SELECT id, -1::bigint, template_norm, template FROM identities "
    "WHERE template IS NOT NULL AND id > %(identity)s{only} ORDER BY id LIMIT %(rows)s",
    "samples": "SELECT identity_id, id, norm, embedding FROM embeddings "
    "WHERE (identity_id, id) > (%(identity)s, %(sample)s){only} "
    "ORDER BY identity_id, id LIMIT %(rows)s",
}
_ONLY = {"templates": " AND id = ANY(%(ids)s)", "samples": " AND identity_id = ANY(%(ids)s)"}
_COUNTS = {
    "templates": "SELECT count(template) FROM identities",
    "samples": "SELECT count(*) FROM embeddings",
}


class State(NamedTuple):
    """The gallery's one row of `state`."""

    version: int
    schema_version: int
    vector_type: VectorType
    fingerprint: str | None
    dim: int | None
    is_stub: bool | None
    index_method: Method

    @property
    def space(self) -> Space | None:
        """What the vectors are of."""
        if self.fingerprint is None:
            return None
        return Space(self.fingerprint, self.dim or 0, bool(self.is_stub))


def read_state(connection: Connection) -> State:
    """Read the gallery's state."""
    query = (
        "SELECT version, schema_version, vector_type, fingerprint, dim, is_stub, index_method "
        "FROM state"
    )
    return State(*cast("tuple[Any, ...]", connection.execute(query).fetchone()))


class PostgresReader:
    """A snapshot; see `faceport.gallery.stores.base.Reader`."""

    def __init__(self, connection: Connection) -> None:
        """Read in the transaction that `connection` is in."""
        self.connection = connection

    @cached_property
    def state(self) -> State:
        """The gallery's state in this snapshot."""
        return read_state(self.connection)

    def version(self) -> int:
        """Count of committed transactions."""
        return self.state.version

    def changes(self, since: int) -> Changes | None:
        """Identities changed and removed after a version."""
        if not 0 <= since <= self.version():
            # The database was restored from a copy.
            return None
        rows = self.all(
            "SELECT identity_id, removed FROM changes WHERE version > %s ORDER BY identity_id",
            since,
        )
        changed = tuple(row[0] for row in rows if not row[1])
        return Changes(self.version(), changed, tuple(row[0] for row in rows if row[1]))

    def space(self) -> Space | None:
        """The embedding space."""
        return self.state.space

    def vector_type(self) -> VectorType:
        """How vectors are kept."""
        return self.state.vector_type

    def meta(self, key: str) -> str | None:
        """A value kept under a key."""
        row = self.one("SELECT value FROM meta WHERE key = %s", key)
        return None if row is None else row[0]

    def identities(self) -> list[IdentityRow]:
        """All identities by name."""
        return [_identity(row) for row in self.all(f"{_IDENTITY} ORDER BY name")]

    def identity(self, name: str) -> IdentityRow | None:
        """The identity of that name."""
        row = self.one(f"{_IDENTITY} WHERE name = %s", name)
        return None if row is None else _identity(row)

    def names(self, ids: Sequence[int] | None = None) -> dict[int, str]:
        """Names by id."""
        if ids is None:
            return dict(self.all("SELECT id, name FROM identities"))
        return dict(self.all("SELECT id, name FROM identities WHERE id = ANY(%s)", _ids(ids)))

    def samples(self, identity_id: int) -> list[SampleRow]:
        """An identity's samples."""
        rows = self.all(self._samples("identity_id = %s ORDER BY id"), identity_id)
        return [self._sample(row) for row in rows]

    def sample(self, sample_id: int) -> SampleRow | None:
        """One sample."""
        row = self.one(self._samples("id = %s"), sample_id)
        return None if row is None else self._sample(row)

    def sources(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Sources by sample."""
        query = "SELECT id, source FROM embeddings WHERE id = ANY(%s)"
        return dict(self.all(query, _ids(sample_ids)))

    def crop(self, sample_id: int) -> bytes | None:
        """A sample's picture."""
        row = self.one("SELECT crop FROM embeddings WHERE id = %s", sample_id)
        return None if row is None else row[0]

    def has_image(self, image_hash: str) -> str | None:
        """Name of an identity that has the picture."""
        row = self.one(
            "SELECT name FROM embeddings JOIN identities ON identities.id = identity_id "
            "WHERE image_hash = %s AND image_hash <> '' ORDER BY embeddings.id LIMIT 1",
            image_hash,
        )
        return None if row is None else row[0]

    def count(self, against: Against) -> int:
        """Number of vectors."""
        row = self.one(_COUNTS[against])
        return int(row[0]) if row else 0

    def vectors(
        self, against: Against, identity_ids: Sequence[int] | None = None
    ) -> Iterator[VectorRows]:
        """Vectors in blocks."""
        space, vector_type = self.space(), self.vector_type()
        if space is None:
            return
        only = "" if identity_ids is None else _ONLY[against]
        query = f"COPY ({_PAGES[against].format(only=only)}) TO STDOUT (FORMAT BINARY)"
        place: dict[str, Any] = {"identity": 0, "sample": 0, "rows": BLOCK}
        if identity_ids is not None:
            place["ids"] = _ids(identity_ids)
        while True:
            with self.connection.cursor() as cursor, cursor.copy(query.encode(), place) as blocks:
                rows = rows_from_copy(blocks, vector_type, space.dim)
            if len(rows.identity_ids):
                yield rows
            if len(rows.identity_ids) < BLOCK:
                return
            place["identity"] = int(rows.identity_ids[-1])
            place["sample"] = int(rows.sample_ids[-1])

    def audit(self, limit: int | None = None) -> list[AuditRow]:
        """The audit log."""
        rows = self.all(
            "SELECT number, at, action, details, chain FROM audit ORDER BY number DESC LIMIT %s",
            limit,
        )
        return [AuditRow(*row) for row in reversed(rows)]

    def stats(self) -> StoreStats:
        """Figures."""
        return read_stats(self.connection, self.state.schema_version, self.state.index_method)

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.connection.execute(query.encode(), values or None, binary=True).fetchall()

    def one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Run a query and return its first row."""
        return self.connection.execute(query.encode(), values or None, binary=True).fetchone()

    def _samples(self, where: str) -> str:
        send = f"{TYPES[self.vector_type()]}_send"
        return (
            f"SELECT id, identity_id, {send}(embedding), norm, source, image_hash, added, "
            f"crop IS NOT NULL FROM embeddings WHERE {where}"
        )

    def _sample(self, row: tuple[Any, ...]) -> SampleRow:
        number, identity_id, vector, norm, source, image_hash, added, has_crop = row
        space = self.space()
        numbers = vector_from_bytes(vector, self.vector_type(), space.dim if space else 0)
        return SampleRow(
            number, identity_id, numbers, norm, source, image_hash, _time(added), has_crop
        )


def _identity(row: tuple[Any, ...]) -> IdentityRow:
    number, name, metadata, created, changed, samples = row
    # As `Gallery` writes it, whatever order jsonb keeps the keys in.
    text = json.dumps(metadata, sort_keys=True)
    return IdentityRow(number, name, text, _time(created), _time(changed), samples)


def _time(moment: datetime) -> str:
    return moment.isoformat()


def _ids(ids: Sequence[int]) -> list[int]:
    # psycopg knows no numpy integers of its own accord.
    return [int(number) for number in ids]
