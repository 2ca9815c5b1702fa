"""What an exported gallery holds, and what must be true of it before it is imported."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import GalleryError, InputError
from faceport.gallery.admission import metadata_text
from faceport.gallery.crops import PNG_SIGNATURE
from faceport.gallery.names import check_name
from faceport.gallery.settings import check_settings
from faceport.gallery.types import Float, Json, Settings, Space

FORMAT = "faceport-gallery"
VERSION = 1
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Content:
    """The identities of a gallery that have samples, column by column.

    Attributes:
        space: of the vectors.
        settings: of the gallery; taken over by a gallery that the import makes.
        names: (I,) of the identities.
        metadata: (I,) JSON objects.
        owner: (S,) the place in `names` of each sample's identity, rising.
        vectors: (S, D) float32 of length 1.
        norms: (S,) float32.
        sources: (S,) where each came from; "" if redacted.
        image_hashes: (S,) SHA-256 in hex of each picture's bytes, or "".
        added: (S,) when it was enrolled, ISO 8601 in UTC, or "".
        crops: (S,) PNG, or None.
        redacted: whether names and origins were taken out.
    """

    space: Space
    settings: Settings
    names: tuple[str, ...]
    metadata: tuple[Mapping[str, Json], ...]
    owner: NDArray[np.int64]
    vectors: Float
    norms: Float
    sources: tuple[str, ...]
    image_hashes: tuple[str, ...]
    added: tuple[str, ...]
    crops: tuple[bytes | None, ...]
    redacted: bool = False


def check_content(content: Content, origin: str) -> None:
    """Check everything about a content that came from a file; nothing is imported of a bad one.

    Raises:
        GalleryError: a number, a shape or a text is not what it must be; the message says where.
    """
    checks = (_settings, _shapes, _vectors, _identities, _metadata, _texts)
    problem = next(filter(None, (check(content) for check in checks)), None)
    if problem is not None:
        received, expected = problem
        raise GalleryError(
            f"{origin} holds no sound gallery",
            received=received,
            expected=expected,
            fix="export it again; nothing was imported",
        )


Problem = tuple[str, str]
"""What was received and what was expected."""


def _settings(content: Content) -> Problem | None:
    try:
        check_settings(content.settings)
    except InputError as error:
        return f"{error.subject} {error.received}", str(error.expected)
    return None


def _shapes(content: Content) -> Problem | None:
    samples = len(content.owner)
    if content.vectors.shape != (samples, content.space.dim):
        return f"vectors {content.vectors.shape}", f"({samples}, {content.space.dim})"
    for name in ("norms", "sources", "image_hashes", "added", "crops"):
        if len(getattr(content, name)) != samples:
            return f"{len(getattr(content, name))} {name}", f"{samples}"
    if len(content.metadata) != len(content.names):
        return f"{len(content.metadata)} metadata", f"{len(content.names)}"
    return None


def _vectors(content: Content) -> Problem | None:
    lengths = np.sqrt(np.square(content.vectors, dtype=np.float64).sum(axis=1))
    # Written so that NaN fails.
    wrong = np.flatnonzero(~(np.abs(lengths - 1) < UNIT_TOLERANCE))
    if len(wrong):
        return f"vector {wrong[0]} of length {lengths[wrong[0]]:.4f}", "unit vectors"
    norms = np.flatnonzero(~(np.isfinite(content.norms) & (content.norms >= 0)))
    if len(norms):
        return f"norm {norms[0]} of {content.norms[norms[0]]}", "a finite number, 0 or more"
    return None


def _identities(content: Content) -> Problem | None:
    count = np.arange(len(content.names))
    if not np.array_equal(np.unique(content.owner), count) or (np.diff(content.owner) < 0).any():
        return "samples of other identities", "each identity with its samples, in order"
    if len(set(content.names)) != len(content.names):
        return "a name twice", "each name once"
    for name in content.names:
        try:
            check_name(name)
        except InputError as error:
            return f"name {error.received}", str(error.expected)
    return None


def _metadata(content: Content) -> Problem | None:
    if [one for one in content.metadata if not isinstance(one, Mapping)]:
        return "metadata that is no object", "JSON objects"
    for one in content.metadata:
        try:
            # Python's reader takes NaN, which no JSON has and no gallery.
            metadata_text(one)
        except InputError as error:
            return f"metadata {error.received}", "JSON objects"
    return None


def _texts(content: Content) -> Problem | None:
    for image_hash in content.image_hashes:
        if image_hash and (len(image_hash) != 64 or not set(image_hash) <= set(string.hexdigits)):
            return f"image hash {image_hash[:70]!r}", "64 hexadecimal digits, or nothing"
    if any("\0" in text for text in content.sources):
        return "a source with a null character", "text"
    if any(crop is not None and not crop.startswith(PNG_SIGNATURE) for crop in content.crops):
        return "a crop that is no PNG", "PNG files"
    return None
