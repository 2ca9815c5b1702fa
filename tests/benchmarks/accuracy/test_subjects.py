"""Which artefacts meet which sessions, the most exact first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faceport.benchmarks.accuracy.subjects import sessions_without_artefact, subjects_of
from faceport.benchmarks.latency.sessions import pick_sessions
from faceport.bundle import Artefact, Bundle, FileRecord, Manifest
from faceport.errors import InputError

if TYPE_CHECKING:
    from conftest import TinyModel

FILES = (
    ("onnx", "int8", "model.int8.onnx"),
    ("onnx", "fp32", "model.onnx"),
    ("tensorrt", "fp16", "orin.engine"),
    ("tensorrt", "fp16", "xavier.engine"),
    ("torchscript", "fp32", "model.torchscript"),
)


@pytest.fixture
def bundle(tiny_model: TinyModel) -> Bundle:
    artefacts = tuple(
        Artefact(format, precision, FileRecord(name, "0" * 64, 1), ())
        for format, precision, name in FILES
    )
    spec = tiny_model.spec
    proof = FileRecord("proof.npz", "0" * 64, 1)
    manifest = Manifest(spec, spec.fingerprint, artefacts, proof, "0", "2026-01-01")
    return Bundle(Path("tiny.bundle"), manifest)


def test_each_artefact_runs_in_its_first_backend(bundle: Bundle) -> None:
    assert [subject.label for subject in subjects_of(bundle)] == [
        "onnx fp32 · onnxruntime/cpu",
        "torchscript fp32 · torchscript/cpu",
        "tensorrt fp16 · tensorrt/cuda",
        "onnx int8 · onnxruntime/cpu",
    ]


def test_sessions_meet_all_artefacts_that_they_run(bundle: Bundle) -> None:
    sessions = pick_sessions("openvino/cpu@bf16,onnxruntime/cpu,pt2")
    assert [subject.label for subject in subjects_of(bundle, ("int8", "fp32"), sessions)] == [
        "onnx fp32 · onnxruntime/cpu",
        "onnx fp32 · openvino/cpu@bf16",
        "onnx int8 · onnxruntime/cpu",
        "onnx int8 · openvino/cpu@bf16",
    ]
    absent = ["pt2: the bundle has no artefact of format pt2"]
    assert sessions_without_artefact(bundle, sessions) == absent
    assert sessions_without_artefact(bundle, None) == []


def test_what_the_bundle_lacks_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"received bf16; expected fp32, fp16, int8"):
        subjects_of(bundle, ("bf16",))
    with pytest.raises(InputError, match=r"received pt2/cpu, pt2/cuda; expected a session for"):
        subjects_of(bundle, None, pick_sessions("pt2"))
