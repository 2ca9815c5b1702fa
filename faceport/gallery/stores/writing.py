"""Writing a gallery file within one transaction: see `base.Writer`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np

from faceport.gallery.stores.base import AuditRow, NewSample
from faceport.gallery.stores.marks import write_marks
from faceport.gallery.stores.rows import KEPT_REMOVALS, SqliteReader
from faceport.gallery.stores.vectors import Sealing, VectorCodec, vector_codec
from faceport.gallery.types import Float, Space, VectorType

PART = 4096
"""Vectors rewritten at once."""


class SqliteWriter(SqliteReader):
    """Reads and writes on a connection in which a write transaction has begun.

    Attributes:
        erased: something was removed that shall not be found in the log file either.
    """

    def __init__(self, connection: sqlite3.Connection, location: str, sealing: Sealing) -> None:
        super().__init__(connection, location, sealing)
        self.erased = False
        self._counted = False

    def set_space(self, space: Space | None) -> None:
        """Set the embedding space; samples and templates must be of it at the commit."""
        before = self.space()
        if space == before:
            return
        self._execute("DELETE FROM templates")
        if before is not None:
            # Kept as an empty blob until the caller gives it a new one: it can't be decoded.
            self._execute("UPDATE samples SET vector = x''")
            self._execute("UPDATE identities SET version = ?", self.version())
            self.erased = True
        values = {} if space is None else _space_values(space)
        for key in ("fingerprint", "dim", "is_stub"):
            self.set_meta(key, values.get(key))

    def set_vector_type(self, vector_type: VectorType) -> None:
        """Choose how vectors are kept; those there are rewritten."""
        if vector_type == self.vector_type():
            return
        new = vector_codec(vector_type)
        for table, column in (("samples", "id"), ("templates", "identity_id")):
            last = 0
            while rows := self._connection.execute(
                f"SELECT {column}, vector FROM {table} WHERE {column} > ? "
                f"ORDER BY {column} LIMIT {PART}",
                (last,),
            ).fetchall():
                ids = [row[0] for row in rows]
                vectors = self._decoded(table, ids, [row[1] for row in rows])
                blobs = self._sealed(table, ids, vectors, new)
                self._connection.executemany(
                    f"UPDATE {table} SET vector = ? WHERE {column} = ?",
                    zip(blobs, ids, strict=True),
                )
                last = ids[-1]
        self.set_meta("vector_type", vector_type)
        self._execute("UPDATE identities SET version = ?", self.version())

    def set_meta(self, key: str, value: str | None) -> None:
        """Keep a text under a key; None removes it."""
        if value is None:
            self._execute("DELETE FROM meta WHERE key = ?", key)
            self._meta.pop(key, None)
        else:
            self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)
            self._meta[key] = value

    def add_identity(self, name: str, metadata: str, time: str) -> int:
        """Make an identity, whose name is known to be free, and return its id."""
        number = self._next_id("identities")
        self._execute(
            "INSERT INTO identities VALUES (?, ?, ?, ?, ?, ?)",
            number,
            self._sealing.seal_text(name, "identities.name"),
            self._sealing.seal_text(metadata, f"identities.metadata/{number}"),
            time,
            time,
            self._new_version(),
        )
        return number

    def rename_identity(self, identity_id: int, name: str, time: str) -> None:
        """Give an identity a name that is known to be free."""
        token = self._sealing.seal_text(name, "identities.name")
        self._execute("UPDATE identities SET name = ? WHERE id = ?", token, identity_id)
        self.touch_identity(identity_id, time)

    def set_metadata(self, identity_id: int, metadata: str, time: str) -> None:
        """Replace an identity's metadata."""
        token = self._sealing.seal_text(metadata, f"identities.metadata/{identity_id}")
        self._execute("UPDATE identities SET metadata = ? WHERE id = ?", token, identity_id)
        self.touch_identity(identity_id, time)

    def touch_identity(self, identity_id: int, time: str) -> None:
        """Set when an identity last changed."""
        self._execute("UPDATE identities SET changed = ? WHERE id = ?", time, identity_id)
        self._stamp(identity_id)

    def delete_identity(self, identity_id: int) -> None:
        """Remove an identity with its samples, crops and template, from free space too."""
        version = self._new_version()
        self._execute("DELETE FROM identities WHERE id = ?", identity_id)
        self._execute("INSERT OR REPLACE INTO removed VALUES (?, ?)", identity_id, version)
        self._execute("DELETE FROM removed WHERE version < ?", version - KEPT_REMOVALS)
        self.erased = True

    def add_samples(self, identity_id: int, samples: Sequence[NewSample]) -> list[int]:
        """Add samples and return their ids, in order."""
        if not samples:
            return []
        first = self._next_id("samples")
        ids = list(range(first, first + len(samples)))
        codec = vector_codec(self.vector_type())
        vectors = np.stack([sample.vector for sample in samples])
        blobs = self._sealed("samples", ids, vectors, codec)
        sealed = self._sealing.seal_text
        for number, blob, sample in zip(ids, blobs, samples, strict=True):
            self._execute(
                "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
                number,
                identity_id,
                blob,
                float(sample.norm),
                sealed(sample.source, "samples.source"),
                sample.image_hash and sealed(sample.image_hash, "samples.image_hash"),
                sample.added,
            )
            if sample.crop is not None:
                data = self._sealing.seal(sample.crop, f"crops.data/{number}")
                self._execute("INSERT INTO crops VALUES (?, ?)", number, data)
        self._stamp(identity_id)
        return ids

    def move_samples(self, source_id: int, target_id: int) -> None:
        """Give all samples of one identity to another; their ids stay."""
        self._execute(
            "UPDATE samples SET identity_id = ? WHERE identity_id = ?", target_id, source_id
        )
        self._stamp(source_id)
        self._stamp(target_id)

    def delete_sample(self, sample_id: int) -> None:
        """Remove a sample with its crop, from free space too."""
        owner = self._connection.execute(
            "SELECT identity_id FROM samples WHERE id = ?", (sample_id,)
        ).fetchone()
        if owner is not None:
            self._execute("DELETE FROM samples WHERE id = ?", sample_id)
            self._stamp(owner[0])
            self.erased = True

    def set_vector(self, sample_id: int, vector: Float, norm: float) -> None:
        """Replace a sample's vector (another embedder's, of the space just set)."""
        codec = vector_codec(self.vector_type())
        (blob,) = self._sealed("samples", [sample_id], vector[None], codec)
        self._execute(
            "UPDATE samples SET vector = ?, norm = ? WHERE id = ?", blob, float(norm), sample_id
        )
        self._execute(
            "UPDATE identities SET version = ? "
            "WHERE id = (SELECT identity_id FROM samples WHERE id = ?)",
            self._new_version(),
            sample_id,
        )

    def set_template(self, identity_id: int, vector: Float | None, norm: float) -> None:
        """Replace an identity's template; None removes it (no samples)."""
        if vector is None:
            self._execute("DELETE FROM templates WHERE identity_id = ?", identity_id)
        else:
            codec = vector_codec(self.vector_type())
            (blob,) = self._sealed("templates", [identity_id], vector[None], codec)
            self._execute(
                "INSERT OR REPLACE INTO templates VALUES (?, ?, ?)", identity_id, blob, float(norm)
            )
        self._stamp(identity_id)

    def append_audit(self, row: AuditRow) -> None:
        """Add a line to the audit log, which the store lets nobody change or remove."""
        details = self._sealing.seal_text(row.details, f"audit.details/{row.number}")
        values = astuple(row)
        self._execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", *values[:3], details, values[4])

    def finish(self) -> None:
        """Write the marks of what was changed: the last thing before the commit."""
        if self._counted:
            write_marks(self._connection, self._sealing, self.version())

    def _execute(self, statement: str, *values: object) -> None:
        self._new_version()
        self._connection.execute(statement, values)

    def _new_version(self) -> int:
        """Count this transaction, at its first write: one that writes nothing changes nothing."""
        if not self._counted:
            self._counted = True
            version = str(self.version() + 1)
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (version,))
            self._meta["version"] = version
        return self.version()

    def _stamp(self, identity_id: int) -> None:
        self._execute(
            "UPDATE identities SET version = ? WHERE id = ?", self._new_version(), identity_id
        )

    def _next_id(self, table: str) -> int:
        # Chosen here, not by the insert, as the place that a vector is sealed for has the id in it.
        row = self._connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
        ).fetchone()
        return 1 if row is None else int(row[0]) + 1

    def _sealed(
        self, table: str, ids: Sequence[int], vectors: Float, codec: VectorCodec
    ) -> list[bytes]:
        return [
            self._sealing.seal(blob, f"{table}.vector/{number}")
            for number, blob in zip(ids, codec.encode(vectors), strict=True)
        ]


def _space_values(space: Space) -> dict[str, str]:
    return {
        "fingerprint": space.fingerprint,
        "dim": str(space.dim),
        "is_stub": str(int(space.is_stub)),
    }
