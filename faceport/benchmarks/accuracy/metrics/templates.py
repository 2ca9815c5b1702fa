"""Fusion of the pictures of a template into one vector, as IJB's protocols do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from faceport.benchmarks.accuracy.types import Embedded, IdentitySet, Labels
from faceport.errors import InputError
from faceport.runtime.fuse import fuse_by_norm

Fusion = Literal["mean", "norm"]


@dataclass(frozen=True, eq=False)
class Templates:
    """Fused templates of an identity set.

    Attributes:
        embedded: a row for each template; `problems` names those without any face.
        labels: (T,) index into `people`.
        people: names.
        numbers: (T,) the template's number in the set, rising.
        pictures: (T,) pictures that it has.
        found: (T,) pictures on which a face was found, which are fused.
    """

    embedded: Embedded
    labels: Labels
    people: tuple[str, ...]
    numbers: Labels
    pictures: Labels
    found: Labels


def fuse_templates(
    identities: IdentitySet, embedded: Embedded, fusion: Fusion = "mean"
) -> Templates:
    """Fuse the pictures of each template.

    Args:
        identities: the set, whose `templates` say what belongs together.
        embedded: what was made of its pictures, in their order.
        fusion: `mean` adds the unit vectors; `norm` weights each by its length before
            normalisation, its quality. Either sum is normalised.

    Raises:
        InputError: `embedded` is not of as many pictures, a template has pictures of two people, or
            there is no such fusion.
    """
    if fusion not in get_args(Fusion):
        raise InputError("there is no such fusion", received=fusion, expected="mean or norm")
    if len(embedded.found) != len(identities.pictures):
        raise InputError(
            f"the embeddings are not those of {identities.name}",
            received=len(embedded.found),
            expected=f"{len(identities.pictures)} pictures",
        )
    numbers, first, place = np.unique(identities.templates, return_index=True, return_inverse=True)
    labels = identities.labels[first]
    _check_people(numbers, labels[place] == identities.labels, place)
    vectors = np.zeros((len(numbers), embedded.vectors.shape[1]), dtype=np.float32)
    norms = np.zeros(len(numbers), dtype=np.float32)
    counts = np.bincount(place, minlength=len(numbers))
    found = np.bincount(place, weights=embedded.found, minlength=len(numbers)).astype(np.int64)
    members = np.split(np.argsort(place, kind="stable"), np.cumsum(counts)[:-1])
    weights = embedded.norms if fusion == "norm" else np.ones_like(embedded.norms)
    for i, pictures in enumerate(members):
        used = pictures[embedded.found[pictures]]
        if len(used):
            fused = fuse_by_norm(embedded.vectors[used][:, None], weights[used][:, None])
            vectors[i], norms[i] = fused[0][0], fused[1][0]
    names = [identities.people[label] for label in labels]
    problems = tuple(
        (f"template {numbers[i]} ({names[i]})", f"no face on any of its {counts[i]} pictures")
        for i in np.flatnonzero(found == 0)
    )
    return Templates(
        Embedded(vectors, norms, found > 0, problems),
        labels,
        identities.people,
        numbers,
        counts.astype(np.int64),
        found,
    )


def _check_people(numbers: Labels, agrees: np.ndarray, place: Labels) -> None:
    if not agrees.all():
        raise InputError(
            "a template has pictures of two people",
            received=f"template {numbers[place[int(np.argmin(agrees))]]}",
        )
