"""Connections to the server: pooled, made anew where the server was restarted.

A COMMIT that got no answer may have been done or not. Each transaction leaves a token of its own in
the table `commits`, for which the server is asked then. So nothing is reported as written that was
not, or the other way round, and whoever is told that nothing was written may do it again.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from faceport.errors import GalleryError, InputError
from faceport.gallery.stores.postgres.address import Address
from faceport.gallery.stores.postgres.failures import (
    failure,
    interrupted,
    lost,
    refusal,
    translated,
)

if TYPE_CHECKING:
    import psycopg

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

# A table that is rewritten (another type of vectors) looks empty to a snapshot from before. So the
# tables are locked first, which takes no snapshot, and always in this order, so nobody deadlocks.
READ = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
    "LOCK TABLE identities, embeddings IN ACCESS SHARE MODE"
)
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
LOCK = "SELECT version FROM state FOR UPDATE"
"""Takes the one lock that writers of a gallery take in turn."""

PAUSE = 0.25
"""Seconds between two attempts to reach a server that was lost."""
LOCK_SECONDS = 30


class Connections:
    """A pool of connections to one gallery."""

    def __init__(self, address: Address) -> None:
        """Prepare the pool; nothing is connected yet.

        Raises:
            InputError: libpq does not take the address.
        """
        from psycopg_pool import ConnectionPool

        # The pool tells its log of every attempt to reach a server that is away. Without a handler
        # Python would print that to stderr; whoever sets up logging still gets it.
        log = logging.getLogger("psycopg.pool")
        if not log.handlers:
            log.addHandler(logging.NullHandler())
        self._address = address
        self._arguments = _arguments(address)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            address.conninfo,
            kwargs=self._arguments,
            min_size=0,
            max_size=address.options.pool_size,
            open=False,
            configure=self._configure,
            # Of no use to try longer: whoever needs a connection asks again.
            reconnect_timeout=PAUSE,
            num_workers=1,
            name=f"faceport {address.location}",
        )

    def connect(self) -> Connection:
        """Connect outside the pool.

        Raises:
            psycopg.Error: the server is not there or lets us not in.
        """
        import psycopg

        return psycopg.connect(self._address.conninfo, **self._arguments)

    def open(self) -> None:
        """Let the pool make connections."""
        self._pool.open()

    def close(self) -> None:
        """Close all connections; safe to call twice."""
        self._pool.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a snapshot.

        Raises:
            GalleryUnreachableError: the server is not there.
            GalleryInterruptedError: it was lost before the block's end.
            GalleryError: it refused.
        """
        with translated(self._address.location):
            connection = self._begin(READ, "SELECT 1")
        try:
            with translated(self._address.location, begun=True):
                yield connection
        finally:
            self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, str]]:
        """Open the gallery's one transaction: committed at the end, undone where the block raises.

        Yields:
            The connection, and the token that the block leaves in `commits`.

        Raises:
            GalleryUnreachableError: the server is not there.
            GalleryInterruptedError: it was lost before it had committed; nothing was written.
            GalleryError: it refused; nothing was written.
        """
        with translated(self._address.location):
            connection = self._begin(WRITE, LOCK)
        token = str(uuid.uuid4())
        try:
            with translated(self._address.location, begun=True):
                yield connection, token
                self._commit(connection, token)
        finally:
            self._give_back(connection)

    def _begin(self, begin: str, query: str) -> Connection:
        """Begin a transaction on a connection that works; nothing was done before, so try on."""
        deadline = time.monotonic() + self._address.options.reconnect
        while True:
            connection = self._take(deadline)
            try:
                connection.execute(begin)
                connection.execute(query)
            except BaseException as error:
                self._give_back(connection)
                if not lost(error) or time.monotonic() > deadline:
                    raise
                continue
            return connection

    def _take(self, deadline: float) -> Connection:
        from psycopg_pool import PoolTimeout

        while True:
            try:
                return self._pool.getconn(timeout=PAUSE)
            except PoolTimeout:
                self._look(late=time.monotonic() > deadline)

    def _look(self, *, late: bool) -> None:
        """Find out why the pool has no connection; return where it is worth asking again."""
        import psycopg

        try:
            with self.connect() as connection:
                self._configure(connection)
        except psycopg.Error as error:
            if late or refusal(error) or not lost(error):
                raise failure(self._address.location, error) from error
        else:
            if late:
                raise GalleryError(
                    f"gallery {self._address.location}: all connections are busy",
                    received=f"pool_size={self._address.options.pool_size}",
                    fix="raise pool_size in the address, or use fewer threads",
                )

    def _commit(self, connection: Connection, token: str) -> None:
        import psycopg

        try:
            done = connection.execute("COMMIT").statusmessage == "COMMIT"
        except psycopg.Error as error:
            if not lost(error):
                raise
            done = self._was_committed(token)
        if not done:
            raise interrupted(self._address.location)

    def _was_committed(self, token: str) -> bool:
        import psycopg

        schema, deadline = self._address.schema, time.monotonic() + self._address.options.reconnect
        while True:
            with suppress(psycopg.Error), self.connect() as connection, connection.transaction():
                # Waits for the end of the transaction, should the server still be at work on it.
                connection.execute(f'SELECT FROM "{schema}".state FOR UPDATE'.encode())
                query = f'SELECT FROM "{schema}".commits WHERE token = %s'
                return connection.execute(query.encode(), (token,)).fetchone() is not None
            if time.monotonic() > deadline:
                raise GalleryError(
                    f"gallery {self._address.location}: the server was lost while it committed",
                    fix="look whether the last change is there when the server is back",
                )
            time.sleep(PAUSE)

    def _give_back(self, connection: Connection) -> None:
        import psycopg

        # An error here would hide the one before. The pool closes what is broken.
        with suppress(psycopg.Error):
            if not connection.closed and connection.info.transaction_status:
                connection.execute("ROLLBACK")
        self._pool.putconn(connection)

    def _configure(self, connection: Connection) -> None:
        from pgvector.psycopg import register_vector

        options = self._address.options
        settings = {
            "search_path": f"{self._address.schema}, {extension_schema(connection) or 'public'}",
            "statement_timeout": f"{options.statement_timeout}s",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "TimeZone": "UTC",
            "hnsw.ef_search": str(options.ef_search),
            "hnsw.iterative_scan": "strict_order",
        }
        for key, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (key, value))
        register_vector(connection)


def extension_schema(connection: Connection) -> str | None:
    """Find the schema of the extension `vector`, quoted; None where it is not installed."""
    row = connection.execute(
        "SELECT quote_ident(nspname) FROM pg_extension "
        "JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'"
    ).fetchone()
    return None if row is None else str(row[0])


def _arguments(address: Address) -> dict[str, Any]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(address.conninfo)
    except psycopg.Error:
        # Not chained: libpq's message may quote the password.
        raise InputError(
            "this is no address of a PostgreSQL gallery",
            received=address.location,
            expected="postgresql://USER@HOST/DATABASE?gallery=NAME and libpq's parameters",
            fix="percent-encode odd characters of a password, or use PGPASSWORD or ~/.pgpass",
        ) from None
    defaults = {"connect_timeout": 10, "application_name": "faceport"}
    return {"autocommit": True} | {k: v for k, v in defaults.items() if k not in given}
