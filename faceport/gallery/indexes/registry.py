"""Which index is made for what is asked."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Literal

from faceport.errors import InputError
from faceport.gallery.indexes.base import Index
from faceport.gallery.indexes.bits import BitsIndex
from faceport.gallery.indexes.exact import ExactIndex
from faceport.gallery.indexes.hnsw import HnswIndex
from faceport.gallery.indexes.int8 import Int8Index

IndexKind = Literal["auto", "exact", "int8", "bits", "hnsw"]
"""`exact` and `int8` find the same; `bits` and `hnsw` may miss a row; `auto` never does."""

INDEXES: dict[str, Callable[[], Index]] = {
    "exact": ExactIndex,
    "int8": Int8Index,
    "bits": BitsIndex,
    "hnsw": HnswIndex,
}
"""Kinds and what makes them. Each imports its library when it is made."""

INT8_FROM = 50_000
"""Rows from which scanning int8 is worth its memory, where numkong is there."""


def make_index(kind: str, rows: int = 0) -> Index:
    """Make an empty index of a kind.

    Args:
        kind: one of `IndexKind`; `auto` takes `int8` from 50,000 rows on where its library is
            installed, else `exact`.
        rows: about how many it is to search.

    Raises:
        InputError: there is no such kind.
        MissingDependencyError: its library is not installed.
    """
    if kind == "auto":
        there = importlib.util.find_spec("numkong") is not None
        kind = "int8" if there and rows >= INT8_FROM else "exact"
    if kind not in INDEXES:
        expected = ", ".join(["auto", *INDEXES])
        raise InputError("the kind of index", received=repr(kind), expected=f"one of {expected}")
    return INDEXES[kind]()
