"""From candidates to faces: suppression, the way back to the picture, clipping, limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import SessionError
from faceport.runtime.detectors import DetectionLimits
from faceport.runtime.detectors.candidates import Candidates
from faceport.runtime.detectors.selection import faces_of
from faceport.runtime.letterbox import Letterbox

# A picture of 200×100 (width × height) scaled by 2 into 400×240, 20 rows of padding above it.
PLACE = Letterbox(
    height=240,
    width=400,
    image_height=100,
    image_width=200,
    scaled_height=200,
    scaled_width=400,
    top=20,
    left=0,
)
LIMITS = DetectionLimits(score_threshold=0.5, nms_threshold=0.4)


def candidates(boxes: list[list[float]], scores: list[float], points: bool = True) -> Candidates:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    landmarks = np.repeat(array[:, None, :2], 5, axis=1) if points else None
    return Candidates(array, np.array(scores, np.float32), landmarks)


def test_boxes_and_landmarks_are_moved_to_the_picture() -> None:
    (face,) = faces_of(candidates([[40, 60, 100, 140]], [0.75]), PLACE, LIMITS)
    assert face.bbox.tolist() == [20, 20, 50, 60]
    assert face.score == 0.75
    assert face.landmarks.tolist() == [[20, 20]] * 5
    assert face.bbox.dtype == face.landmarks.dtype == np.float32
    assert type(face.score) is float


def test_best_score_first() -> None:
    boxes = [[0, 20, 40, 60], [100, 20, 140, 60], [200, 20, 240, 60]]
    found = faces_of(candidates(boxes, [0.6, 0.9, 0.7]), PLACE, LIMITS)
    assert [round(face.score, 3) for face in found] == [0.9, 0.7, 0.6]
    assert [face.bbox[0] for face in found] == [50, 100, 0]


def test_doubles_are_one_face_by_the_threshold() -> None:
    # Intersection 30, union 50 columns: 0.6.
    boxes = [[0, 20, 40, 60], [10, 20, 50, 60]]
    assert len(faces_of(candidates(boxes, [0.8, 0.9]), PLACE, LIMITS)) == 1
    loose = replace(LIMITS, nms_threshold=0.6)
    assert len(faces_of(candidates(boxes, [0.8, 0.9]), PLACE, loose)) == 2


def test_boxes_are_clipped_and_landmarks_are_not() -> None:
    (face,) = faces_of(candidates([[-30, 0, 420, 260]], [0.9]), PLACE, LIMITS)
    assert face.bbox.tolist() == [0, 0, 200, 100]
    assert face.landmarks[0].tolist() == [-15, -10]


def test_a_box_in_the_padding_alone_is_no_face() -> None:
    found = faces_of(candidates([[10, 0, 50, 20], [10, 0, 50, 21]], [0.9, 0.8]), PLACE, LIMITS)
    assert found == []  # The second one is dropped as a double of the first.
    (face,) = faces_of(candidates([[10, 0, 50, 21]], [0.8]), PLACE, LIMITS)
    assert face.bbox.tolist() == [5, 0, 25, 0.5]


def test_the_smallest_size_is_of_the_shorter_side_in_the_picture() -> None:
    boxes = [[0, 20, 40, 120], [100, 20, 142, 120]]  # 20 and 21 pixels wide in the picture.
    limits = replace(LIMITS, min_size=21)
    assert len(faces_of(candidates(boxes, [0.9, 0.8]), PLACE, limits)) == 1
    assert len(faces_of(candidates(boxes, [0.9, 0.8]), PLACE, replace(limits, min_size=20))) == 2


def test_too_small_faces_do_not_count_towards_the_most_faces() -> None:
    boxes = [[0, 20, 10, 30], [100, 20, 150, 70], [200, 20, 250, 70]]
    limits = replace(LIMITS, min_size=20, max_faces=1)
    (face,) = faces_of(candidates(boxes, [0.9, 0.8, 0.7]), PLACE, limits)
    assert face.score == pytest.approx(0.8)


def test_without_landmarks() -> None:
    (face,) = faces_of(candidates([[40, 60, 100, 140]], [0.75], points=False), PLACE, LIMITS)
    assert face.landmarks is None


def test_no_candidate_no_face() -> None:
    assert faces_of(candidates([], []), PLACE, LIMITS) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("what", ["boxes", "landmarks"])
def test_values_that_are_not_finite_are_an_error(value: float, what: str) -> None:
    broken = candidates([[40, 60, 100, 140]], [0.75])
    getattr(broken, what)[0, 1] = value
    with pytest.raises(SessionError, match="not finite"):
        faces_of(broken, PLACE, LIMITS)


corner = st.tuples(st.floats(-50, 450, width=32), st.floats(-50, 290, width=32))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(corner, corner, st.floats(0.5, 1, width=32)), max_size=20),
    st.integers(0, 5),
    st.floats(0, 30),
)
def test_faces_lie_in_the_picture_and_keep_the_limits(
    drawn: list[tuple[tuple[float, float], tuple[float, float], float]],
    max_faces: int,
    min_size: float,
) -> None:
    limits = replace(LIMITS, max_faces=max_faces, min_size=min_size)
    given_boxes = candidates([[*a, *b] for a, b, _ in drawn], [score for *_, score in drawn])
    found = faces_of(given_boxes, PLACE, limits)
    assert len(found) <= (max_faces or len(drawn))
    scores = [face.score for face in found]
    assert scores == sorted(scores, reverse=True)
    for face in found:
        x1, y1, x2, y2 = face.bbox.tolist()
        assert 0 <= x1 < x2 <= 200
        assert 0 <= y1 < y2 <= 100
        assert min(x2 - x1, y2 - y1) >= min_size - 1e-4
