"""What a store is: rows, transactions and a version. It knows no faces and decides nothing.

`Gallery` puts the meaning on top: which sample is admitted, what a template is, who is nearest.
Ids are positive integers that are never used again. Vectors cross this seam as float32; how they
are kept (float32, float16, int8, encrypted) is the store's own business. Times are ISO 8601 text in
UTC. Names are arbitrary Unicode without NUL. Errors of the database are turned into `GalleryError`.

A store may be used by several threads at once; a reader or writer belongs to the thread that opened
it. A store whose `read_only` is true refuses `transaction` with a `GalleryError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.types import Against, Float, Problem, Space, VectorType

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class IdentityRow:
    """A row of the identities; `metadata` is JSON text of an object."""

    id: int
    name: str
    metadata: str
    created: str
    changed: str
    samples: int


@dataclass(frozen=True, eq=False)
class NewSample:
    """A sample to be written; `vector` is (D,) float32."""

    vector: Float
    norm: float
    source: str
    image_hash: str
    added: str
    crop: bytes | None = None


@dataclass(frozen=True, eq=False)
class SampleRow:
    """A row of the samples; `vector` is (D,) float32 as it is kept."""

    id: int
    identity_id: int
    vector: Float
    norm: float
    source: str
    image_hash: str
    added: str
    has_crop: bool


@dataclass(frozen=True, eq=False)
class VectorRows:
    """Some vectors, ordered by identity, then sample.

    Attributes:
        identity_ids: (rows,) int64.
        sample_ids: (rows,) int64; -1 for templates.
        matrix: (rows, D) float32.
        norms: (rows,) float32.
    """

    identity_ids: Ids
    sample_ids: Ids
    matrix: Float
    norms: Float


@dataclass(frozen=True)
class Changes:
    """What came after a version: ids of identities; one that came and went is in `removed`.

    Attributes:
        version: that of the snapshot in which this was read.
        changed: new, renamed, or with other samples, template or metadata.
        removed: gone.
    """

    version: int
    changed: tuple[int, ...]
    removed: tuple[int, ...]


@dataclass(frozen=True)
class AuditRow:
    """A line of the audit log: the fields of `faceport.gallery.audit.AuditEntry`.

    `number` is 1, 2, 3, … without a gap, `details` JSON text of an object.
    """

    number: int
    at: str
    action: str
    details: str
    chain: str


@dataclass(frozen=True)
class StoreStats:
    """A store in figures: see `faceport.gallery.types.Stats`."""

    schema: str
    identities: int
    samples: int
    crops: int
    audit_rows: int
    bytes: int
    details: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """Reads within one consistent snapshot: all of it is of the same `version`."""

    def version(self) -> int:
        """Count of committed transactions: grows with each, of whatever process."""

    def changes(self, since: int) -> Changes | None:
        """List the identities changed and removed after version `since`.

        None where the store can't tell any more: read everything anew then.
        """

    def space(self) -> Space | None:
        """The embedding space that was set."""

    def vector_type(self) -> VectorType:
        """How vectors are kept."""

    def meta(self, key: str) -> str | None:
        """A value that was kept with `set_meta`."""

    def identities(self) -> list[IdentityRow]:
        """All identities by name (in the order of Unicode code points)."""

    def identity(self, name: str) -> IdentityRow | None:
        """The identity of exactly that name."""

    def names(self, ids: Sequence[int] | None = None) -> dict[int, str]:
        """Names by id: of all identities, or of those of `ids` that are there."""

    def samples(self, identity_id: int) -> list[SampleRow]:
        """An identity's samples by id."""

    def sample(self, sample_id: int) -> SampleRow | None:
        """One sample."""

    def sources(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Sources by sample id, of those that are there."""

    def crop(self, sample_id: int) -> bytes | None:
        """The picture that was kept with a sample."""

    def has_image(self, image_hash: str) -> str | None:
        """Name of an identity with a sample of that (not empty) image hash."""

    def count(self, against: Against) -> int:
        """How many vectors `vectors(against)` gives."""

    def vectors(
        self, against: Against, identity_ids: Sequence[int] | None = None
    ) -> Iterator[VectorRows]:
        """Read all vectors, or those of some identities, in blocks of at most 65,536 rows.

        Together the blocks are ordered by identity id, then sample id.

        Raises:
            GalleryError: a vector is damaged: of another length than the space's, or not readable.
        """

    def audit(self, limit: int | None = None) -> list[AuditRow]:
        """The audit log, oldest first; the newest `limit` lines where that is given."""

    def stats(self) -> StoreStats:
        """Count what is there."""


class Writer(Reader, Protocol):
    """Reads and writes within one transaction, of which there is one at a time in a store.

    Reads see what was written before in the same transaction. The store's version grows by one at
    the commit, and every identity touched counts as changed.
    """

    def set_space(self, space: Space | None) -> None:
        """Set the embedding space; samples and templates must be of it at the commit.

        With another space than before all vectors are removed from the samples and templates: the
        caller gives every sample a new one (`set_vector`) or deletes it, and sets the templates, in
        the same transaction.
        """

    def set_vector_type(self, vector_type: VectorType) -> None:
        """Choose how vectors are kept; those there are rewritten."""

    def set_meta(self, key: str, value: str | None) -> None:
        """Keep a text under a key; None removes it."""

    def add_identity(self, name: str, metadata: str, time: str) -> int:
        """Make an identity, whose name is known to be free, and return its id."""

    def rename_identity(self, identity_id: int, name: str, time: str) -> None:
        """Give an identity a name that is known to be free."""

    def set_metadata(self, identity_id: int, metadata: str, time: str) -> None:
        """Replace an identity's metadata."""

    def touch_identity(self, identity_id: int, time: str) -> None:
        """Set when an identity last changed."""

    def delete_identity(self, identity_id: int) -> None:
        """Remove an identity with its samples, crops and template, from free space too."""

    def add_samples(self, identity_id: int, samples: Sequence[NewSample]) -> list[int]:
        """Add samples and return their ids, in order."""

    def move_samples(self, source_id: int, target_id: int) -> None:
        """Give all samples of one identity to another; their ids stay."""

    def delete_sample(self, sample_id: int) -> None:
        """Remove a sample with its crop, from free space too."""

    def set_vector(self, sample_id: int, vector: Float, norm: float) -> None:
        """Replace a sample's vector (another embedder's, of the space just set)."""

    def set_template(self, identity_id: int, vector: Float | None, norm: float) -> None:
        """Replace an identity's template; None removes it (no samples)."""

    def append_audit(self, row: AuditRow) -> None:
        """Add a line to the audit log, which the store lets nobody change or remove."""


class Store(Protocol):
    """Rows that outlive the process.

    `location` names it in messages, without passwords.
    """

    @property
    def location(self) -> str:
        """Where it is."""

    @property
    def read_only(self) -> bool:
        """Whether it can't be written to."""

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Open a consistent view, as of now, for reading; writers go on meanwhile.

        Raises:
            GalleryError: the database can't be read.
        """

    def transaction(self) -> AbstractContextManager[Writer]:
        """Begin the one transaction; committed at the block's end, rolled back on any exception.

        Once the block has ended without an error, what was written survives a killed process. Other
        writers wait, for 30 s at most.

        Raises:
            GalleryError: the database can't be written, is full, or stayed locked.
        """

    def as_stored(self, vectors: Float) -> Float:
        """Return what would be read back of (n, D) float32 vectors after they are written.

        Giving its result in again changes nothing.
        """

    def check(self) -> list[Problem]:
        """Look for damage in the database itself: pages, references, orphans, counters."""

    def close(self) -> None:
        """Let go of files and connections; safe to call twice."""


@runtime_checkable
class SearchingStore(Protocol):
    """A store that can search by itself (pgvector); `Gallery` asks it where `index="store"`."""

    def nearest(
        self, reader: Reader, queries: Float, k: int, against: Against
    ) -> tuple[Float, Ids, Ids]:
        """Find the `k` nearest vectors of each query (n, D), best first, in a reader's snapshot.

        Returns:
            Scores (n, k) float32, identity ids (n, k) and sample ids (n, k; -1 for templates).
            Where there are fewer than k, the rest have score -inf and ids -1.
        """


@runtime_checkable
class MappedReader(Protocol):
    """A reader whose vectors lie in files as they are searched, and are not copied into memory."""

    def mapped(self, against: Against) -> VectorRows:
        """Return all vectors, mapped and not looked at: damage is for `check` to find."""


@runtime_checkable
class KeepsIndex(Protocol):
    """A store beside which index files can be kept."""

    def index_folder(self) -> str | None:
        """Folder for index files (it may not be there yet); None where none can be kept."""
