"""Rows for tests of stores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.stores.base import NewSample, Store, Writer
from faceport.gallery.types import Space

DIM = 24
SPACE = Space("f" * 64, DIM)
TIME = "2026-01-02T03:04:05+00:00"


def opened(location: str, **choices: Any) -> Store:
    """Open a store of any kind by its location."""
    if location.startswith("postgresql://"):
        from faceport.gallery.stores.postgres import open_store as open_postgres

        return open_postgres(location, **choices)
    from faceport.gallery.stores.sqlite import open_store

    return open_store(location, **choices)


def unit(seed: int, dim: int = DIM) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).normal(size=dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def new_sample(
    seed: int, *, source: str = "", crop: bytes | None = None, dim: int = DIM
) -> NewSample:
    image_hash = hashlib.sha256(b"%d" % seed).hexdigest()
    return NewSample(
        unit(seed, dim), 10.0 + seed % 7, source or f"{seed}.jpg", image_hash, TIME, crop
    )


def add_person(
    writer: Writer,
    name: str,
    seeds: Iterable[int],
    *,
    metadata: str = "{}",
    crop: bytes | None = None,
) -> list[int]:
    """Add an identity with samples and, as its template, the mean of them."""
    samples = [new_sample(seed, crop=crop) for seed in seeds]
    number = writer.add_identity(name, metadata, TIME)
    ids = writer.add_samples(number, samples)
    if samples:
        mean = np.mean([sample.vector for sample in samples], axis=0)
        length = float(np.linalg.norm(mean))
        writer.set_template(number, (mean / length).astype(np.float32), length)
    return ids
