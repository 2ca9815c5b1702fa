"""A small bundle in three precisions, made once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.bundle import Bundle, record_of, write_manifest
from faceport.spec import METADATA_KEY


@pytest.fixture(scope="session")
def _tiny_precisions(tiny_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from faceport.exporters import ExportOptions, export_bundle

    path = tmp_path_factory.mktemp("engines") / "tiny.bundle"
    bundle = export_bundle(tiny_model, path, ExportOptions(formats=("onnx",)))
    _half(path / "model.onnx", path / "model.fp16.onnx")
    _quantised(bundle, path / "model.int8.onnx")
    _quantised(bundle, path.parent / "for_onnxruntime.onnx", bias=True)
    (first,) = bundle.manifest.artefacts
    lower = tuple(
        replace(first, precision=name, file=record_of(path, f"model.{name}.onnx"))
        for name in ("fp16", "int8")
    )
    write_manifest(path, replace(bundle.manifest, artefacts=(first, *lower)))
    return path


@pytest.fixture
def tiny_precisions(_tiny_precisions: Path, tmp_path: Path) -> Path:
    """A bundle with `model.onnx`, `model.fp16.onnx` and `model.int8.onnx` (Q/DQ)."""
    return Path(shutil.copytree(_tiny_precisions, tmp_path / "tiny.bundle"))


@pytest.fixture
def for_onnxruntime(_tiny_precisions: Path) -> Path:
    """The same in int8 as onnxruntime likes it, with int32 biases."""
    return _tiny_precisions.parent / "for_onnxruntime.onnx"


@pytest.fixture
def onnx_file(tiny_precisions: Path) -> Callable[[str], Path]:
    names = {"fp32": "model.onnx", "fp16": "model.fp16.onnx", "int8": "model.int8.onnx"}
    return lambda precision: tiny_precisions / names[precision]


def _half(source: Path, target: Path) -> None:
    """Convolutions in fp16 between casts, interface in fp32."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "Conv":
            nodes.append(node)
            continue
        for name in (n for n in node.input if n in weights):
            array = numpy_helper.to_array(weights[name])
            weights[name].CopyFrom(numpy_helper.from_array(array.astype(np.float16), name))
        data, output = node.input[0], node.output[0]
        node.input[0], node.output[0] = f"{data}_in", f"{output}_out"
        nodes.append(helper.make_node("Cast", [data], [f"{data}_in"], to=TensorProto.FLOAT16))
        nodes.append(node)
        nodes.append(helper.make_node("Cast", [f"{output}_out"], [output], to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


def _quantised(bundle: Bundle, target: Path, *, bias: bool = False) -> None:
    """Convolutions between Q and DQ; TensorRT takes no int32 bias behind a DQ of its own."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter([bundle.proof()["input"]])

        def get_next(self) -> dict[str, np.ndarray] | None:
            rows = next(self.rows, None)
            return None if rows is None else {bundle.spec.inputs[0].name: rows}

    quantize_static(
        bundle.path / "model.onnx",
        target,
        Reader(),
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv"],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": bias,
        },
    )
    model = onnx.load(target)
    if METADATA_KEY not in {item.key for item in model.metadata_props}:
        model.metadata_props.add(key=METADATA_KEY, value=bundle.spec.to_json())
        onnx.save(model, target)
