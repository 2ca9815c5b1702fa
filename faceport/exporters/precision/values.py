"""The values between a graph's nodes: their types, and what they are on real inputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faceport.errors import ExportError
from faceport.exporters.passes.edit import copied
from faceport.exporters.precision.judge import written
from faceport.exporters.quiet import first_line
from faceport.runtime.sessions import open_session
from faceport.runtime.sessions.base import Array

if TYPE_CHECKING:
    from onnx import ModelProto


def float_values(model: ModelProto) -> frozenset[str]:
    """Return the names of all float32 values of the top graph: inputs, constants, between nodes.

    Raises:
        ExportError: types can't be inferred.
    """
    import onnx

    try:
        typed = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise ExportError(
            f"the types of the ONNX graph can't be inferred: {first_line(error)}"
        ) from error
    graph = typed.graph
    values = [*graph.input, *graph.output, *graph.value_info]
    found = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    constants = {c.name for c in graph.initializer if c.data_type == onnx.TensorProto.FLOAT}
    return frozenset(found | constants)


def observed(
    model: ModelProto, names: list[str], inputs: Array, scratch: Path
) -> Iterator[dict[str, Array]]:
    """Run a graph one input at a time and give the values named, each time by name.

    Args:
        model: left as it is.
        names: of float32 values that nodes compute.
        inputs: (N, …).
        scratch: for a temporary file.
    """
    import onnx

    wide = copied(model)
    outputs = {value.name for value in wide.graph.output}
    for name in names:
        if name not in outputs:
            wide.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
    with closing(open_session(written(wide, scratch / "observed.onnx"), "onnxruntime")) as session:
        feed = session.inputs[0].name
        for start in range(len(inputs)):
            values = session.run({feed: np.ascontiguousarray(inputs[start : start + 1])})
            yield {name: values[name] for name in names}
