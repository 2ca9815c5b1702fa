"""A gallery in one SQLite file: readers work on while one writes.

One connection writes, of one thread at a time; each reader has a connection of its own while it
reads, kept for the next one afterwards.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceport.errors import GalleryError
from faceport.gallery.stores.base import Reader, Writer
from faceport.gallery.stores.connections import (
    BUSY_SECONDS,
    can_write,
    connect,
    has_commits_beside,
    reading_mode,
    translated,
    use_wal,
)
from faceport.gallery.stores.marks import write_marks
from faceport.gallery.stores.migrations import OLDER, migrate
from faceport.gallery.stores.rows import SqliteReader
from faceport.gallery.stores.schema import (
    SCHEMA_VERSION,
    create_tables,
    schema_version,
    tables_of,
)
from faceport.gallery.stores.sealing import sealing_of, set_key
from faceport.gallery.stores.soundness import find_problems
from faceport.gallery.stores.vectors import Unsealed, vector_codec
from faceport.gallery.stores.writing import SqliteWriter
from faceport.gallery.types import Float, Problem

INDEX_SUFFIX = ".index"


def open_store(location: str, *, create: bool = True, key: bytes | None = None) -> SqliteStore:
    """Open a gallery file, making it where `create` allows, and bring an older one up to date.

    Raises:
        GalleryError: it is missing, no gallery, damaged, of a newer schema, or sealed with another
            key; or it must be changed and can't be.
    """
    path = Path(location)
    if not path.is_file() and not (create and not path.exists()):
        raise GalleryError(
            f"there is no gallery at {path}", fix="enroll somebody first: `faceport enroll`"
        )
    with translated(path):
        if can_write(path):
            writing = connect(path, "rwc" if create else "rw")
            try:
                _prepare(writing, path, key)
            except BaseException:
                writing.close()
                raise
            return SqliteStore(path, writing, key)
        if not path.is_file():
            raise GalleryError(
                f"no gallery can be made at {path}", fix="choose a folder that can be written"
            )
        store = SqliteStore(path, None, key)
        try:
            with store.snapshot():
                pass
        except BaseException:
            store.close()
            raise
        return store


class SqliteStore:
    """See `base.Store`."""

    def __init__(self, path: Path, writing: sqlite3.Connection | None, key: bytes | None) -> None:
        """Take over a connection for writing to a file that was prepared; None: read only."""
        self._path = path
        self._writing = writing
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._mode = "ro" if writing is not None else reading_mode(path)
        self._seen = _stamp(path)
        self._unforgotten = False
        self._closed = False
        first = writing or self._reader()
        try:
            self._sealing = sealing_of(_checked(first, path), key, path)
        except BaseException:
            first.close()
            raise
        if writing is None:
            self._idle.append(first)

    @property
    def location(self) -> str:
        """Where it is."""
        return str(self._path)

    @property
    def read_only(self) -> bool:
        """Whether it can't be written to."""
        return self._writing is None

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a consistent view, as of now, for reading; writers go on meanwhile."""
        with translated(self._path):
            connection = self._reader()
            try:
                connection.execute("BEGIN")
                yield SqliteReader(connection, self.location, self._sealing)
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    @contextmanager
    def transaction(self) -> Iterator[Writer]:
        """Begin the one transaction; committed at the block's end, rolled back on any exception."""
        connection = self._writing
        if connection is None:
            raise GalleryError(
                f"gallery {self._path} can't be written",
                fix="copy it to where the file and its folder can be written",
            )
        with translated(self._path), self._one_thread():
            connection.execute("BEGIN IMMEDIATE")
            try:
                writer = SqliteWriter(connection, self.location, self._sealing)
                yield writer
                writer.finish()
                if writer.erased:
                    # Before the commit, so that no kill leaves a deleted face in an index.
                    shutil.rmtree(f"{self._path}{INDEX_SUFFIX}", ignore_errors=True)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._forget(connection, writer.erased)

    def as_stored(self, vectors: Float) -> Float:
        """Return what would be read back of (n, D) float32 vectors after they are written."""
        with self.snapshot() as reader:
            codec = vector_codec(reader.vector_type())
        return codec.decode(codec.encode(vectors), vectors.shape[1])

    def check(self) -> list[Problem]:
        """Look for damage in the database itself: pages, references, orphans, counters."""
        try:
            with translated(self._path):
                connection = self._reader()
                try:
                    return find_problems(connection, self._sealing)
                finally:
                    connection.close()
        except GalleryError as error:
            return [Problem("database", str(error))]

    def index_folder(self) -> str | None:
        """Folder for index files (it may not be there yet); None where none can be kept."""
        # An index holds the vectors in clear.
        if self.read_only or not isinstance(self._sealing, Unsealed):
            return None
        return f"{self._path}{INDEX_SUFFIX}"

    def close(self) -> None:
        """Let go of files and connections; safe to call twice."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        # Last, as the last connection that can write empties the log file.
        if self._writing is not None:
            self._writing.close()

    def _reader(self) -> sqlite3.Connection:
        if self._closed:
            raise GalleryError(f"gallery {self._path} was closed", fix="open it again")
        if self._mode == "immutable" and (
            self._seen != _stamp(self._path) or has_commits_beside(self._path)
        ):
            self._mode, self._seen = reading_mode(self._path), _stamp(self._path)
            while self._idle:
                self._idle.pop().close()
        try:
            return self._idle.pop()
        except IndexError:
            return connect(self._path, self._mode)

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise GalleryError(
                f"gallery {self._path} stayed locked by another thread for {BUSY_SECONDS:.0f} s",
                fix="end the transaction that it has open",
            )
        try:
            yield
        finally:
            self._lock.release()

    def _forget(self, connection: sqlite3.Connection, erased: bool) -> None:
        """Move commits out of the log file and empty it, so that nothing erased stays in it.

        While somebody reads an older state it can't be done: the next transaction tries again.
        """
        self._unforgotten |= erased
        if self._unforgotten:
            connection.execute("PRAGMA busy_timeout = 100")
            try:
                (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._unforgotten = bool(busy)
            except sqlite3.OperationalError:
                # What was committed stays committed.
                pass
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _prepare(connection: sqlite3.Connection, path: Path, key: bytes | None) -> None:
    # Looked at before anything is changed, so that a file that is no gallery stays as it is.
    if not tables_of(connection):
        with _writing(connection):
            # Another process may have made the tables while this one waited for the lock.
            if not tables_of(connection):
                create_tables(connection)
                if key is not None:
                    set_key(connection, key)
                write_marks(connection, sealing_of(connection, key, path), 1)
    if _version(connection, path) in OLDER:
        with _writing(connection):
            migrate(connection, str(path))
    _checked(connection, path)
    use_wal(connection, path)


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> str:
    version = schema_version(connection)
    if version is None:
        raise GalleryError(
            f"{path} is a database, but not a gallery", fix="choose another --gallery"
        )
    if version not in (*OLDER, SCHEMA_VERSION):
        raise GalleryError(
            f"{path} has another schema version",
            received=version,
            expected=SCHEMA_VERSION,
            fix="use the faceport version that wrote it, or a newer one; the file was not changed",
        )
    return version


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    if _version(connection, path) != SCHEMA_VERSION:
        raise GalleryError(
            f"{path} is of an older schema and can't be brought up to date where it is",
            expected=f"schema {SCHEMA_VERSION}",
            fix="open it once where it can be written (`faceport gallery check`)",
        )
    return connection


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
