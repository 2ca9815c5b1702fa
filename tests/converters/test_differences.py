from __future__ import annotations

from torch import nn

from faceport.converters.differences import differences, first_few, fit, overlap, shapes_of

EXPECTED = {"a": (1,), "b": (2,), "c": (3,), "d": (4,)}


def test_fit_counts_right_shapes_and_overlap_names() -> None:
    shapes = {"a": (1,), "b": (9,), "e": (5,), "a.num_batches_tracked": ()}
    assert fit(EXPECTED, shapes) == 0.25
    assert overlap(EXPECTED, shapes) == 2 / 5
    assert fit(EXPECTED, EXPECTED) == overlap(EXPECTED, EXPECTED) == 1
    assert overlap(EXPECTED, {}) == 0


def test_each_kind_of_difference_has_its_words() -> None:
    lines = differences(EXPECTED, {"a": (1,), "b": (9,), "c": (3,)}, ["e"])
    assert lines == ["d is missing", "b has shape [9] where [2] belongs", "e has no place"]


def test_only_the_first_few_are_shown() -> None:
    assert first_few(["a", "b"]) == "a, b"
    assert first_few([*"abcdefgh"]) == "a, b, c, d, e, and 3 more"


def test_a_networks_counters_are_not_asked_for() -> None:
    shapes = shapes_of(nn.BatchNorm1d(3))
    assert shapes == dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (3,))
