"""Rows found again."""

from __future__ import annotations

import numpy as np
from face_vectors import face_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.gallery.indexes.digests import matched, row_digests

NUMBERS = st.lists(st.integers(0, 6), max_size=20)


def test_a_digest_is_of_the_row_alone() -> None:
    rows = face_vectors(100, 1, 33)
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(row_digests(rows)[order], row_digests(rows[order]))
    assert len(set(row_digests(rows).tolist())) == 100


def test_any_bit_of_a_row_counts() -> None:
    row = face_vectors(1, 1, 16)
    seen = {int(row_digests(row)[0])}
    for bit in range(16 * 32):
        words = row.copy().view(np.uint32)
        words[0, bit // 32] ^= np.uint32(1 << bit % 32)
        seen.add(int(row_digests(words.view(np.float32))[0]))
    assert len(seen) == 16 * 32 + 1


def test_digests_do_not_change_between_versions() -> None:
    # They are in files: another number here makes every saved graph be built anew.
    assert row_digests(np.array([[0.6, 0.8]], np.float32)).tolist() == [1436930833686552925]


@settings(deadline=None)
@given(old=NUMBERS, new=NUMBERS)
def test_rows_are_paired_one_by_one(old: list[int], new: list[int]) -> None:
    now, added = matched(np.array(old, np.uint64), np.array(new, np.uint64))
    paired = sum(min(old.count(n), new.count(n)) for n in set(old))
    assert len(now) == paired
    assert sorted([*now, *added]) == list(range(len(new)))
    if paired == len(old):
        assert [new[i] for i in now] == old
