"""What is here and what is not, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from faceport.benchmarks.latency import probe
from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.processes import ProcessFailure

HERE = SessionChoice("onnxruntime", "cpu")
AWAY = SessionChoice("onnxruntime", "tensorrt")


def test_a_provider_that_is_not_there_says_why() -> None:
    import onnxruntime

    if "TensorrtExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has TensorRT")
    (choice,) = absent = probe.absent_sessions([HERE, AWAY])
    assert choice == AWAY
    assert "does not have the provider" in absent[AWAY]


def test_nothing_to_look_for_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(probe, "run_module")
    assert probe.absent_sessions([]) == {}


def test_a_type_that_the_processor_lacks_is_a_reason() -> None:
    import openvino

    core = openvino.Core()
    there = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for compute, capability in probe.CAPABILITIES.items():
        reason = probe.why_absent(SessionChoice("openvino", "cpu", compute))
        assert (reason is None) == (capability in there)
    assert probe.why_absent(SessionChoice("openvino", "cpu", "f32")) is None
    assert "npu" in (probe.why_absent(SessionChoice("openvino", "npu", "f16")) or "no reason")


def test_torch_without_a_gpu_is_a_reason() -> None:
    import torch

    assert probe.why_absent(SessionChoice("torchscript", "cpu")) is None
    reason = probe.why_absent(SessionChoice("pt2", "cuda"))
    assert (reason is None) == torch.cuda.is_available()


def test_an_engine_needs_a_gpu(fake_gpu: Any) -> None:
    assert probe.why_absent(SessionChoice("tensorrt", "cuda")) is None


def test_a_probe_that_fails_makes_all_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> object:
        raise ProcessFailure("killed by SIGKILL")

    monkeypatch.setattr(probe, "run_module", failing)
    absent = probe.absent_sessions([HERE, AWAY])
    assert set(absent) == {HERE, AWAY}
    assert "SIGKILL" in absent[HERE]
