"""Search of probes in a gallery (1:N), a block at a time: memory does not grow with both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceport.benchmarks.accuracy.metrics.scores import Doubles, Flags
from faceport.benchmarks.accuracy.types import Embedded, Labels
from faceport.errors import InputError

BUDGET = 1 << 27
"""Bytes of one block's scores: 128 MiB."""

GALLERY_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Searches:
    """What is enrolled and what is searched for.

    Attributes:
        gallery: (G,) indexes of the items enrolled.
        probes: (P,) indexes of the items searched for.
    """

    gallery: Labels
    probes: Labels


@dataclass(frozen=True, eq=False)
class SearchScores:
    """What each search found; a gallery identity's score is that of its best entry.

    Attributes:
        own: (P,) cosine with the probe's own identity; -inf where it is not enrolled, or there is
            no face on the probe or on what was enrolled.
        other: (P,) best cosine with another identity; -inf where there is none.
        rank: (P,) rank of the own identity, from 1, behind all that score as much; 0 where `own`
            is -inf.
        mated: (P,) whether the identity is meant to be in the gallery.
        failed: (P,) whether the probe has no face.
        people: (P,) label of the probe.
        enrolled: identities meant to be in the gallery.
        not_enrolled: those of them without a face on anything enrolled.
    """

    own: Doubles
    other: Doubles
    rank: Labels
    mated: Flags
    failed: Flags
    people: Labels
    enrolled: int
    not_enrolled: int


def plan_searches(labels: Labels, seed: int = 0) -> Searches:
    """Choose what to enrol: one item, drawn, of each person with two or more; the rest is probes.

    People with one item are never enrolled: their searches are non-mated.

    Args:
        labels: (N,) person of each picture or template.
        seed: of the draw.

    Raises:
        InputError: nobody has two items.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    names, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    gallery = np.sort(order[first[counts > 1]])
    if len(gallery) == 0:
        raise InputError(
            "nobody has two pictures, one to enrol and one to search for", received=len(names)
        )
    probes = np.setdiff1d(np.arange(len(labels)), gallery)
    return Searches(gallery.astype(np.int64), probes.astype(np.int64))


def search(embedded: Embedded, labels: Labels, searches: Searches) -> SearchScores:
    """Search for each probe in the gallery, in float64.

    Args:
        embedded: of pictures or templates.
        labels: (N,) person of each.
        searches: who is enrolled, who is searched for.

    Raises:
        InputError: nothing is enrolled, or the labels are not those of the embeddings.
    """
    if len(labels) != len(embedded.found) or len(searches.gallery) == 0:
        raise InputError(
            "nothing is enrolled, or labels do not fit the embeddings",
            received=f"{len(searches.gallery)} enrolled, {len(labels)} labels",
            expected=f"1 or more, {len(embedded.found)} labels",
        )
    meant = np.unique(labels[searches.gallery])
    usable = searches.gallery[embedded.found[searches.gallery]]
    usable = usable[np.argsort(labels[usable], kind="stable")]
    names, starts = np.unique(labels[usable], return_index=True)
    people = labels[searches.probes]
    failed = ~embedded.found[searches.probes]
    own = np.full(len(people), -np.inf)
    other = np.full(len(people), -np.inf)
    rank = np.zeros(len(people), dtype=np.int64)
    step = max(1, BUDGET // (8 * max(1, len(names), GALLERY_BLOCK)))
    able = np.flatnonzero(~failed) if len(names) else np.empty(0, dtype=np.int64)
    for begin in range(0, len(able), step):
        rows = able[begin : begin + step]
        best = _best(embedded, usable, starts, searches.probes[rows])
        own[rows], other[rows], rank[rows] = _ranked(best, names, people[rows])
    return SearchScores(
        own,
        other,
        rank,
        np.isin(people, meant),
        failed,
        people,
        len(meant),
        len(meant) - len(names),
    )


def _best(embedded: Embedded, gallery: Labels, starts: Labels, probes: Labels) -> Doubles:
    """Return (R, I) the best score of each identity, whose entries start at `starts`."""
    vectors = embedded.vectors[probes].astype(np.float64)
    best = np.full((len(probes), len(starts)), -np.inf)
    for begin in range(0, len(gallery), GALLERY_BLOCK):
        end = min(begin + GALLERY_BLOCK, len(gallery))
        scores = vectors @ embedded.vectors[gallery[begin:end]].astype(np.float64).T
        low = int(np.searchsorted(starts, begin, side="right")) - 1
        high = int(np.searchsorted(starts, end, side="left"))
        inner = np.maximum(starts[low:high] - begin, 0)
        # An identity may go on in the next block.
        merged = best[:, low:high]
        np.maximum(merged, np.maximum.reduceat(scores, inner, axis=1), out=merged)
    return best


def _ranked(best: Doubles, names: Labels, people: Labels) -> tuple[Doubles, Doubles, Labels]:
    """Return score of the own identity, best of the others, and rank; `best` is used up."""
    column = np.minimum(np.searchsorted(names, people), len(names) - 1)
    there = names[column] == people
    rows = np.arange(len(people))
    own = np.where(there, best[rows, column], -np.inf)
    rank = np.where(there, (best >= own[:, None]).sum(axis=1), 0)
    best[rows[there], column[there]] = -np.inf
    return own, best.max(axis=1), rank
