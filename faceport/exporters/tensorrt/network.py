"""From an ONNX file to a strongly typed network, and whether its types are what was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from faceport.errors import ExportError
from faceport.runtime.tensorrt.buffers import DTYPES
from faceport.runtime.tensorrt.logger import last_error
from faceport.spec import ModelSpec, TensorSpec

SHOWN = 3
"""Errors of the parser that a message shows."""

HEAVY = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "EINSUM", "ATTENTION")
"""Layers whose type decides what precision a network is of."""

LOW = ("HALF", "BF16", "INT8", "FP8", "INT4", "FP4")


def parse_network(trt: Any, builder: Any, onnx_file: Path, logger: Any) -> Any:
    """Parse an ONNX file.

    Raises:
        ExportError: the parser refuses it; the message names the nodes.
    """
    network = builder.create_network(strongly_typed(trt))
    parser = trt.OnnxParser(network, logger)
    # By path and not by content, so that external data beside the file is found.
    if not parser.parse_from_file(str(onnx_file)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        shown = "; ".join(_described(error) for error in errors[:SHOWN]) or last_error(logger)
        more = f" and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        raise ExportError(
            f"TensorRT can't read {onnx_file.name}: {shown}{more}",
            fix="export with --target tensorrt (a graph quantised for onnxruntime has int32 "
            "biases that TensorRT does not take) or another --opset",
        )
    return network


def strongly_typed(trt: Any) -> int:
    """Return the creation flags: typed where it must be asked for (10.x; 11 ignores it)."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def check_network(network: Any, spec: ModelSpec, precision: str, name: str) -> dict[str, int]:
    """Compare a network's interface and types with what it should be.

    Returns:
        How many heavy layers compute in which type.

    Raises:
        ExportError: inputs or outputs are not the spec's, or the types not the precision's.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    found = [(tensor.name, DTYPES.get(tensor.dtype.name)) for tensor in (*inputs, *outputs)]
    items: tuple[TensorSpec, ...] = (*spec.inputs, *spec.outputs)
    expected = [(item.name, item.dtype) for item in items]
    if found != expected:
        raise ExportError(f"{name} is not what its spec says", received=found, expected=expected)
    types = Counter(_types(network, HEAVY))
    every = set(_types(network, None))
    check_types(precision, types, every, name)
    return dict(sorted(types.items()))


def check_types(precision: str, heavy: Counter[str], every: set[str], name: str) -> None:
    """Compare TensorRT's types with a precision.

    Args:
        precision: `fp32`, `fp16` or `int8`.
        heavy: types in which convolutions and matrix products compute.
        every: all types that occur.
        name: of what is compared.

    Raises:
        ExportError: fp32 with a lower type in it, fp16 without HALF, int8 without INT8.
    """
    low = sorted(every.intersection(LOW))
    fits = {
        "fp32": not low,
        "fp16": heavy["HALF"] > 0,
        "int8": "INT8" in every,
    }
    if not fits[precision]:
        raise ExportError(
            f"{name} does not compute in {precision}",
            received=", ".join(low) or "FLOAT only",
            expected={"fp32": "FLOAT only", "fp16": "HALF", "int8": "INT8"}[precision],
            fix="give the ONNX file of that precision",
        )


def _types(network: Any, kinds: tuple[str, ...] | None) -> list[str]:
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return [
        layer.get_output(index).dtype.name
        for layer in layers
        if kinds is None or layer.type.name in kinds
        for index in range(layer.num_outputs)
    ]


def _described(error: Any) -> str:
    node = f"node {error.node_name()!r} ({error.node_operator()})"
    return f"{node}: {' '.join(error.desc().split())}"
