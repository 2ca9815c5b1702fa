"""The shape of every value in an ONNX graph, for one row of a given size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceport.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


def fix_inputs(graph: onnx.GraphProto, height: int, width: int) -> None:
    """Give the inputs one row and their dynamic axes a size, and forget what followed from them."""
    for value in fed_inputs(graph):
        axes = value.type.tensor_type.shape.dim
        channels_last = len(axes) == 4 and axes[3].dim_value == 3
        sizes = (1, height, width, 3) if channels_last else (1, 3, height, width)
        for axis, size in zip(axes, sizes, strict=False):
            if not axis.HasField("dim_value"):
                axis.dim_value = size
        # A file made for a larger batch counts for one row too: rows are independent.
        if axes:
            axes[0].dim_value = 1
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def fed_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are no constants; old files list those among them."""
    constants = {item.name for item in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def inferred_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the shapes that onnx can tell without running the graph."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found: dict[str, Shape] = {item.name: tuple(item.dims) for item in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        axes = tensor.shape.dim
        if tensor.HasField("shape") and all(axis.HasField("dim_value") for axis in axes):
            found[value.name] = tuple(axis.dim_value for axis in axes)
    return found


def run_shapes(model: onnx.ModelProto, names: list[str], path: Path) -> dict[str, Shape]:
    """Return the shapes of some values by running the graph once on zeros.

    onnx can't follow every computation of a size (the resizes of SCRFD's neck); onnxruntime does
    the computation.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        InputError: the graph does not run.
    """
    import numpy as np
    import onnx

    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "cpu") from error
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    feeds = {value.name: np.zeros(*_kind(value)) for value in fed_inputs(model.graph)}
    try:
        session = onnxruntime.InferenceSession(
            shown.SerializeToString(), _quiet(onnxruntime), providers=["CPUExecutionProvider"]
        )
        values = session.run(names, feeds)
    # onnxruntime's exceptions share no class but Exception.
    except Exception as error:
        raise InputError(f"{path} does not run, so its shapes can't be told: {error}") from error
    return {name: tuple(value.shape) for name, value in zip(names, values, strict=True)}


def _quiet(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Fusions would take away the values that are asked for.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _kind(value: onnx.ValueInfoProto) -> tuple[Shape, Any]:
    import onnx

    tensor = value.type.tensor_type
    shape = tuple(axis.dim_value for axis in tensor.shape.dim)
    return shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
