"""Pairs, searches and templates of a set, the same for every artefact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceport.benchmarks.accuracy.protocol import judge, protocol_of, set_hash, with_templates
from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.accuracy.types import Embedded, IdentitySet, PairSet, Picture
from faceport.errors import InputError

SETTINGS = Settings("b", "l")


def people(*counts: int, templates: list[int] | None = None) -> IdentitySet:
    labels = np.repeat(np.arange(len(counts)), counts)
    pictures = tuple(Picture(f"p{n}", b"") for n in range(len(labels)))
    numbers = np.arange(len(labels)) if templates is None else np.array(templates)
    names = tuple(f"person {n}" for n in range(len(counts)))
    return IdentitySet("set", pictures, labels, names, numbers)


def on_axes(listed: IdentitySet) -> Embedded:
    """Everybody on an axis of their own, with a little of the next one's."""
    size = len(listed.people)
    vectors = np.eye(size, dtype=np.float32)[listed.labels]
    vectors[:, -1] += 0.1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    count = len(vectors)
    return Embedded(vectors, np.ones(count, np.float32), np.ones(count, np.bool_))


def test_all_pairs_are_made_and_a_sample_says_of_how_many() -> None:
    whole = protocol_of(people(3, 3, 2), SETTINGS)
    assert (len(whole.pairs.same), whole.possible_pairs) == (28, 28)
    assert int(whole.pairs.same.sum()) == 7
    part = protocol_of(people(3, 3, 2), replace(SETTINGS, pairs=10))
    assert (len(part.pairs.same), part.possible_pairs) == (10, 28)


def test_one_or_half_of_a_persons_pictures_are_enrolled() -> None:
    listed = people(4, 5, 1)
    one = protocol_of(listed, SETTINGS).searches
    half = protocol_of(listed, replace(SETTINGS, gallery="half")).searches
    assert one is not None
    assert half is not None
    assert np.bincount(listed.labels[one.gallery], minlength=3).tolist() == [1, 1, 0]
    assert np.bincount(listed.labels[half.gallery], minlength=3).tolist() == [2, 2, 0]
    assert sorted([*half.gallery, *half.probes]) == list(range(10))


@pytest.mark.parametrize("counts", [(1, 1, 1), (3, 1, 1)])
def test_without_a_gallery_of_two_there_is_no_identification(counts: tuple[int, ...]) -> None:
    listed = people(*counts)
    protocol = protocol_of(listed, SETTINGS)
    assert protocol.searches is None
    assert protocol.no_identification != ""
    assert judge(protocol, on_axes(listed), SETTINGS).identification is None


def test_templates_are_drawn_where_the_set_has_none_and_kept_where_it_has() -> None:
    drawn = with_templates(people(4, 5, 1), seed=3)
    sizes = np.unique(drawn.templates, return_counts=True)[1]
    assert sorted(sizes.tolist()) == [1, 2, 2, 2, 3]
    for number in np.unique(drawn.templates):
        assert len(set(drawn.labels[drawn.templates == number])) == 1
    named = people(2, 2, templates=[7, 7, 9, 9])
    assert with_templates(named, 0) is named


def test_fused_templates_are_what_is_compared() -> None:
    listed = people(4, 4, 4)
    settings = replace(SETTINGS, fuse="mean")
    answer = judge(protocol_of(listed, settings), on_axes(listed), settings)
    assert answer.verification.pairs == 15
    assert answer.verification.genuine == 3
    assert answer.verification.auc == 1.0
    assert answer.identification is not None
    assert answer.identification.rank1 == 1.0


def pair_set() -> PairSet:
    pictures = tuple(Picture(name, b"") for name in "abcd")
    left, right = np.array([0, 1, 2]), np.array([1, 2, 3])
    return PairSet("list", pictures, left, right, np.array([True, False, True]), np.zeros(3, int))


def test_failures_are_rejected_or_left_out() -> None:
    vectors = np.eye(4, dtype=np.float32)
    found = np.array([True, True, True, False])
    made = Embedded(vectors, np.ones(4, np.float32), found)
    protocol = protocol_of(pair_set(), SETTINGS)
    kept = judge(protocol, made, SETTINGS)
    left_out = judge(protocol, made, replace(SETTINGS, failures="exclude"))
    assert (kept.verification.pairs, len(kept.scores.same)) == (3, 3)
    assert (left_out.verification.pairs, len(left_out.scores.same)) == (2, 2)
    assert len(left_out.every.same) == 3


def test_a_list_of_pairs_has_no_templates() -> None:
    with pytest.raises(InputError, match="no templates to fuse"):
        protocol_of(pair_set(), replace(SETTINGS, fuse="norm"))


def test_the_hash_is_of_names_and_labels() -> None:
    listed = people(2, 2)
    assert set_hash(listed) == set_hash(people(2, 2))
    assert set_hash(listed) != set_hash(people(3, 1))
    renamed = replace(listed, pictures=(Picture("other", b""), *listed.pictures[1:]))
    assert set_hash(renamed) != set_hash(listed)
    assert set_hash(pair_set()) != set_hash(listed)
