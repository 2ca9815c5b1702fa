from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy.metrics.templates import fuse_templates
from faceport.benchmarks.accuracy.types import Embedded, IdentitySet, Picture
from faceport.errors import InputError

# Template 4 has pictures 0 and 3, template 7 pictures 1 and 2, template 9 picture 4.
SET = IdentitySet(
    name="ijb",
    pictures=tuple(Picture(str(i), str(i)) for i in range(5)),
    labels=np.array([1, 0, 0, 1, 0]),
    people=("ann", "ben"),
    templates=np.array([4, 7, 7, 4, 9]),
)


def embedded() -> Embedded:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]], np.float32)
    found = np.array([True, True, False, True, False])
    vectors[2] = 0
    return Embedded(vectors, np.array([3, 2, 0, 4, 0], np.float32), found, (("2", "no face"),))


def test_the_mean_of_unit_vectors() -> None:
    made = fuse_templates(SET, embedded())
    assert made.numbers.tolist() == [4, 7, 9]
    assert made.labels.tolist() == [1, 0, 0]
    assert made.embedded.vectors[0] == pytest.approx([0.5**0.5, 0.5**0.5])
    assert made.embedded.vectors[1] == pytest.approx([1, 0])
    assert made.embedded.norms[0] == pytest.approx(2**0.5)


def test_the_sum_weighted_by_norms() -> None:
    made = fuse_templates(SET, embedded(), "norm")
    assert made.embedded.vectors[0] == pytest.approx([0.6, 0.8])
    assert made.embedded.norms.tolist() == pytest.approx([5, 2, 0])


def test_templates_without_a_face_are_reported_and_not_found() -> None:
    made = fuse_templates(SET, embedded())
    assert made.pictures.tolist() == [2, 2, 1]
    assert made.found.tolist() == [2, 1, 0]
    assert made.embedded.found.tolist() == [True, True, False]
    assert made.embedded.vectors[2].tolist() == [0, 0]
    assert made.embedded.problems == (("template 9 (ann)", "no face on any of its 1 pictures"),)


def test_what_does_not_fit_is_refused() -> None:
    vectors = np.zeros((4, 2), np.float32)
    four = Embedded(vectors, vectors[:, 0], np.zeros(4, bool))
    with pytest.raises(InputError, match="received 4; expected 5 pictures"):
        fuse_templates(SET, four)
    with pytest.raises(InputError, match="no such fusion; received max"):
        fuse_templates(SET, embedded(), "max")  # type: ignore[arg-type]
    mixed = IdentitySet("x", SET.pictures, SET.labels, SET.people, np.array([1, 2, 2, 1, 1]))
    with pytest.raises(InputError, match="pictures of two people; received template 1"):
        fuse_templates(mixed, embedded())
