"""Changes of a gallery within one transaction; the caller has checked the arguments."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone

import numpy as np

from faceport.errors import GalleryError
from faceport.gallery.admission import metadata_text, space_of
from faceport.gallery.stores.base import IdentityRow, NewSample, Reader, SampleRow, Writer
from faceport.gallery.templates import fuse
from faceport.gallery.types import Float, Fusion, Identity, Sample, Settings
from faceport.runtime.types import Embedding


def now() -> str:
    """The time as a store keeps it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def identity_row(reader: Reader, name: str, location: str) -> IdentityRow:
    """Find an identity.

    Raises:
        GalleryError: there is none of that name.
    """
    row = reader.identity(name)
    if row is None:
        raise GalleryError(
            f"{location} holds nobody of that name",
            received=repr(name),
            fix="see who is there: `faceport gallery list`",
        )
    return row


def identity_of(row: IdentityRow) -> Identity:
    """Make what callers see of a row."""
    return Identity(row.name, row.samples, json.loads(row.metadata), row.created, row.changed)


def enroll_samples(
    writer: Writer,
    name: str,
    samples: Sequence[Sample],
    stored: Float,
    metadata: str | None,
    settings: Settings,
) -> int:
    """Add what is new of n samples to an identity, making it where it is new.

    Args:
        writer: of the transaction.
        name: of the identity.
        samples: n of them.
        stored: (n, D) their vectors as the store keeps them.
        metadata: JSON text that replaces the identity's; None leaves it.
        settings: of the gallery.

    Returns:
        How many were new.
    """
    row = writer.identity(name)
    owner = writer.add_identity(name, metadata or "{}", now()) if row is None else row.id
    if row is not None and metadata not in (None, row.metadata):
        writer.set_metadata(owner, str(metadata), now())
    added = _add_new(writer, owner, samples, stored, settings.keep_crops)
    if added:
        writer.touch_identity(owner, now())
        remake_template(writer, owner, settings.fusion)
    return added


def merge_identities(
    writer: Writer, source: IdentityRow, into: IdentityRow, fusion: Fusion
) -> None:
    """Give one identity's samples and metadata to another, less what it has, and remove it."""
    there = writer.samples(into.id)
    vectors = {sample.vector.tobytes() for sample in there}
    hashes = {sample.image_hash for sample in there} - {""}
    for sample in writer.samples(source.id):
        if sample.vector.tobytes() in vectors or sample.image_hash in hashes:
            writer.delete_sample(sample.id)
    writer.move_samples(source.id, into.id)
    both = {**identity_of(source).metadata, **identity_of(into).metadata}
    writer.set_metadata(into.id, metadata_text(both), now())
    writer.delete_identity(source.id)
    remake_template(writer, into.id, fusion)


def replace_vectors(
    writer: Writer,
    embeddings: Mapping[int, Embedding],
    drop: Collection[int],
    fusion: Fusion,
    location: str,
) -> None:
    """Give every sample a vector of another space, or drop it.

    Raises:
        GalleryError: a sample is in neither, or is not there.
    """
    there = {sample.id for owner in writer.names() for sample in writer.samples(owner)}
    if there != embeddings.keys() | set(drop):
        raise GalleryError(
            f"gallery {location} was changed while its faces were embedded again",
            fix="embed the samples that it has now; nothing was changed",
        )
    for sample_id in drop:
        writer.delete_sample(sample_id)
    writer.set_space(space_of(embeddings.values()))
    for sample_id, embedding in embeddings.items():
        writer.set_vector(sample_id, embedding.vector, embedding.norm)
    remake_templates(writer, fusion)


def _add_new(
    writer: Writer, identity_id: int, samples: Sequence[Sample], stored: Float, keep_crops: bool
) -> int:
    """Add the samples whose vector and picture the identity does not have yet.

    Args:
        writer: of the transaction.
        identity_id: whose.
        samples: n of them.
        stored: (n, D) their vectors as the store keeps them.
        keep_crops: keep their pictures.
    """
    there = writer.samples(identity_id)
    vectors = {sample.vector.tobytes() for sample in there}
    hashes = {sample.image_hash for sample in there} - {""}
    new = []
    for sample, vector in zip(samples, stored, strict=True):
        if vector.tobytes() in vectors or sample.image_hash in hashes:
            continue
        vectors.add(vector.tobytes())
        hashes |= {sample.image_hash} - {""}
        crop = sample.crop if keep_crops else None
        # A path need not be Unicode, and databases keep nothing else.
        source = sample.source.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
        new.append(NewSample(vector, sample.embedding.norm, source, sample.image_hash, now(), crop))
    writer.add_samples(identity_id, new)
    return len(new)


def remake_template(writer: Writer, identity_id: int, fusion: Fusion) -> None:
    """Make an identity's template of the samples that it has now."""
    samples = writer.samples(identity_id)
    if samples:
        writer.set_template(identity_id, *_fused(samples, fusion))
    else:
        writer.set_template(identity_id, None, 0.0)


def remake_templates(writer: Writer, fusion: Fusion) -> None:
    """Make all templates anew."""
    for identity_id in writer.names():
        remake_template(writer, identity_id, fusion)


def _fused(samples: Sequence[SampleRow], fusion: Fusion) -> tuple[Float, float]:
    matrix = np.stack([sample.vector for sample in samples])
    norms = np.array([sample.norm for sample in samples], np.float32)
    return fuse(matrix, norms, fusion)
