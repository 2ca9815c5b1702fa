"""What the pipeline, the commands and services need of a gallery, whatever keeps its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

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


class GalleryProtocol(Protocol):
    """Enrolled identities and the search over them; `faceport.gallery.Gallery` is one.

    Every change is one transaction: it is there whole or not at all. An unknown name or sample id
    is a `GalleryError`, an unusable name or argument an `InputError`.
    """

    @property
    def location(self) -> str:
        """Where it is kept, without passwords."""

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""

    @property
    def settings(self) -> Settings:
        """How it works, as kept in it now."""

    @property
    def space(self) -> Space | None:
        """What its vectors are of; None before the first enrolment."""

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of `space`."""

    def change_settings(self, **changes: object) -> Settings:
        """Change fields of `settings` by name and return all of them."""

    def check_embedder(self, embedder: Embedder) -> None:
        """Refuse an embedder of another space before its vectors are made."""

    def enroll(
        self, name: str, samples: Sequence[Sample], *, metadata: Mapping[str, Json] | None = None
    ) -> int:
        """Add samples to an identity, making it where it is new; return how many were new to it."""

    def identities(self) -> list[Identity]:
        """All identities by name."""

    def identity(self, name: str) -> Identity:
        """One identity."""

    def samples(self, name: str) -> list[StoredSample]:
        """An identity's samples in the order in which they came."""

    def crop(self, sample_id: int) -> bytes | None:
        """The PNG that was kept with a sample."""

    def has_image(self, image_hash: str) -> str | None:
        """Name of an identity that has a sample of that picture."""

    def rename(self, old: str, new: str) -> None:
        """Give an identity another, free name."""

    def merge(self, source: str, into: str) -> None:
        """Give one identity's samples to another, and remove it."""

    def delete(self, name: str) -> None:
        """Remove an identity and all that is kept of it."""

    def set_metadata(self, name: str, metadata: Mapping[str, Json]) -> None:
        """Replace an identity's metadata."""

    def remove_sample(self, sample_id: int) -> None:
        """Remove one sample; an identity without any stays, and is not found by a search."""

    def search(
        self,
        embeddings: Sequence[Embedding],
        *,
        threshold: float | None = None,
        top_k: int = 1,
        against: Against = "templates",
    ) -> list[Answer]:
        """Find the nearest identities of each embedding."""

    def vectors(self, against: Against) -> VectorSet:
        """All vectors at one moment."""

    def check(self) -> list[Problem]:
        """Look for damage; an empty list is a sound gallery."""

    def stats(self) -> Stats:
        """The gallery in figures."""

    def close(self) -> None:
        """Let go of files and connections."""
