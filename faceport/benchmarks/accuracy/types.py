"""What the accuracy protocols are given: pictures, pairs of them, identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError

Float = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Picture:
    """One picture of an evaluation.

    Attributes:
        name: for reports; unique within the set.
        source: a path, or the encoded bytes.
        aligned: whether it is a crop of the model's size already, with no detection to be done.
    """

    name: str
    source: str | bytes
    aligned: bool = False


@dataclass(frozen=True, eq=False)
class PairSet:
    """Pairs of pictures, the same person or not.

    Attributes:
        name: of the list.
        pictures: each once.
        left: (N,) index of the first picture.
        right: (N,) index of the second.
        same: (N,) whether they show one person.
        folds: (N,) number of the fold, 0 up; all 0 where the list has none.
        labels: (P,) index of the person on each picture, where the list says who they are: pairs
            of one person are not independent, and an interval then counts people, not pairs.
    """

    name: str
    pictures: tuple[Picture, ...]
    left: Labels
    right: Labels
    same: NDArray[np.bool_]
    folds: Labels
    labels: Labels | None = None

    def __post_init__(self) -> None:
        sizes = {len(column) for column in (self.left, self.right, self.same, self.folds)}
        if len(sizes) != 1 or 0 in sizes:
            raise InputError(f"{self.name} has no pairs, or columns of several lengths")


@dataclass(frozen=True, eq=False)
class IdentitySet:
    """Pictures with the name of who is on them.

    Attributes:
        name: of the set.
        pictures: each once.
        labels: (N,) index into `people`.
        people: names.
        templates: (N,) pictures of one number are fused into one template (IJB); each its own
            where the set says nothing.
    """

    name: str
    pictures: tuple[Picture, ...]
    labels: Labels
    people: tuple[str, ...]
    templates: Labels


@dataclass(frozen=True, eq=False)
class Embedded:
    """What an embedder made of the pictures of a set.

    Attributes:
        vectors: (N, D) float32 of length 1; zeros where `found` is false.
        norms: (N,) float32, before normalisation; 0 where `found` is false.
        found: (N,) whether there is a face.
        problems: name of each picture without a face, and why: not found, not readable.
    """

    vectors: Float
    norms: Float
    found: NDArray[np.bool_]
    problems: Sequence[tuple[str, str]] = ()
