from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.benchmarks.tuning.losses import faces_differ, pipeline_loss
from faceport.benchmarks.tuning.pipeline_run import FoundFace

LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 12.0)


def face(bbox: tuple[float, ...], angle: float) -> FoundFace:
    return FoundFace(bbox, (float(np.cos(angle)), float(np.sin(angle))))


def test_the_worst_face_counts() -> None:
    reference = [[face(LEFT, 0.0), face(RIGHT, 1.0)]]
    found = [[face(LEFT, 0.1), face(RIGHT, 1.3)]]
    assert pipeline_loss(found, reference) == pytest.approx(1 - np.cos(0.3))


def test_faces_are_paired_by_place_not_by_order() -> None:
    reference = [[face(LEFT, 0.0), face(RIGHT, 2.0)]]
    found = [[face((51.0, 1.0, 61.0, 12.0), 2.0), face(LEFT, 0.0)]]
    assert faces_differ(found, reference) == ""
    assert pipeline_loss(found, reference) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([face(LEFT, 0)], "missed: 1, found beyond the reference's: 0"),
        (
            [face(LEFT, 0), face(RIGHT, 0), face((90, 90, 99, 99), 0)],
            "missed: 0, found beyond the reference's: 1",
        ),
        # As many as there should be, but one of them elsewhere.
        ([face(LEFT, 0), face((90, 90, 99, 99), 0)], "missed: 1, found beyond the reference's: 1"),
        ([], "missed: 2"),
        ([face(LEFT, 0), face((53.0, 8.0, 63.0, 20.0), 0)], "missed: 1"),
    ],
)
def test_other_faces_are_told(found: list[FoundFace], words: str) -> None:
    good = [face(LEFT, 0)]
    reference = [good, [face(LEFT, 0), face(RIGHT, 0)]]
    text = faces_differ([good, found], reference)
    assert text.startswith("photo 2: ")
    assert words in text


def test_each_face_is_paired_once() -> None:
    twice = [face(LEFT, 0), face((0.5, 0.0, 10.5, 10.0), 0)]
    assert "reference's: 1" in faces_differ([twice], [[face(LEFT, 0)]])


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.randoms())
def test_the_same_faces_in_any_order_lose_nothing(angles: list[float], random: object) -> None:
    faces = [face((20.0 * i, 0.0, 20.0 * i + 10, 10.0), a) for i, a in enumerate(angles)]
    shuffled = list(faces)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert faces_differ([shuffled], [faces]) == ""
    assert pipeline_loss([shuffled], [faces]) < 1e-12


def test_no_faces_lose_nothing() -> None:
    assert pipeline_loss([[]], [[]]) == 0.0
