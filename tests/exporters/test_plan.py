from __future__ import annotations

import pytest

from faceport.errors import InputError
from faceport.exporters.base import ExportOptions
from faceport.exporters.plan import plan_of


def options(formats: str, precisions: str) -> ExportOptions:
    return ExportOptions(tuple(formats.split()), tuple(precisions.split()))


@pytest.mark.parametrize(
    ("formats", "precisions", "modules", "graphs", "engines", "target"),
    [
        ("onnx torchscript", "fp32", "onnx torchscript", "fp32", "", "onnxruntime"),
        ("torchscript pt2", "fp32", "torchscript pt2", "", "", "onnxruntime"),
        ("onnx", "fp16 int8", "", "fp16 int8", "", "onnxruntime"),
        (
            "onnx torchscript tensorrt",
            "fp32 int8",
            "onnx torchscript",
            "fp32 int8",
            "tensorrt",
            "tensorrt",
        ),
        ("tensorrt", "fp16", "", "fp16", "tensorrt", "tensorrt"),
    ],
)
def test_formats_times_precisions(
    formats: str, precisions: str, modules: str, graphs: str, engines: str, target: str
) -> None:
    plan = plan_of(options(formats, precisions))
    assert plan.modules == tuple(modules.split())
    assert plan.precisions == tuple(graphs.split())
    assert plan.engines == tuple(engines.split())
    assert plan.target == target
    assert plan.keeps_onnx == ("onnx" in formats.split())


@pytest.mark.parametrize(
    ("formats", "precisions", "note"),
    [
        ("onnx torchscript", "fp32 fp16", "torchscript: not made in fp16, only in fp32"),
        ("onnx pt2", "int8", "pt2: not made, because fp32 was not asked for"),
        ("tensorrt", "fp32", "add onnx to --formats"),
    ],
)
def test_what_is_not_made_is_said(formats: str, precisions: str, note: str) -> None:
    assert any(note in text for text in plan_of(options(formats, precisions)).notes)


def test_an_export_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"nothing would be made.*torchscript in fp16"):
        plan_of(options("torchscript", "fp16"))
