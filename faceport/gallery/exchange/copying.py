"""From a store to a content, and from a content into a gallery."""

from __future__ import annotations

import json

import numpy as np

from faceport.errors import GalleryError
from faceport.gallery.exchange.content import Content
from faceport.gallery.protocol import GalleryProtocol
from faceport.gallery.settings import read_settings
from faceport.gallery.stores.base import Store
from faceport.gallery.types import Sample
from faceport.runtime.fuse import normalized
from faceport.runtime.types import Embedding

PROVIDER = "import"


def content_of(store: Store, *, crops: bool = True) -> Content:
    """Read all identities that have samples, in one snapshot.

    Vectors kept as float16 or int8 get length 1 again.

    Raises:
        GalleryError: nothing was enrolled, or the store can't be read.
    """
    with store.snapshot() as reader:
        space = reader.space()
        owners = [row for row in reader.identities() if row.samples]
        if space is None or not owners:
            raise GalleryError(
                f"{store.location} has nobody to export", fix="enroll somebody: faceport enroll"
            )
        groups = [reader.samples(row.id) for row in owners]
        rows = [sample for group in groups for sample in group]
        vectors, _ = normalized(np.stack([sample.vector for sample in rows]))
        return Content(
            space=space,
            settings=read_settings(reader, store.location),
            names=tuple(row.name for row in owners),
            metadata=tuple(json.loads(row.metadata) for row in owners),
            owner=np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
            vectors=vectors,
            norms=np.array([sample.norm for sample in rows], np.float32),
            sources=tuple(sample.source for sample in rows),
            image_hashes=tuple(sample.image_hash for sample in rows),
            added=tuple(sample.added for sample in rows),
            crops=tuple(
                reader.crop(sample.id) if crops and sample.has_crop else None for sample in rows
            ),
        )


def import_content(gallery: GalleryProtocol, content: Content) -> int:
    """Enroll a content that was checked, each identity in a transaction; return how many samples.

    What an identity has already is not added again, so an import that was interrupted is repeated.

    Raises:
        FingerprintMismatchError: it is of another embedder than the gallery's; nothing was added.
        GalleryError: the gallery could not be written.
    """
    space = content.space
    starts = np.searchsorted(content.owner, np.arange(len(content.names) + 1))
    added = 0
    for place, name in enumerate(content.names):
        samples = [
            Sample(
                Embedding(
                    content.vectors[row],
                    float(content.norms[row]),
                    space.fingerprint,
                    PROVIDER,
                    space.is_stub,
                ),
                content.sources[row],
                content.image_hashes[row],
                content.crops[row],
            )
            for row in range(starts[place], starts[place + 1])
        ]
        # An empty object says nothing; it does not replace what is there.
        metadata = dict(content.metadata[place]) or None
        added += gallery.enroll(name, samples, metadata=metadata)
    return added
