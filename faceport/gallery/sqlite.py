"""A gallery in one SQLite file: transactions, one embedding space, exact search.

The vectors are read into one matrix when they are first searched and after every change; a search
is one matrix product over unit vectors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from faceport.errors import FingerprintMismatchError, GalleryError, InputError
from faceport.gallery.index import Index, build_index, search_index
from faceport.gallery.names import check_name
from faceport.gallery.schema import connect, translated
from faceport.gallery.types import Identity, Match
from faceport.runtime.types import Embedder, Embedding

UNIT_TOLERANCE = 1e-3


class Gallery:
    """Identities with several embeddings each, all of one embedder.

    The first enrolment fixes the embedder's fingerprint; embeddings of any other are refused then,
    both for enrolment and for search.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        """Open the gallery file at `path`.

        Raises:
            GalleryError: it is missing and `create` is false, or it is no gallery.
        """
        self.path = Path(path)
        self._connection = connect(self.path, create=create)
        self._index: Index | None = None

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def enroll(self, name: str, embeddings: Sequence[Embedding], sources: Sequence[str]) -> int:
        """Add embeddings to the identity `name`, making it where it is new; all or none.

        A vector that the identity has already is not added again.

        Args:
            name: 1 to 200 characters, not blank; `unknown` is kept for faces that match nobody.
            embeddings: at least one.
            sources: where each came from (a file's name), for the user's eyes.

        Returns:
            How many were added.

        Raises:
            FingerprintMismatchError: they are of another embedder than the gallery's.
            GalleryError: the file could not be written.
            InputError: the name is not usable, or there is nothing to add.
        """
        check_name(name)
        if not embeddings or len(embeddings) != len(sources):
            raise InputError(
                "an enrolment needs one source for each of its embeddings",
                received=f"{len(embeddings)} embeddings, {len(sources)} sources",
                expected="the same number, at least 1",
            )
        with self._transaction() as connection:
            for embedding in embeddings:
                self._admit(connection, embedding)
            return _insert(connection, name, embeddings, sources)

    def delete(self, name: str) -> None:
        """Remove an identity and its embeddings.

        Raises:
            GalleryError: there is none of that name.
        """
        with self._transaction() as connection:
            if not connection.execute("DELETE FROM identities WHERE name = ?", (name,)).rowcount:
                raise GalleryError(f"{self.path} holds nobody of that name", received=repr(name))

    def identities(self) -> list[Identity]:
        """List the identities by name."""
        with translated(self.path):
            rows = self._connection.execute(
                "SELECT name, COUNT(embeddings.id) FROM identities "
                "LEFT JOIN embeddings ON identity_id = identities.id "
                "GROUP BY identities.id ORDER BY name"
            ).fetchall()
        return [Identity(name, count) for name, count in rows]

    def sources(self, name: str) -> list[str]:
        """List where an identity's embeddings came from."""
        with translated(self.path):
            rows = self._connection.execute(
                "SELECT source FROM embeddings JOIN identities ON identities.id = identity_id "
                "WHERE name = ? ORDER BY embeddings.id",
                (name,),
            ).fetchall()
        return [row[0] for row in rows]

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the embedder that filled the gallery; None while it is empty."""
        return self._meta("fingerprint")

    def search(
        self, embeddings: Sequence[Embedding], *, threshold: float, top_k: int = 1
    ) -> list[list[Match]]:
        """Find the nearest identities of each embedding, best first.

        An identity's score is the cosine with its nearest embedding.

        Args:
            embeddings: the faces to look for.
            threshold: cosine from which an identity counts as known, -1 to 1.
            top_k: how many identities at most, 1 or more.

        Raises:
            FingerprintMismatchError: they are of another embedder than the gallery's.
            InputError: threshold or top_k is out of range.
        """
        if not -1 <= threshold <= 1 or top_k < 1:
            raise InputError(
                "search limits are out of range",
                received=f"threshold {threshold}, top_k {top_k}",
                expected="threshold -1 to 1, top_k 1 or more",
            )
        # All faces of a picture are of one embedder: one look into the file, not one a face.
        for space in {(e.fingerprint, e.vector.size, e.is_stub) for e in embeddings}:
            self._check_space(*space)
        if not embeddings:
            return []
        queries = np.stack([embedding.vector.reshape(-1) for embedding in embeddings])
        return search_index(self._current_index(), queries, threshold, top_k)

    def check_embedder(self, embedder: Embedder) -> None:
        """Refuse an embedder of another space before its vectors are made.

        Raises:
            FingerprintMismatchError: it is not the one that filled the gallery.
        """
        self._check_space(embedder.fingerprint, embedder.dim, embedder.is_stub)

    @property
    def _dim(self) -> int:
        text = self._meta("dim") or "0"
        if not text.isdigit():
            raise self._damaged(f"dimension {text[:20]!r}", "a number")
        return int(text)

    def _meta(self, key: str) -> str | None:
        with translated(self.path):
            row = self._connection.execute(
                "SELECT value FROM meta WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else str(row[0])

    def _check_space(self, fingerprint: str, dim: int, is_stub: bool) -> None:
        known = self._meta("fingerprint")
        if known is None:
            return
        space = (known, self._dim, self._meta("is_stub") == "1")
        if (fingerprint, dim, is_stub) != space:
            raise FingerprintMismatchError(
                f"gallery {self.path} was filled by another embedder",
                received=_space(fingerprint, dim, is_stub),
                expected=_space(*space),
                fix="use the embedder that filled it, or enroll into a new gallery",
            )

    def _admit(self, connection: sqlite3.Connection, embedding: Embedding) -> None:
        vector = embedding.vector
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if vector.ndim != 1 or not abs(length - 1) < UNIT_TOLERANCE:
            raise InputError(
                "an embedding is not a unit vector",
                received=f"shape {vector.shape}, length {length:.4f}",
                expected="(D,) of length 1",
            )
        self._check_space(embedding.fingerprint, vector.size, embedding.is_stub)
        connection.executemany(
            "INSERT OR IGNORE INTO meta VALUES (?, ?)",
            [
                ("fingerprint", embedding.fingerprint),
                ("dim", str(vector.size)),
                ("is_stub", str(int(embedding.is_stub))),
            ],
        )

    def _current_index(self) -> Index:
        with translated(self.path):
            # Both see changes of other processes too, so a long-lived reader stays current.
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if self._index is None or self._index.version != version:
                self._index = self._read_index(version)
        return self._index

    def _read_index(self, version: int) -> Index:
        rows = self._connection.execute(
            "SELECT name, vector FROM embeddings JOIN identities ON identities.id = identity_id "
            "ORDER BY identity_id, embeddings.id"
        ).fetchall()
        dim = self._dim
        if rows and self._meta("fingerprint") is None:
            raise self._damaged("no fingerprint", "the embedder's")
        if any(len(blob) != 4 * dim for _, blob in rows):
            raise self._damaged("a vector of another length", f"{dim} numbers")
        index = build_index(version, dim, rows)
        lengths = np.linalg.norm(index.matrix, axis=1)
        # Written so that NaN fails.
        if not (np.abs(lengths - 1) < UNIT_TOLERANCE).all():
            raise self._damaged("a vector that is not of length 1", "unit vectors")
        return index

    def _damaged(self, received: str, expected: str) -> GalleryError:
        return GalleryError(
            f"gallery {self.path} is damaged",
            received=received,
            expected=expected,
            fix="restore it from a copy; the file was changed by something else",
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        self._index = None


def _insert(
    connection: sqlite3.Connection,
    name: str,
    embeddings: Sequence[Embedding],
    sources: Sequence[str],
) -> int:
    added = datetime.now(timezone.utc).isoformat(timespec="seconds")
    connection.execute("INSERT OR IGNORE INTO identities (name) VALUES (?)", (name,))
    ((owner,),) = connection.execute("SELECT id FROM identities WHERE name = ?", (name,))
    before = connection.total_changes
    connection.executemany(
        "INSERT INTO embeddings (identity_id, vector, norm, source, added) "
        "SELECT :owner, :vector, :norm, :source, :added WHERE NOT EXISTS "
        "(SELECT 1 FROM embeddings WHERE identity_id = :owner AND vector = :vector)",
        [
            {
                "owner": owner,
                "vector": _blob(embedding.vector),
                "norm": float(embedding.norm),
                "source": source,
                "added": added,
            }
            for embedding, source in zip(embeddings, sources, strict=True)
        ],
    )
    return connection.total_changes - before


def _blob(vector: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def _space(fingerprint: str, dim: int, is_stub: bool) -> str:
    return f"{'stub' if is_stub else 'embedder'} {fingerprint[:12]} of {dim} numbers"
