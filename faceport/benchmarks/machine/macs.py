"""How much arithmetic a graph is: multiply-accumulates, and the bytes that must move at least."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceport.benchmarks.machine.shapes import (
    Shape,
    fed_inputs,
    fix_inputs,
    inferred_shapes,
    run_shapes,
)
from faceport.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Work:
    """What one run of a graph takes at least, whatever runs it.

    Attributes:
        macs: multiply-accumulates of its convolutions and matrix products; what is done an element
            (activations, norms) is left out, as is usual.
        weight_bytes: of the constants, as they are stored: read once a run.
        input_bytes: of the input tensors.
        output_bytes: of the output tensors.
    """

    macs: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int

    @property
    def bytes(self) -> int:
        """All that must move. Values between layers may stay in the caches and are left out."""
        return self.weight_bytes + self.input_bytes + self.output_bytes


def count_macs(path: Path, batch: int, height: int, width: int) -> Work:
    """Count an ONNX file's work for inputs of a size.

    Graphs with quantise and dequantise nodes count as their float graphs do: the products are the
    same.

    Args:
        path: of the file.
        batch: rows of the input; one row is counted, the others are the same.
        height: of the input, pixels, where the file leaves it open.
        width: of the input, pixels, where the file leaves it open.

    Raises:
        MissingDependencyError: onnx is not installed; or onnxruntime, for a graph whose shapes
            can't be told without running it.
        InputError: the file is no ONNX graph, or does not run.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("onnx", "export") from error
    try:
        model = onnx.load(path)
        fix_inputs(model.graph, height, width)
        shapes = inferred_shapes(model)
    # onnx raises protobuf's, its own and ValueError.
    except Exception as error:
        raise InputError(f"{path} is no ONNX graph: {error}") from error
    graph = model.graph
    unknown = {name for name in _wanted(graph) if name not in shapes}
    if unknown:
        shapes |= run_shapes(model, sorted(unknown), path)
    return Work(
        macs=batch * sum(_macs(node, shapes) for node in _counted(graph)),
        weight_bytes=sum(_bytes(item.dims, item.data_type) for item in _constants(graph)),
        input_bytes=batch * _value_bytes(fed_inputs(graph), shapes),
        output_bytes=batch * _value_bytes(graph.output, shapes),
    )


def _convolution(_: Any, __: Shape, weight: Shape, target: Shape) -> int:
    # Weight (M, C/groups, kernel…): each element of the output takes one such column.
    return math.prod(target) * math.prod(weight[1:])


def _transposed(_: Any, data: Shape, weight: Shape, __: Shape) -> int:
    # Weight (C, M/groups, kernel…): each element of the input is spread over one such column.
    return math.prod(data) * math.prod(weight[1:])


def _product(_: Any, data: Shape, __: Shape, target: Shape) -> int:
    return math.prod(target) * data[-1]


def _gemm(node: Any, data: Shape, _: Shape, target: Shape) -> int:
    turned = any(item.name == "transA" and item.i for item in node.attribute)
    return math.prod(target) * data[0 if turned else 1]


COUNTED: Mapping[str, Callable[[Any, Shape, Shape, Shape], int]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "MatMul": _product,
    "Gemm": _gemm,
}
"""Operator to the function of node, shapes of its two operands and its output."""


def _counted(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type in COUNTED]


def _wanted(graph: onnx.GraphProto) -> list[str]:
    values = [name for node in _counted(graph) for name in _values(node)]
    return [*values, *(item.name for item in graph.output)]


def _values(node: onnx.NodeProto) -> tuple[str, str, str]:
    return node.input[0], node.input[1], node.output[0]


def _macs(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    first, second, target = (shapes[name] for name in _values(node))
    return COUNTED[node.op_type](node, first, second, target)


def _constants(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    inside = [
        item.t
        for node in graph.node
        if node.op_type == "Constant"
        for item in node.attribute
        if item.name == "value"
    ]
    return [*graph.initializer, *inside]


def _value_bytes(values: Sequence[onnx.ValueInfoProto], shapes: Mapping[str, Shape]) -> int:
    return sum(_bytes(shapes[v.name], v.type.tensor_type.elem_type) for v in values)


def _bytes(shape: Sequence[int], kind: int) -> int:
    import onnx

    return math.prod(shape) * int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)
