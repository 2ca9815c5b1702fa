"""What may enter a gallery: unit vectors of one space, metadata that is JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import numpy as np

from faceport.errors import FingerprintMismatchError, InputError
from faceport.gallery.stores.base import Reader
from faceport.gallery.types import Json, Space
from faceport.runtime.types import Embedding

UNIT_TOLERANCE = 1e-3


def space_of(embeddings: Iterable[Embedding]) -> Space:
    """Check embeddings that are to be stored, and return the space that all of them are of.

    Raises:
        FingerprintMismatchError: they are of two spaces.
        InputError: one is not a unit vector, or its norm is not a number of 0 or more.
    """
    spaces = []
    for embedding in embeddings:
        vector = embedding.vector
        length = float(np.linalg.norm(vector.astype(np.float64)))
        # Written so that NaN fails.
        if vector.ndim != 1 or not abs(length - 1) < UNIT_TOLERANCE:
            raise InputError(
                "an embedding is not a unit vector",
                received=f"shape {vector.shape}, length {length:.4f}",
                expected="(D,) of length 1",
            )
        if not 0 <= embedding.norm < np.inf:
            raise InputError("an embedding's norm", received=embedding.norm, expected="0 or more")
        spaces.append(Space(embedding.fingerprint, vector.size, embedding.is_stub))
    if len(set(spaces)) > 1:
        raise FingerprintMismatchError(
            "embeddings of another embedder are among those to be stored",
            received=", ".join(map(str, sorted(set(spaces), key=str))),
            expected="one embedder",
        )
    return spaces[0]


def check_space(reader: Reader, space: Space, location: str) -> None:
    """Refuse another space than the gallery's, where it has one.

    Raises:
        FingerprintMismatchError: it is another.
    """
    known = reader.space()
    if known is not None and known != space:
        raise FingerprintMismatchError(
            f"gallery {location} was filled by another embedder",
            received=space,
            expected=known,
            fix="use the embedder that filled it, or enroll into a new gallery",
        )


def metadata_text(metadata: Mapping[str, Json]) -> str:
    """Write metadata as JSON.

    Raises:
        InputError: a key is no text, or a value no JSON.
    """
    if not all(isinstance(key, str) for key in metadata):
        raise InputError("a key of an identity's metadata is no text", received=repr(metadata)[:80])
    try:
        return json.dumps(dict(metadata), ensure_ascii=True, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"the metadata of an identity is not JSON: {error}", received=repr(metadata)[:80]
        ) from error
