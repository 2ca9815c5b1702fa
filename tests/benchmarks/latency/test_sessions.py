"""Which sessions there are, and what labels pick."""

from __future__ import annotations

import pytest

from faceport.benchmarks.latency.sessions import known_sessions, pick_sessions
from faceport.errors import InputError
from faceport.runtime.sessions import BACKENDS
from faceport.runtime.sessions.ort_providers import PROVIDERS


def labels(text: str) -> list[str]:
    return [choice.label for choice in pick_sessions(text)]


def test_all_is_every_backend_and_every_provider_of_onnxruntime() -> None:
    known = known_sessions()
    assert {choice.backend for choice in known} == set(BACKENDS)
    assert {c.provider for c in known if c.backend == "onnxruntime"} == set(PROVIDERS)
    assert len(set(known)) == len(known)
    assert labels("all") == [choice.label for choice in known]


def test_a_label_picks_what_it_begins_and_a_whole_one_itself_alone() -> None:
    assert labels("onnxruntime/cpu") == ["onnxruntime/cpu"]
    assert labels("openvino/cpu") == [f"openvino/cpu@{c}" for c in ("f32", "bf16", "f16")]
    assert labels("tensorrt") == ["tensorrt/cuda"]
    assert "onnxruntime/cpu+spinning" in labels("onnxruntime")


def test_a_session_named_twice_is_there_once_and_order_is_kept() -> None:
    assert labels("openvino/cpu@bf16, onnxruntime/cpu,openvino/cpu@bf16") == [
        "openvino/cpu@bf16",
        "onnxruntime/cpu",
    ]


@pytest.mark.parametrize("text", ["", "onnx", "onnxruntime/", "openvino/cpu@int8", "a,onnxruntime"])
def test_an_unknown_label_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"no such session.*onnxruntime/cpu"):
        pick_sessions(text)


def test_the_settings_of_a_choice_reach_the_session() -> None:
    (choice,) = pick_sessions("openvino/cpu@bf16")
    options = choice.options(3)
    assert options.provider_options == {"cpu": {"INFERENCE_PRECISION_HINT": "bf16"}}
    assert (options.providers, options.threads, options.spinning) == (("cpu",), 3, False)
