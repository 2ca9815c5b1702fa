"""SCRFD's decoder against a loop over every anchor in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.errors import SessionError, SpecError
from faceport.runtime.detectors.scrfd import ScrfdDecoder
from faceport.spec import DetectorSpec

STRIDES = (8, 16, 32)
SPEC = DetectorSpec(
    decoder="scrfd",
    strides=STRIDES,
    outputs={
        "scores": ("s8", "s16", "s32"),
        "boxes": ("b8", "b16", "b32"),
        "landmarks": ("k8", "k16", "k32"),
    },
    anchors_per_cell=2,
)
Outputs = dict[str, NDArray[np.float32]]


def made(height: int, width: int, anchors: int = 2, seed: int = 0) -> Outputs:
    rng = np.random.default_rng(seed)
    outputs = {}
    for stride in STRIDES:
        count = -(-height // stride) * -(-width // stride) * anchors
        outputs[f"s{stride}"] = rng.random((count, 1), np.float32)
        outputs[f"b{stride}"] = rng.uniform(0, 8, (count, 4)).astype(np.float32)
        outputs[f"k{stride}"] = rng.uniform(-4, 4, (count, 10)).astype(np.float32)
    return outputs


def reference(
    outputs: Outputs, height: int, width: int, threshold: float, anchors: int = 2
) -> list[list[float]]:
    """Rows of x1 y1 x2 y2, score, ten landmark values; one anchor at a time."""
    rows = []
    for stride in STRIDES:
        index = 0
        for row in range(-(-height // stride)):
            for column in range(-(-width // stride)):
                for _ in range(anchors):
                    score = outputs[f"s{stride}"].reshape(-1)[index]
                    left, top, right, bottom = map(
                        float, outputs[f"b{stride}"].reshape(-1, 4)[index]
                    )
                    points = [float(v) for v in outputs[f"k{stride}"].reshape(-1, 10)[index]]
                    x, y = column * stride, row * stride
                    if score >= threshold:
                        box = [x - left * stride, y - top * stride]
                        box += [x + right * stride, y + bottom * stride]
                        moved = [v * stride + (y if i % 2 else x) for i, v in enumerate(points)]
                        rows.append([*box, float(score), *moved])
                    index += 1
    return rows


def decoded(spec: DetectorSpec, outputs: Outputs, height: int, width: int, threshold: float):
    return ScrfdDecoder(spec).decode(outputs, height, width, threshold)


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (100, 70)])
@pytest.mark.parametrize("anchors", [1, 2])
@pytest.mark.parametrize("batch_axis", [False, True])
def test_equals_the_loop(size: tuple[int, int], anchors: int, batch_axis: bool) -> None:
    outputs = made(*size, anchors)
    expected = np.array(reference(outputs, *size, 0.7, anchors))
    if batch_axis:
        outputs = {name: array[None] for name, array in outputs.items()}
    found = decoded(replace(SPEC, anchors_per_cell=anchors), outputs, *size, 0.7)
    assert 10 < len(expected) < sum(a.shape[-2] for n, a in outputs.items() if n[0] == "s")
    np.testing.assert_allclose(found.boxes, expected[:, :4], atol=1e-4)
    np.testing.assert_allclose(found.scores, expected[:, 4], rtol=0)
    np.testing.assert_allclose(found.landmarks.reshape(-1, 10), expected[:, 5:], atol=1e-4)
    assert found.boxes.dtype == found.scores.dtype == found.landmarks.dtype == np.float32


def test_without_keypoints_there_are_no_landmarks() -> None:
    outputs = {name: a for name, a in made(64, 64).items() if name[0] != "k"}
    roles = {role: names for role, names in SPEC.outputs.items() if role != "landmarks"}
    found = decoded(replace(SPEC, outputs=roles, keypoints=0), outputs, 64, 64, 0.5)
    assert found.landmarks is None
    assert len(found.boxes) > 10


def test_a_score_of_exactly_the_threshold_is_a_candidate() -> None:
    outputs = made(64, 64)
    for stride in STRIDES:
        outputs[f"s{stride}"][:] = 0.25
    outputs["s16"][5] = 0.5
    found = decoded(SPEC, outputs, 64, 64, 0.5)
    assert found.scores.tolist() == [0.5]
    # Anchor 5 is the second of cell 2: column 2, row 0.
    left, _, right, _ = outputs["b16"][5] * 16
    np.testing.assert_allclose(found.boxes[0, [0, 2]], [32 - left, 32 + right], rtol=1e-6)


def test_no_candidate_is_no_error() -> None:
    found = decoded(SPEC, made(64, 64), 64, 64, 1.0)
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


def test_half_precision_outputs_decode_to_float32() -> None:
    outputs = {name: array.astype(np.float16) for name, array in made(64, 64).items()}
    found = decoded(SPEC, outputs, 64, 64, 0.5)
    assert found.boxes.dtype == np.float32
    as_float32 = {name: array.astype(np.float32) for name, array in outputs.items()}
    expected = np.array(reference(as_float32, 64, 64, 0.5))
    np.testing.assert_allclose(found.boxes, expected[:, :4], atol=1e-4)


@pytest.mark.parametrize("level", STRIDES)
def test_scores_that_are_not_numbers_are_an_error(level: int) -> None:
    outputs = made(64, 64)
    outputs[f"s{level}"][3] = np.nan
    with pytest.raises(SessionError, match="scores are not numbers"):
        decoded(SPEC, outputs, 64, 64, 0.5)


def test_outputs_of_another_input_size_are_an_error() -> None:
    with pytest.raises(SessionError, match=r"output 's8' .* received shape \(128, 1\)"):
        decoded(SPEC, made(64, 64), 64, 96, 0.5)


def test_a_missing_output_is_an_error() -> None:
    outputs = made(64, 64)
    del outputs["b16"]
    with pytest.raises(SessionError, match="expected b16"):
        decoded(SPEC, outputs, 64, 64, 0.5)


def test_a_spec_that_names_too_few_outputs_is_refused() -> None:
    roles = {**SPEC.outputs, "boxes": ("b8", "b16")}
    with pytest.raises(SpecError, match="received 2 outputs of role 'boxes'; expected 3"):
        ScrfdDecoder(replace(SPEC, outputs=roles))
