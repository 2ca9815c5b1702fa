"""Embeddings and samples for tests of galleries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from faceport.gallery import Sample
from faceport.runtime.types import Embedding

DIM = 16
FINGERPRINT = "f" * 64

VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE identities (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    identity_id INTEGER NOT NULL REFERENCES identities(id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    norm REAL NOT NULL,
    source TEXT NOT NULL,
    added TEXT NOT NULL
);
CREATE INDEX embeddings_identity ON embeddings(identity_id);
"""
"""The tables that the first release made, as it made them."""


def embedding(
    seed: int,
    *,
    dim: int = DIM,
    fingerprint: str = FINGERPRINT,
    is_stub: bool = False,
    norm: float = 20.0,
) -> Embedding:
    vector = np.random.default_rng(seed).normal(size=dim)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Embedding(unit, norm, fingerprint, "test/cpu", is_stub)


def sample(seed: int, source: str = "", *, hashed: bool = False, norm: float = 20.0) -> Sample:
    image_hash = hashlib.sha256(str(seed).encode()).hexdigest() if hashed else ""
    return Sample(embedding(seed, norm=norm), source or f"{seed}.jpg", image_hash)


def samples(seeds: Sequence[int]) -> list[Sample]:
    return [sample(seed) for seed in seeds]
