"""How a gallery file is opened: for writing, for reading only, or from a disk that can't change."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from faceport.errors import GalleryError

BUSY_SECONDS = 30.0

Mode = Literal["rwc", "rw", "ro", "immutable"]

log = logging.getLogger(__name__)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn sqlite3's errors into ours.

    Raises:
        GalleryError: the file is locked, damaged, read-only, or the disk is full.
    """
    try:
        yield
    # sqlite3 raises the second where damaged text is part of its own message.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise GalleryError(
            f"gallery {path}: {error}",
            fix="check that it is a gallery file, not locked by another program, and the disk "
            "has room; what was enrolled before is kept",
        ) from error


def connect(path: Path, mode: Mode) -> sqlite3.Connection:
    """Open a database; `rwc` makes it where it is missing.

    A connection may be used by any thread, but by one at a time.
    """
    query = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten with zeros, not only unlinked.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def can_write(path: Path) -> bool:
    """Whether the file, or one in its place, can be written; SQLite writes beside it too."""
    if not os.access(path.parent, os.W_OK):
        return False
    return not path.exists() or os.access(path, os.W_OK)


def reading_mode(path: Path) -> Mode:
    """Find out how a file that can't be written can be read.

    SQLite reads a WAL database on a read-only disk only if it is told that nobody writes to it;
    on such a disk nobody does, and `Reading.stale` looks all the same.

    Raises:
        GalleryError: there are commits in its `-wal` file, which can't be read that way.
    """
    try:
        probe = connect(path, "ro")
        try:
            probe.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        finally:
            probe.close()
    except sqlite3.OperationalError as error:
        if has_commits_beside(path):
            raise GalleryError(
                f"gallery {path} was not closed, and can't be recovered here: {error}",
                fix="open it once where it can be written (`faceport gallery check`), and copy it "
                "then",
            ) from error
        return "immutable"
    return "ro"


def has_commits_beside(path: Path) -> bool:
    """Whether a `-wal` file with something in it lies beside the database."""
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except OSError:
        return False


def use_wal(connection: sqlite3.Connection, path: Path) -> str:
    """Let readers go on while somebody writes; return the journal mode that came of it.

    WAL needs memory that processes share, which some network file systems do not have. There the
    older journal stays: as safe, but readers and the writer wait for each other.
    """
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        log.warning(
            "gallery %s: no write-ahead log on this file system (journal mode %s); readers and "
            "writers wait for each other",
            path,
            mode,
        )
    return str(mode)
