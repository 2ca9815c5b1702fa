"""What counts as an embedder's answer, and what is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from faceport.errors import SessionError
from faceport.runtime.features import features_of, joined

Tiny = Callable[..., Any]
RAW = np.random.default_rng(2).normal(size=(3, 8)).astype(np.float32) * 5


def test_measures_the_norm_of_a_raw_embedding(tiny: Tiny) -> None:
    features = features_of({"embedding": RAW}, tiny("plain").spec, 3)
    np.testing.assert_allclose(features.norms, np.linalg.norm(RAW, axis=1), rtol=1e-6)
    np.testing.assert_allclose(features.vectors * features.norms[:, None], RAW, rtol=1e-5)


def test_a_graph_that_normalises_without_a_norm_has_norm_1(tiny: Tiny) -> None:
    unit = RAW / np.linalg.norm(RAW, axis=1, keepdims=True)
    features = features_of({"embedding": unit}, tiny("normalized").spec, 3)
    assert features.norms.tolist() == [1, 1, 1]


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_takes_the_norm_output(tiny: Tiny, shape: tuple[int, ...]) -> None:
    given = np.array([20, 30, 40], np.float32).reshape(shape)
    outputs = {"embedding": RAW, "norm": given, "occlusion": np.ones((3, 48))}
    features = features_of(outputs, tiny("norm").spec, 3)
    assert features.norms.tolist() == [20, 30, 40]
    assert list(features.extras) == ["occlusion"]


def test_half_precision_becomes_float32(tiny: Tiny) -> None:
    features = features_of({"embedding": RAW.astype(np.float16)}, tiny("plain").spec, 3)
    assert features.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features.vectors, axis=1), 1, atol=1e-6)


def test_zero_has_no_direction(tiny: Tiny) -> None:
    features = features_of({"embedding": np.zeros((1, 8))}, tiny("plain").spec, 1)
    assert features.vectors.tolist() == [[0.0] * 8]
    assert features.norms.tolist() == [0.0]


@pytest.mark.parametrize(
    "outputs",
    [
        {"embedding": RAW.reshape(1, -1)},
        {"embedding": RAW[:2]},
        {"embedding": RAW[:, :4]},
        {"embedding": RAW[..., None]},
        {"other": RAW},
        {},
    ],
    ids=["folded batch", "a face short", "short vectors", "an axis more", "other name", "nothing"],
)
def test_refuses_another_shape(tiny: Tiny, outputs: dict[str, Any]) -> None:
    with pytest.raises(SessionError, match="tiny_plain"):
        features_of(outputs, tiny("plain").spec, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("output", ["embedding", "norm"])
def test_refuses_what_is_not_finite(tiny: Tiny, bad: float, output: str) -> None:
    outputs = {"embedding": RAW.copy(), "norm": np.ones((3, 1)), "occlusion": np.ones((3, 48))}
    outputs[output][1, 0] = bad
    with pytest.raises(SessionError, match="1 of 3 faces"):
        features_of(outputs, tiny("norm").spec, 3)


@pytest.mark.parametrize(
    ("output", "value"),
    [("norm", np.ones((1, 3))), ("norm", np.ones(())), ("occlusion", np.ones((1, 48)))],
)
def test_refuses_other_outputs_of_another_length(tiny: Tiny, output: str, value: Any) -> None:
    outputs = {"embedding": RAW, "norm": np.ones((3, 1)), "occlusion": np.ones((3, 48))}
    with pytest.raises(SessionError, match="3"):
        features_of({**outputs, output: value}, tiny("norm").spec, 3)


def test_joins_batches_in_order(tiny: Tiny) -> None:
    spec = tiny("plain").spec
    whole = features_of({"embedding": RAW}, spec, 3)
    parts = [
        features_of({"embedding": RAW[:2]}, spec, 2),
        features_of({"embedding": RAW[2:]}, spec, 1),
    ]
    np.testing.assert_array_equal(joined(parts).vectors, whole.vectors)
    np.testing.assert_array_equal(joined(parts).norms, whole.norms)
