"""An export that says nothing of who the people are, but for the vectors themselves."""

from __future__ import annotations

import secrets
from dataclasses import replace

import numpy as np

from faceport.gallery.exchange.content import Content

PSEUDONYM_BYTES = 8


def redacted(content: Content) -> Content:
    """Take out names, metadata, sources, hashes, times and crops.

    Each identity gets a random pseudonym that is kept nowhere: one made from the name could be
    found by trying names. Identities are ordered by pseudonym, samples within one by chance, so
    that no order remains. What is left, the vectors, is biometric data still: a face of the same
    person finds them.
    """
    pseudonyms: set[str] = set()
    while len(pseudonyms) < len(content.names):
        pseudonyms.add(f"person-{secrets.token_hex(PSEUDONYM_BYTES)}")
    rng = np.random.default_rng(secrets.randbits(128))
    places = rng.permutation(len(content.names))
    # Shuffled first, then brought together by identity.
    order = rng.permutation(len(content.owner))
    order = order[np.argsort(places[content.owner[order]], kind="stable")]
    nothing = ("",) * len(order)
    return replace(
        content,
        names=tuple(sorted(pseudonyms)),
        metadata=({},) * len(content.names),
        owner=places[content.owner[order]].astype(np.int64),
        vectors=content.vectors[order],
        norms=content.norms[order],
        sources=nothing,
        image_hashes=nothing,
        added=nothing,
        crops=(None,) * len(order),
        redacted=True,
    )
