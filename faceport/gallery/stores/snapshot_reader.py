"""Reads the columns of a snapshot; `snapshot_writer.py` says what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faceport.gallery.stores.base import (
    AuditRow,
    Changes,
    IdentityRow,
    SampleRow,
    StoreStats,
    VectorRows,
)
from faceport.gallery.stores.columns import Array, Texts, read_column
from faceport.gallery.stores.snapshot_writer import FORMAT
from faceport.gallery.types import Against, Space, VectorType

BLOCK = 65_536


class SnapshotReader:
    """Reads a snapshot's columns: see `base.Reader`."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self._folder = folder
        self._manifest = manifest
        self._columns: dict[str, Any] = {}

    def version(self) -> int:
        """Return that of the store when the snapshot was written."""
        return int(self._manifest["version"])

    def changes(self, since: int) -> Changes | None:
        """Nothing ever changes; of another version nothing is known."""
        return Changes(since, (), ()) if since == self.version() else None

    def space(self) -> Space | None:
        """Return the embedding space."""
        space = self._manifest["space"]
        return None if space is None else Space(**space)

    def vector_type(self) -> VectorType:
        """Rows are float32, whatever the store kept."""
        return "float32"

    def meta(self, key: str) -> str | None:
        """Return a text kept beside the rows."""
        value = self._manifest["meta"].get(key)
        return None if value is None else str(value)

    def identities(self) -> list[IdentityRow]:
        """List all by name."""
        return [self._identity(int(row)) for row in self._column("identities.by_name", np.int64)]

    def identity(self, name: str) -> IdentityRow | None:
        """Find a name by halving."""
        order, names = self._column("identities.by_name", np.int64), self._texts("identities.name")
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            if names[int(order[middle])] < name:
                low = middle + 1
            else:
                high = middle
        found = low < len(order) and names[int(order[low])] == name
        return self._identity(int(order[low])) if found else None

    def names(self, ids: Sequence[int] | None = None) -> dict[int, str]:
        """Read names by id."""
        names = self._texts("identities.name")
        if ids is None:
            every = self._column("identities.ids", np.int64).tolist()
            return dict(zip(every, names.all(), strict=True))
        rows = {one: self._row("identities.ids", one) for one in ids}
        return {one: names[row] for one, row in rows.items() if row is not None}

    def samples(self, identity_id: int) -> list[SampleRow]:
        """Read an identity's samples."""
        return [self._sample(row) for row in self._rows_of("samples", identity_id)]

    def sample(self, sample_id: int) -> SampleRow | None:
        """Read one sample."""
        # Ordered by identity first, so all are looked through: a million in a millisecond.
        rows = np.flatnonzero(self._column("samples.ids", np.int64) == sample_id)
        return self._sample(int(rows[0])) if len(rows) else None

    def sources(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Read sources by sample id."""
        sources, ids = self._texts("samples.source"), self._column("samples.ids", np.int64)
        rows = np.flatnonzero(np.isin(ids, np.asarray(sample_ids, np.int64)))
        return {int(ids[row]): sources[int(row)] for row in rows}

    def crop(self, sample_id: int) -> bytes | None:
        """None: pictures are not in a snapshot."""
        return None

    def has_image(self, image_hash: str) -> str | None:
        """Look through all hashes."""
        row = self._texts("samples.image_hash").find(image_hash) if image_hash else None
        if row is None:
            return None
        owner = int(self._column("samples.identity_ids", np.int64)[row])
        return self.names([owner]).get(owner)

    def count(self, against: Against) -> int:
        """Return how many vectors there are."""
        return int(self._manifest[against])

    def vectors(
        self, against: Against, identity_ids: Sequence[int] | None = None
    ) -> Iterator[VectorRows]:
        """Give views of the mapped columns, in blocks."""
        whole = self.mapped(against)
        if identity_ids is None:
            parts: Iterator[Any] = (
                slice(start, start + BLOCK) for start in range(0, self.count(against), BLOCK)
            )
        else:
            owners = np.asarray(sorted(identity_ids), np.int64)
            rows = np.flatnonzero(np.isin(whole.identity_ids, owners))
            parts = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
        for part in parts:
            yield VectorRows(
                whole.identity_ids[part],
                whole.sample_ids[part],
                whole.matrix[part],
                whole.norms[part],
            )

    def mapped(self, against: Against) -> VectorRows:
        """All vectors at once, mapped: nothing is read before it is looked at."""
        count, space = self.count(against), self.space()
        owners = self._column(f"{against}.identity_ids", np.int64, count)
        ids = np.full(count, -1) if against == "templates" else self._ids()
        norms = self._column(f"{against}.norms", np.float32, count)
        dim = 0 if space is None else space.dim
        matrix = self._column(f"{against}.vectors", np.float32, count, dim)
        return VectorRows(owners, ids, matrix, norms)

    def audit(self, limit: int | None = None) -> list[AuditRow]:
        """None: the log is not in a snapshot."""
        return []

    def stats(self) -> StoreStats:
        """Count what is there."""
        sizes = (size for size, _ in self._manifest["files"].values())
        identities, samples = int(self._manifest["identities"]), self.count("samples")
        return StoreStats(f"snapshot {FORMAT}", identities, samples, 0, 0, sum(sizes))

    def _identity(self, row: int) -> IdentityRow:
        name, metadata, created, changed = self._texts_of(
            "identities", row, ("name", "metadata", "created", "changed")
        )
        one = int(self._column("identities.ids", np.int64)[row])
        samples = int(self._column("identities.samples", np.int64)[row])
        return IdentityRow(one, name, metadata, created, changed, samples)

    def _sample(self, row: int) -> SampleRow:
        whole = self.mapped("samples")
        source, image_hash, added = self._texts_of(
            "samples", row, ("source", "image_hash", "added")
        )
        return SampleRow(
            id=int(whole.sample_ids[row]),
            identity_id=int(whole.identity_ids[row]),
            vector=whole.matrix[row],
            norm=float(whole.norms[row]),
            source=source,
            image_hash=image_hash,
            added=added,
            has_crop=False,
        )

    def _texts_of(self, table: str, row: int, columns: tuple[str, ...]) -> list[str]:
        return [self._texts(f"{table}.{column}")[row] for column in columns]

    def _rows_of(self, against: Against, identity_id: int) -> range:
        owners = self.mapped(against).identity_ids
        first, last = np.searchsorted(owners, [identity_id, identity_id + 1])
        return range(int(first), int(last))

    def _row(self, column: str, value: int) -> int | None:
        values = self._column(column, np.int64)
        row = int(np.searchsorted(values, value))
        return row if row < len(values) and values[row] == value else None

    def _ids(self) -> Array:
        return self._column("samples.ids", np.int64, self.count("samples"))

    def _column(self, name: str, kind: type[np.generic], *shape: int) -> Array:
        if name not in self._columns:
            self._columns[name] = read_column(self._folder, name, kind, shape or (-1,))
        found: Array = self._columns[name]
        return found

    def _texts(self, name: str) -> Texts:
        if name not in self._columns:
            rows = int(self._manifest[name.partition(".")[0]])
            self._columns[name] = Texts(self._folder, name, rows)
        found: Texts = self._columns[name]
        return found
