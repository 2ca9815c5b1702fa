"""A gallery's rows in PostgreSQL with pgvector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from faceport.errors import GalleryError, InputError
from faceport.gallery.stores.base import Ids, Reader
from faceport.gallery.stores.postgres.address import parse_address
from faceport.gallery.stores.postgres.connections import Connections
from faceport.gallery.stores.postgres.failures import import_psycopg, translated
from faceport.gallery.stores.postgres.reader import PostgresReader
from faceport.gallery.stores.postgres.schema import MIGRATIONS, newer_schema, prepare
from faceport.gallery.stores.postgres.search import nearest
from faceport.gallery.stores.postgres.statistics import find_problems
from faceport.gallery.stores.postgres.writer import PostgresWriter
from faceport.gallery.types import Against, Float, Problem, VectorType

if TYPE_CHECKING:
    from faceport.gallery.stores.postgres.connections import Connection


def open_store(uri: str, *, create: bool = True, key: bytes | None = None) -> PostgresStore:
    """Open a gallery, making its tables where `create` allows; see `PostgresStore`.

    Raises:
        InputError: a key is given: a server can't search vectors that it can't read.
        GalleryError: as `PostgresStore` says.
    """
    if key is not None:
        raise InputError(
            "a gallery in PostgreSQL is not sealed with a key",
            fix="leave the key away and let the server encrypt its disk, or use a SQLite file",
        )
    return PostgresStore(uri, create=create)


class PostgresStore:
    """A store (`faceport.gallery.stores.base`) that can search by itself.

    Writers of one gallery take turns: one holds the row of `state` from its first to its last
    statement. Readers never wait for them.
    """

    def __init__(self, uri: str, *, create: bool = True) -> None:
        """Open a gallery, making its tables where `create` allows.

        Args:
            uri: `postgresql://USER@HOST/DATABASE?gallery=NAME`; see `address.Options` for what else
                it may say, besides libpq's own parameters.
            create: make it where there is none.

        Raises:
            MissingDependencyError: the extra `postgres` is not installed.
            InputError: the address is not usable.
            GalleryUnreachableError: the server is not there or lets us not in.
            GalleryError: there is no gallery, or of a newer schema, or no pgvector.
        """
        import_psycopg()
        address = parse_address(uri)
        self.location = address.location
        self._options = address.options
        self._connections = Connections(address)
        with translated(self.location):
            with self._connections.connect() as connection:
                prepare(connection, address.schema, self.location, create=create)
                self.read_only = _only_reads(connection, address.schema)
            self._connections.open()
        self._vector_type: VectorType = "float32"
        try:
            self._make_index_as_asked()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[PostgresReader]:
        """Open a consistent view."""
        with self._connections.reading() as connection:
            reader = PostgresReader(connection)
            self._look_at(reader)
            yield reader

    @contextmanager
    def transaction(self) -> Iterator[PostgresWriter]:
        """Begin the one transaction."""
        if self.read_only:
            raise GalleryError(
                f"gallery {self.location} can only be read",
                fix="enroll at the primary server, with a role that may write to its tables",
            )
        with self._connections.writing() as (connection, token):
            writer = PostgresWriter(connection, self._options)
            self._look_at(writer)
            yield writer
            writer.finish(token)
            vector_type = writer.vector_type()
        self._vector_type = vector_type

    def as_stored(self, vectors: Float) -> Float:
        """Return what would be read back."""
        if self._vector_type == "float16":
            return vectors.astype(np.float16).astype(np.float32)
        return np.asarray(vectors, np.float32)

    def nearest(
        self, reader: Reader, queries: Float, k: int, against: Against
    ) -> tuple[Float, Ids, Ids]:
        """Find the nearest vectors on the server."""
        if not isinstance(reader, PostgresReader):
            raise TypeError(f"not a reader of this store: {type(reader).__name__}")
        return nearest(reader, queries, k, against, exact=bool(self._options.exact))

    def check(self) -> list[Problem]:
        """Look for rows that contradict each other."""
        with self._connections.reading() as connection:
            return list(find_problems(connection))

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _make_index_as_asked(self) -> None:
        with self.snapshot() as reader:
            asked, has = self._options.index, reader.state.index_method
            settled = reader.space() is None or asked in (None, has)
        if asked and not settled and not self.read_only:
            with self.transaction() as writer:
                writer.set_index(asked)

    def _look_at(self, reader: PostgresReader) -> None:
        # Another process may have changed both since the gallery was opened.
        self._vector_type = reader.vector_type()
        if reader.state.schema_version > max(MIGRATIONS):
            raise newer_schema(self.location, reader.state.schema_version, max(MIGRATIONS))


def _only_reads(connection: Connection, schema: str) -> bool:
    row = connection.execute(
        "SELECT pg_is_in_recovery() OR NOT has_table_privilege(%s, 'UPDATE')",
        (f'"{schema}".state',),
    ).fetchone()
    return row is None or bool(row[0])
