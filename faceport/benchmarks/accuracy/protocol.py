"""What is compared with what: the pairs and searches of a set, the same for every artefact."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from faceport.benchmarks.accuracy.lists import pairs_of
from faceport.benchmarks.accuracy.metrics.identification import Identification, identify
from faceport.benchmarks.accuracy.metrics.scores import PairScores, scores_of
from faceport.benchmarks.accuracy.metrics.search import Searches, plan_searches, search
from faceport.benchmarks.accuracy.metrics.templates import fuse_templates
from faceport.benchmarks.accuracy.metrics.verification import Verification, verify
from faceport.benchmarks.accuracy.settings import Fuse, Settings
from faceport.benchmarks.accuracy.types import Embedded, IdentitySet, Labels, PairSet, Picture
from faceport.errors import InputError


@dataclass(frozen=True, eq=False)
class Protocol:
    """The comparisons of a set.

    Attributes:
        pairs: of pictures, or of templates where there is something to `fuse`.
        searches: 1:N searches; None where there are none.
        no_identification: why there are none; empty where there are.
        identities: the set whose pictures are fused; None where pictures are compared.
        fuse: how.
        possible_pairs: that the set has, of which `pairs` may be a sample.
        pictures: of the set.
    """

    pairs: PairSet
    searches: Searches | None
    no_identification: str
    identities: IdentitySet | None
    fuse: Fuse | None
    possible_pairs: int
    pictures: tuple[Picture, ...]

    def items(self, embedded: Embedded) -> Embedded:
        """Return what is compared: the pictures, or the templates fused of them."""
        if self.identities is None or self.fuse is None:
            return embedded
        return fuse_templates(self.identities, embedded, self.fuse).embedded


@dataclass(frozen=True, eq=False)
class Judged:
    """One artefact's answers.

    Attributes:
        every: cosines of all pairs.
        scores: of those that count: without the failures, where those do not count.
        verification: 1:1 figures.
        identification: 1:N figures; None where there are no searches.
    """

    every: PairScores
    scores: PairScores
    verification: Verification
    identification: Identification | None


def protocol_of(listed: PairSet | IdentitySet, settings: Settings) -> Protocol:
    """Plan the comparisons of a set.

    Raises:
        InputError: templates of a list of pairs, or a set without a pair.
    """
    if isinstance(listed, PairSet):
        if settings.fuse is not None:
            raise InputError(
                f"{listed.name} is a list of pairs, which has no templates to fuse",
                received=f"fuse {settings.fuse}",
                fix="give a folder of identities, or leave --fuse out",
            )
        reason = "a list of pairs names no gallery"
        return Protocol(listed, None, reason, None, None, len(listed.same), listed.pictures)
    items, fused = listed, None
    if settings.fuse is not None:
        fused = with_templates(listed, settings.seed)
        items = _templates_as_items(fused)
    pairs = pairs_of(items, settings.pairs, settings.seed)
    searches, reason = _searches(items.labels, settings)
    possible = len(items.labels) * (len(items.labels) - 1) // 2
    return Protocol(pairs, searches, reason, fused, settings.fuse, possible, listed.pictures)


def judge(protocol: Protocol, embedded: Embedded, settings: Settings) -> Judged:
    """Compute the figures of one artefact.

    Args:
        protocol: of the set.
        embedded: what the artefact made of the set's pictures.
        settings: `failures` and `seed`.
    """
    items = protocol.items(embedded)
    scores = scores_of(protocol.pairs, items)
    verification = verify(scores, failures=settings.failures, seed=settings.seed)
    identification = None
    if protocol.searches is not None and protocol.pairs.labels is not None:
        found = search(items, protocol.pairs.labels, protocol.searches)
        identification = identify(found, seed=settings.seed)
    used = scores if settings.failures == "reject" else scores.without_failures()
    return Judged(scores, used, verification, identification)


def with_templates(identities: IdentitySet, seed: int) -> IdentitySet:
    """Return the set with two templates an identity, where it names none of its own.

    The pictures of an identity are shuffled and dealt out in turn; one with a single picture has a
    single template.
    """
    if len(np.unique(identities.templates)) < len(identities.templates):
        return identities
    order = np.random.default_rng(seed).permutation(len(identities.labels))
    templates = np.empty(len(order), dtype=np.int64)
    seen: dict[int, int] = {}
    for picture in order:
        label = int(identities.labels[picture])
        turn = seen.get(label, 0)
        seen[label] = turn + 1
        templates[picture] = 2 * label + turn % 2
    return replace(identities, templates=templates)


def set_hash(listed: PairSet | IdentitySet) -> str:
    """Return a hash of what a list says, 64 hex digits: names, pairs, labels; not the pixels."""
    digest = hashlib.sha256()
    for picture in listed.pictures:
        digest.update(f"{picture.name}\n".encode("utf-8", "surrogateescape"))
    columns = (
        (listed.left, listed.right, listed.same, listed.folds)
        if isinstance(listed, PairSet)
        else (listed.labels, listed.templates)
    )
    for column in columns:
        digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return digest.hexdigest()


def _templates_as_items(identities: IdentitySet) -> IdentitySet:
    numbers, first = np.unique(identities.templates, return_index=True)
    labels = identities.labels[first]
    pictures = tuple(
        Picture(f"template {number} ({identities.people[label]})", b"")
        for number, label in zip(numbers, labels, strict=True)
    )
    return IdentitySet(identities.name, pictures, labels, identities.people, numbers)


def _searches(labels: Labels, settings: Settings) -> tuple[Searches | None, str]:
    try:
        plan = plan_searches(labels, settings.seed)
    except InputError as error:
        return None, str(error)
    if len(np.unique(labels[plan.gallery])) < 2:
        return None, "a gallery of one person answers every search"
    return (plan if settings.gallery == "one" else _half(labels, settings.seed)), ""


def _half(labels: Labels, seed: int) -> Searches:
    """Enrol half of the pictures of each person with two or more, rounded down, drawn."""
    order = np.random.default_rng(seed).permutation(len(labels))
    counts = np.bincount(labels)
    taken = np.zeros_like(counts)
    gallery = []
    for item in order:
        label = labels[item]
        if taken[label] < counts[label] // 2:
            taken[label] += 1
            gallery.append(int(item))
    chosen = np.sort(np.array(gallery, dtype=np.int64))
    return Searches(chosen, np.setdiff1d(np.arange(len(labels)), chosen))
