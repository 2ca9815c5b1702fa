"""What goes into a gallery and what it gives back: frozen, numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceport.runtime.types import Embedding

Float = NDArray[np.float32]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Against = Literal["templates", "samples"]
"""What a search compares with: one fused vector an identity, or each of its samples."""

Fusion = Literal["mean", "norm"]
"""How a template is made: the mean of unit vectors, or weighted by the norms as AdaFace does."""

VectorType = Literal["float32", "float16", "int8"]
"""How a store keeps a vector's numbers."""

UNKNOWN = "unknown"
"""The name of a face whose best score is under the threshold."""

DEFAULT_THRESHOLD = 0.35
"""Cosine from which a face is known where neither the caller nor the gallery says otherwise."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A face to enroll.

    Attributes:
        embedding: of the face.
        source: where it came from (a file's path), for the user's eyes and for re-embedding.
        image_hash: SHA-256 in hex of the picture's bytes; empty where it is not known. An identity
            takes one picture once.
        crop: PNG of the face, kept only where the gallery's `keep_crops` is on.
    """

    embedding: Embedding
    source: str
    image_hash: str = ""
    crop: bytes | None = None


@dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample as the gallery holds it.

    Attributes:
        id: of the sample, never used again after it is gone.
        vector: (D,) float32 of length 1 (to 0.1 % where it is kept as float16).
        norm: the embedding's length before normalisation.
        source: where it came from.
        image_hash: SHA-256 in hex of the picture's bytes, or empty.
        added: when, ISO 8601 in UTC.
        has_crop: whether the face's picture is kept.
    """

    id: int
    vector: Float
    norm: float
    source: str
    image_hash: str
    added: str
    has_crop: bool


@dataclass(frozen=True)
class Identity:
    """A person of the gallery.

    Attributes:
        name: unique in the gallery.
        samples: how many it has.
        metadata: JSON values by key.
        created: when it was first enrolled, ISO 8601 in UTC.
        changed: when its name, metadata or samples last changed, ISO 8601 in UTC.
    """

    name: str
    samples: int
    metadata: Mapping[str, Json] = field(default_factory=dict)
    created: str = ""
    changed: str = ""


@dataclass(frozen=True)
class Match:
    """One candidate for a face.

    Attributes:
        name: of the identity.
        score: cosine with the identity's template or nearest sample, -1 to 1.
        known: whether the score reaches the threshold.
        source: of the identity's sample nearest to the face; "" where the store does not say.
    """

    name: str
    score: float
    known: bool
    source: str = ""


@dataclass(frozen=True)
class Answer:
    """Who a face may be.

    Attributes:
        matches: the nearest identities, best first; none in an empty gallery.
        threshold: cosine from which a match is known.
        margin: the best identity's score less the second's, 0 or more; None where the gallery has
            fewer than two. It does not depend on how many matches were asked for.
        low_quality: the face's norm is under the gallery's `min_norm`.
    """

    matches: tuple[Match, ...]
    threshold: float
    margin: float | None = None
    low_quality: bool = False

    @property
    def name(self) -> str:
        """The best match's name where it is known, else `unknown`."""
        return self.matches[0].name if self.matches and self.matches[0].known else UNKNOWN


@dataclass(frozen=True)
class Space:
    """The embedding space that a gallery's vectors are of: fixed by the first enrolment."""

    fingerprint: str
    dim: int
    is_stub: bool = False

    def __str__(self) -> str:
        kind = "stub" if self.is_stub else "embedder"
        return f"{kind} {self.fingerprint[:12]} of {self.dim} numbers"


@dataclass(frozen=True)
class ThresholdOrigin:
    """Where a calibrated threshold comes from."""

    target_far: float
    impostor_pairs: int


@dataclass(frozen=True)
class Settings:
    """How a gallery works; kept in it.

    Attributes:
        fusion: how templates are made; changing it makes all of them anew.
        vector_type: how vectors are kept; changing it rewrites all of them, and what float16 or
            int8 lost does not come back.
        threshold: cosine from which a face is known; None: 0.35.
        threshold_origin: of a calibrated threshold; None where it was given by hand.
        min_norm: faces whose norm is lower are answered with `low_quality`; None: no limit.
        keep_crops: keep the picture of each face enrolled.
        audit: write down who was enrolled, changed, deleted and searched for.
    """

    fusion: Fusion = "mean"
    vector_type: VectorType = "float32"
    threshold: float | None = None
    threshold_origin: ThresholdOrigin | None = None
    min_norm: float | None = None
    keep_crops: bool = False
    audit: bool = False


@dataclass(frozen=True, eq=False)
class VectorSet:
    """All vectors of a gallery at one moment.

    Attributes:
        names: the identities that have a vector, each once.
        owner: (rows,) position in `names` of each row's identity.
        matrix: (rows, D) float32, each of length 1; not to be written to.
        sample_ids: (rows,) int64, the sample of each row; -1 for templates.
    """

    names: tuple[str, ...]
    owner: NDArray[np.intp]
    matrix: Float
    sample_ids: NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """Something that `check` found wrong.

    Attributes:
        kind: which check found it: `database`, `rows`, `vectors`, `templates`, `counters`, `marks`,
            `audit`, `index`.
        detail: what and where, in words.
    """

    kind: str
    detail: str


@dataclass(frozen=True)
class Stats:
    """A gallery in figures.

    Attributes:
        location: where it is, without secrets.
        version: grows with every change.
        schema: version of the store's format.
        identities: how many.
        samples: how many.
        crops: how many samples have their picture kept.
        audit_rows: lines in the audit log.
        bytes: size on the disk of the store; 0 where it can't be told.
        space: what the vectors are of; None while nothing was enrolled.
        settings: how the gallery works.
        details: what else the store has to say, by name (journal mode, index, server version).
    """

    location: str
    version: int
    schema: str
    identities: int
    samples: int
    crops: int
    audit_rows: int
    bytes: int
    space: Space | None
    settings: Settings
    details: Mapping[str, str] = field(default_factory=dict)
