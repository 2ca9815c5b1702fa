"""Writes within the gallery's one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceport.errors import GalleryError
from faceport.gallery.stores.base import AuditRow, NewSample
from faceport.gallery.stores.postgres.address import Method, Options
from faceport.gallery.stores.postgres.columns import (
    check_dimension,
    column_type,
    drop_indexes,
    make_indexes,
    shape_columns,
)
from faceport.gallery.stores.postgres.reader import PostgresReader
from faceport.gallery.types import Float, Space, VectorType

if TYPE_CHECKING:
    from pgvector import HalfVector, Vector

    from faceport.gallery.stores.postgres.connections import Connection

KEPT_TOKENS = 1000
"""Commits that may be asked for: a server that was lost is asked a minute later, not a day."""

_ADD_SAMPLE = """
INSERT INTO embeddings (identity_id, embedding, norm, source, image_hash, crop, added)
VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id"""
_MARK = """
INSERT INTO changes (identity_id, version, removed) SELECT unnest(%s::bigint[]), %s, %s
ON CONFLICT (identity_id) DO UPDATE SET version = excluded.version, removed = excluded.removed"""


class PostgresWriter(PostgresReader):
    """Reads and writes; see `faceport.gallery.stores.base.Writer`."""

    def __init__(self, connection: Connection, options: Options) -> None:
        """Write in the transaction that `connection` is in and that holds the write lock."""
        super().__init__(connection)
        self._options = options
        self._counted = False
        self._changed: set[int] = set()
        self._removed: set[int] = set()

    def finish(self, token: str) -> None:
        """Write down which identities changed and leave the token; the last before the commit."""
        for ids, removed in ((self._changed - self._removed, False), (self._removed, True)):
            if ids:
                self._run(_MARK, sorted(ids), self.version(), removed)
        if self._counted:
            self._run("INSERT INTO commits (version, token) VALUES (%s, %s)", self.version(), token)
            self._run("DELETE FROM commits WHERE version < %s", self.version() - KEPT_TOKENS)

    def set_space(self, space: Space | None) -> None:
        """Set the embedding space; with another than before all vectors are removed."""
        if space == self.space():
            return
        method = self._method()
        if space:
            check_dimension(space, self.vector_type(), method)
        self._changed.update(self.names())
        shape_columns(self.connection, space, self.vector_type(), keep=False)
        self._run(
            "UPDATE state SET fingerprint = %s, dim = %s, is_stub = %s",
            space and space.fingerprint,
            space and space.dim,
            space and space.is_stub,
        )
        self._state_changed()
        self._index(method)

    def set_vector_type(self, vector_type: VectorType) -> None:
        """Choose how vectors are kept; those there are converted."""
        column_type(vector_type)
        if vector_type == self.vector_type():
            return
        space, method = self.space(), self._method()
        if space:
            check_dimension(space, vector_type, method)
        self._changed.update(self.names())
        shape_columns(self.connection, space, vector_type, keep=True)
        self._run("UPDATE state SET vector_type = %s", vector_type)
        self._state_changed()
        self._index(method)

    def set_index(self, method: Method) -> None:
        """Make or remove the graphs."""
        space = self.space()
        if space:
            check_dimension(space, self.vector_type(), method)
        if method == "none":
            drop_indexes(self.connection)
        self._index(method)

    def set_meta(self, key: str, value: str | None) -> None:
        """Keep a text under a key; None removes it."""
        if value is None:
            self._run("DELETE FROM meta WHERE key = %s", key)
        else:
            self._run(
                "INSERT INTO meta VALUES (%s, %s) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                key,
                value,
            )

    def add_identity(self, name: str, metadata: str, time: str) -> int:
        """Make an identity."""
        self._count()
        row = self.one(
            "INSERT INTO identities (name, metadata, created, changed) "
            "VALUES (%s, %s::jsonb, %s::timestamptz, %s::timestamptz) RETURNING id",
            name,
            metadata,
            time,
            time,
        )
        return self._touch(row[0] if row else 0)

    def rename_identity(self, identity_id: int, name: str, time: str) -> None:
        """Give an identity another name."""
        query = "UPDATE identities SET name = %s, changed = %s::timestamptz WHERE id = %s"
        self._run(query, name, time, self._touch(identity_id))

    def set_metadata(self, identity_id: int, metadata: str, time: str) -> None:
        """Replace an identity's metadata."""
        query = (
            "UPDATE identities SET metadata = %s::jsonb, changed = %s::timestamptz WHERE id = %s"
        )
        self._run(query, metadata, time, self._touch(identity_id))

    def touch_identity(self, identity_id: int, time: str) -> None:
        """Set when an identity last changed."""
        query = "UPDATE identities SET changed = %s::timestamptz WHERE id = %s"
        self._run(query, time, self._touch(identity_id))

    def delete_identity(self, identity_id: int) -> None:
        """Remove an identity and all that is its own."""
        self._run("DELETE FROM identities WHERE id = %s", identity_id)
        self._removed.add(int(identity_id))

    def add_samples(self, identity_id: int, samples: Sequence[NewSample]) -> list[int]:
        """Add samples."""
        rows = [
            (
                self._touch(identity_id),
                self._parameter(sample.vector),
                float(sample.norm),
                sample.source,
                sample.image_hash,
                sample.crop,
                sample.added,
            )
            for sample in samples
        ]
        ids: list[int] = []
        with self.connection.cursor() as cursor:
            cursor.executemany(_ADD_SAMPLE, rows, returning=True)
            while rows:
                ids += [int(row[0]) for row in cursor.fetchall()]
                if not cursor.nextset():
                    break
        return ids

    def move_samples(self, source_id: int, target_id: int) -> None:
        """Give one identity's samples to another."""
        query = "UPDATE embeddings SET identity_id = %s WHERE identity_id = %s"
        self._run(query, self._touch(target_id), self._touch(source_id))

    def delete_sample(self, sample_id: int) -> None:
        """Remove a sample."""
        query = "DELETE FROM embeddings WHERE id = %s RETURNING identity_id"
        for (owner,) in self.all(query, int(sample_id)):
            self._touch(owner)

    def set_vector(self, sample_id: int, vector: Float, norm: float) -> None:
        """Replace a sample's vector."""
        query = (
            "UPDATE embeddings SET embedding = %s, norm = %s WHERE id = %s RETURNING identity_id"
        )
        for (owner,) in self.all(query, self._parameter(vector), float(norm), int(sample_id)):
            self._touch(owner)

    def set_template(self, identity_id: int, vector: Float | None, norm: float) -> None:
        """Replace an identity's template."""
        value = None if vector is None else self._parameter(vector)
        query = "UPDATE identities SET template = %s, template_norm = %s WHERE id = %s"
        self._run(query, value, float(norm), self._touch(identity_id))

    def append_audit(self, row: AuditRow) -> None:
        """Add a line to the audit log."""
        query = "INSERT INTO audit (number, at, action, details, chain) VALUES (%s, %s, %s, %s, %s)"
        self._run(query, row.number, row.at, row.action, row.details, row.chain)

    def _run(self, query: str, *values: object) -> None:
        self._count()
        self.connection.execute(query.encode(), values)

    def _count(self) -> None:
        """Count this transaction, at its first write: one that writes nothing changes nothing."""
        if not self._counted:
            self._counted = True
            self.connection.execute("UPDATE state SET version = version + 1")
            self._state_changed()

    def _touch(self, identity_id: int) -> int:
        self._count()
        self._changed.add(int(identity_id))
        return int(identity_id)

    def _method(self) -> Method:
        """What the address asks for where the gallery is new, else what the gallery has."""
        if self.space() is None:
            return self._options.index or "hnsw"
        return self.state.index_method

    def _index(self, method: Method) -> None:
        if method == "hnsw" and self.space():
            make_indexes(self.connection, self.vector_type(), self._options)
        self._run("UPDATE state SET index_method = %s", method)
        self._state_changed()

    def _state_changed(self) -> None:
        self.__dict__.pop("state", None)

    def _parameter(self, vector: Float) -> Vector | HalfVector:
        space = self.space()
        if space is None or vector.shape != (space.dim,):
            raise GalleryError(
                "a vector does not fit the gallery",
                received=f"shape {vector.shape}",
                expected=f"({space.dim},)" if space else "a space that was set before",
            )
        return as_parameter(vector, self.vector_type())


def as_parameter(vector: Float, vector_type: VectorType) -> Vector | HalfVector:
    """Make a query's parameter of a vector."""
    from pgvector import HalfVector, Vector

    if vector_type == "float16":
        return HalfVector(np.asarray(vector, np.float16))
    return Vector(np.asarray(vector, np.float32))
