"""A gallery: meaning on top of a store's rows and an index's search."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType

import numpy as np

from faceport.errors import GalleryError, InputError
from faceport.gallery.admission import check_space, metadata_text, space_of
from faceport.gallery.audit import (
    Action,
    AuditEntry,
    append,
    faces_found,
    log_problems,
    read_log,
    write_down,
)
from faceport.gallery.changing import (
    enroll_samples,
    identity_of,
    identity_row,
    merge_identities,
    now,
    remake_template,
    remake_templates,
    replace_vectors,
)
from faceport.gallery.checking import vector_problems
from faceport.gallery.names import check_name
from faceport.gallery.retrying import retrying
from faceport.gallery.searching import Searcher
from faceport.gallery.settings import (
    KEY,
    changed_settings,
    check_settings,
    read_settings,
    settings_text,
    threshold_of,
)
from faceport.gallery.stores import open_store
from faceport.gallery.stores.base import Store, Writer
from faceport.gallery.types import (
    Against,
    Answer,
    Identity,
    Json,
    Problem,
    Sample,
    Settings,
    Space,
    Stats,
    StoredSample,
    VectorSet,
)
from faceport.runtime.types import Embedder, Embedding


@retrying
class Gallery:
    """Identities with several samples each, all of one embedder, and the search over them.

    The first enrolment fixes the embedding space; embeddings of any other are refused then, for
    enrolment and for search. Every change is one transaction that remakes the templates it touches.
    A gallery may be used by several threads; what other processes commit is seen by the next call.

    It fits `GalleryProtocol`: an unknown name or sample id is a `GalleryError`, an unusable name or
    argument an `InputError`, and a change of a gallery that can't be written a `GalleryError`.
    """

    def __init__(
        self,
        location: str | Path | Store,
        *,
        create: bool = True,
        settings: Settings | None = None,
        key: bytes | None = None,
        index: str = "auto",
    ) -> None:
        """Open a gallery.

        Args:
            location: a file's path (SQLite), `postgresql://…`, a snapshot's folder, or a store that
                is open and becomes the gallery's to close.
            create: make it where it is missing.
            settings: of a gallery in which nothing was enrolled and set yet; any other keeps its
                own, which `change_settings` changes.
            key: of a sealed gallery, 32 bytes.
            index: how vectors are searched: `auto`, `exact`, `int8`, `bits`, `hnsw` (see
                `faceport.gallery.indexes`), or `store` for the store's own search.

        Raises:
            GalleryError: it is missing and `create` is false, it is no gallery, is damaged, of a
                newer schema, or sealed with another key.
            InputError: the settings or the index are not usable.
        """
        self._store = (
            open_store(location, create=create, key=key)
            if isinstance(location, str | Path)
            else location
        )
        try:
            self._searcher = Searcher(self._store, index)
            if settings is not None:
                self._begin_with(check_settings(settings))
        except BaseException:
            self._store.close()
            raise

    @classmethod
    def open(
        cls,
        location: str | Path,
        *,
        create: bool = True,
        settings: Settings | None = None,
        key: bytes | None = None,
        index: str = "auto",
    ) -> Gallery:
        """Open a gallery: the same as `Gallery(location, …)`."""
        return cls(location, create=create, settings=settings, key=key, index=index)

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
        """Let go of files and connections."""
        self._store.close()

    @property
    def location(self) -> str:
        """Where it is kept, without passwords."""
        return self._store.location

    @property
    def store(self) -> Store:
        """What keeps the rows: for copying them as they are."""
        return self._store

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._store.read_only

    @property
    def settings(self) -> Settings:
        """How it works, as kept in it now."""
        with self._store.snapshot() as reader:
            return read_settings(reader, self.location)

    def threshold(self, given: float | None = None) -> float:
        """Return the threshold of a search: what is given, else the gallery's, else 0.35."""
        return threshold_of(self.settings, given)

    def change_settings(self, **changes: object) -> Settings:
        """Change fields of `settings` by name and return all of them.

        Another `fusion` makes all templates anew, another `vector_type` rewrites all vectors.
        Without `keep_crops` no further crops are kept; those there stay.

        Raises:
            InputError: there is no such field, or its value is out of range.
        """
        with self._store.transaction() as writer:
            before = read_settings(writer, self.location)
            after = changed_settings(before, changes)
            writer.set_meta(KEY, settings_text(after))
            writer.set_vector_type(after.vector_type)
            if (before.fusion, before.vector_type) != (after.fusion, after.vector_type):
                remake_templates(writer, after.fusion)
            # With the log switched off, that is its last entry.
            if before.audit or after.audit:
                append(writer, "settings", {"changes": json.loads(settings_text(after))})
            return after

    @property
    def space(self) -> Space | None:
        """What its vectors are of; None before the first enrolment."""
        with self._store.snapshot() as reader:
            return reader.space()

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the embedder that filled it; None before the first enrolment."""
        space = self.space
        return None if space is None else space.fingerprint

    def check_embedder(self, embedder: Embedder) -> None:
        """Refuse an embedder of another space before its vectors are made."""
        with self._store.snapshot() as reader:
            space = Space(embedder.fingerprint, embedder.dim, embedder.is_stub)
            check_space(reader, space, self.location)

    def enroll(
        self, name: str, samples: Sequence[Sample], *, metadata: Mapping[str, Json] | None = None
    ) -> int:
        """Add samples to the identity `name`, making it where it is new; all or none.

        A sample whose vector or picture the identity has already is not added again.

        Args:
            name: 1 to 200 characters, not blank; `unknown` is kept for faces that match nobody.
            samples: at least one, of one embedder.
            metadata: replaces what the identity has; None leaves it.

        Returns:
            How many were added.

        Raises:
            FingerprintMismatchError: they are of another embedder than the gallery's.
            GalleryError: the gallery could not be written.
            InputError: the name, a vector or the metadata is not usable, or there is no sample.
        """
        check_name(name)
        if not samples:
            raise InputError("an enrolment needs samples", received="none", expected="at least 1")
        space = space_of(sample.embedding for sample in samples)
        text = None if metadata is None else metadata_text(metadata)
        vectors = np.stack([sample.embedding.vector for sample in samples])
        with self._store.transaction() as writer:
            check_space(writer, space, self.location)
            if writer.space() is None:
                writer.set_space(space)
            stored = self._store.as_stored(vectors.astype(np.float32, copy=False))
            settings = read_settings(writer, self.location)
            added = enroll_samples(writer, name, samples, stored, text, settings)
            if added:
                self._note(writer, "enroll", name=name, samples=added)
            return added

    def replace_embeddings(
        self, embeddings: Mapping[int, Embedding], *, drop: Collection[int] = ()
    ) -> None:
        """Give every sample a vector of another embedder, or drop it: in one transaction.

        The threshold and `min_norm` belonged to the old embedder, and are none from then on.

        Args:
            embeddings: by sample id, all of one space, which becomes the gallery's.
            drop: ids of the samples that could not be embedded again.

        Raises:
            GalleryError: a sample is in neither, or is not there: it was changed meanwhile.
            InputError: a vector is not usable, or there is none.
        """
        if not embeddings:
            raise InputError("no embeddings to replace", received="none", expected="at least 1")
        space = space_of(embeddings.values())
        with self._store.transaction() as writer:
            settings = read_settings(writer, self.location)
            replace_vectors(writer, embeddings, drop, settings.fusion, self.location)
            # What was right in the old space says nothing in another.
            settings = changed_settings(settings, {"threshold": None, "min_norm": None})
            writer.set_meta(KEY, settings_text(settings))
            self._note(
                writer, "migrate", space=str(space), samples=len(embeddings), dropped=len(drop)
            )

    def identities(self) -> list[Identity]:
        """List the identities by name."""
        with self._store.snapshot() as reader:
            return [identity_of(row) for row in reader.identities()]

    def identity(self, name: str) -> Identity:
        """Return one identity."""
        with self._store.snapshot() as reader:
            return identity_of(identity_row(reader, name, self.location))

    def samples(self, name: str) -> list[StoredSample]:
        """List an identity's samples in the order in which they came."""
        with self._store.snapshot() as reader:
            rows = reader.samples(identity_row(reader, name, self.location).id)
        return [
            StoredSample(
                row.id, row.vector, row.norm, row.source, row.image_hash, row.added, row.has_crop
            )
            for row in rows
        ]

    def crop(self, sample_id: int) -> bytes | None:
        """Return the PNG that was kept with a sample."""
        with self._store.snapshot() as reader:
            return reader.crop(sample_id)

    def has_image(self, image_hash: str) -> str | None:
        """Name an identity that has a sample of the picture with that SHA-256."""
        with self._store.snapshot() as reader:
            return reader.has_image(image_hash)

    def rename(self, old: str, new: str) -> None:
        """Give an identity another name."""
        check_name(new)
        with self._store.transaction() as writer:
            row = identity_row(writer, old, self.location)
            if old == new:
                return
            if writer.identity(new) is not None:
                raise GalleryError(
                    f"{self.location} holds somebody of that name already",
                    received=repr(new),
                    fix="merge the two, if they are the same person",
                )
            writer.rename_identity(row.id, new, now())
            self._note(writer, "rename", name=old, new=new)

    def merge(self, source: str, into: str) -> None:
        """Give one identity's samples to another, and remove it.

        Samples that the other has already are dropped. Of metadata with the same key the other's
        stays.
        """
        if source == into:
            raise InputError("an identity can't be merged with itself", received=repr(source))
        with self._store.transaction() as writer:
            from_row = identity_row(writer, source, self.location)
            into_row = identity_row(writer, into, self.location)
            fusion = read_settings(writer, self.location).fusion
            merge_identities(writer, from_row, into_row, fusion)
            self._note(writer, "merge", name=source, into=into)

    def delete(self, name: str) -> None:
        """Remove an identity and all that is kept of it."""
        with self._store.transaction() as writer:
            writer.delete_identity(identity_row(writer, name, self.location).id)
            self._note(writer, "delete", name=name)

    def set_metadata(self, name: str, metadata: Mapping[str, Json]) -> None:
        """Replace an identity's metadata."""
        text = metadata_text(metadata)
        with self._store.transaction() as writer:
            writer.set_metadata(identity_row(writer, name, self.location).id, text, now())
            self._note(writer, "set-metadata", name=name)

    def remove_sample(self, sample_id: int) -> None:
        """Remove one sample; an identity without any stays, and is not found by a search."""
        with self._store.transaction() as writer:
            row = writer.sample(sample_id)
            if row is None:
                raise GalleryError(f"{self.location} has no such sample", received=sample_id)
            writer.delete_sample(sample_id)
            writer.touch_identity(row.identity_id, now())
            fusion = read_settings(writer, self.location).fusion
            remake_template(writer, row.identity_id, fusion)
            name = writer.names([row.identity_id])[row.identity_id]
            self._note(writer, "remove-sample", name=name, sample=sample_id)

    def search(
        self,
        embeddings: Sequence[Embedding],
        *,
        threshold: float | None = None,
        top_k: int = 1,
        against: Against = "templates",
    ) -> list[Answer]:
        """Find the nearest identities of each embedding.

        Args:
            embeddings: the faces to look for.
            threshold: cosine from which an identity counts as known, -1 to 1; None: the gallery's,
                or 0.35 where it has none.
            top_k: how many identities an answer has at most, 1 or more.
            against: compare with each identity's template, or with all its samples and take the
                nearest. Either way the nearest sample's source is named.

        Raises:
            FingerprintMismatchError: they are of another embedder than the gallery's.
            InputError: threshold, top_k or against is out of range.
        """
        answers = self._searcher.answers(embeddings, threshold, top_k, against)
        if answers:
            # Before anybody sees them, so that no answer is given that is not written down.
            write_down(self._store, "identify", {"faces": faces_found(answers)})
        return answers

    def vectors(self, against: Against) -> VectorSet:
        """Return all vectors at one moment; those of identities changed lately come last."""
        return self._searcher.vectors(against)

    def check(self) -> list[Problem]:
        """Look for damage: the store's own checks, all vectors and templates, and the settings."""
        problems = self._store.check()
        if any(problem.kind == "database" for problem in problems):
            return problems
        try:
            with self._store.snapshot() as reader:
                settings = read_settings(reader, self.location)
                problems += [*vector_problems(reader, settings.fusion, self._store.as_stored)]
                problems += [Problem("audit", text) for text in log_problems(reader)]
        except GalleryError as error:
            problems.append(Problem("database", str(error)))
        return problems

    def audit_log(self) -> tuple[list[AuditEntry], list[str]]:
        """Return the audit log, oldest first, and what is wrong with its chain.

        Raises:
            GalleryError: an entry can't be read.
        """
        with self._store.snapshot() as reader:
            return read_log(reader), log_problems(reader)

    def stats(self) -> Stats:
        """Return the gallery in figures."""
        with self._store.snapshot() as reader:
            stats = reader.stats()
            return Stats(
                location=self.location,
                version=reader.version(),
                space=reader.space(),
                settings=read_settings(reader, self.location),
                **{field.name: getattr(stats, field.name) for field in fields(stats)},
            )

    def _begin_with(self, settings: Settings) -> None:
        with self._store.snapshot() as reader:
            if reader.meta(KEY) is not None or reader.space() is not None:
                return
        with self._store.transaction() as writer:
            # Another process may have begun with it while this one waited.
            if writer.meta(KEY) is None and writer.space() is None:
                writer.set_meta(KEY, settings_text(settings))
                writer.set_vector_type(settings.vector_type)

    def _note(self, writer: Writer, action: Action, **details: Json) -> None:
        if read_settings(writer, self.location).audit:
            append(writer, action, details)
