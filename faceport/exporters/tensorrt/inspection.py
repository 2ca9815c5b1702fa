"""What an engine really computes in, asked of TensorRT's engine inspector where there is a GPU.

Its JSON differs: 10.x says the type within `Format/Datatype` (`Row major linear FP32`), 11.x in a
field of its own (`Datatype: Float`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from faceport.errors import ExportError
from faceport.exporters.tensorrt.network import check_types
from faceport.runtime.tensorrt.buffers import DTYPES
from faceport.runtime.tensorrt.logger import last_error
from faceport.spec import ModelSpec

FIELDS = ("Format/Datatype", "Datatype", "DataType")
NAMES = {
    "fp32": "FLOAT",
    "float": "FLOAT",
    "fp16": "HALF",
    "half": "HALF",
    "bf16": "BF16",
    "bfloat16": "BF16",
    "int8": "INT8",
    "fp8": "FP8",
}
"""How the inspector calls a type, in small letters, to TensorRT's own name."""


def inspect_plan(
    trt: Any, plan: bytes, logger: Any, spec: ModelSpec, precision: str, name: str
) -> dict[str, int]:
    """Load an engine and compare its types with what was asked.

    Returns:
        How many layers give a tensor of which type.

    Raises:
        ExportError: it does not load, or an input, output or layer has another type.
    """
    runtime = trt.Runtime(logger)
    runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ExportError(f"TensorRT can't load {name}, which it just built: {last_error(logger)}")
    _check_interface(engine, spec, name)
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    types = layer_types(text)
    check_types(precision, types, set(types), name)
    return dict(sorted(types.items()))


def layer_types(text: str) -> Counter[str]:
    """Count layers by the type of what they give, from the inspector's JSON.

    Raises:
        ExportError: the text is not the inspector's JSON.
    """
    try:
        layers = json.loads(text)["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(f"the engine inspector gave no layers: {error}") from error
    return Counter(
        name for layer in layers if isinstance(layer, dict) for name in set(_output_types(layer))
    )


def _output_types(layer: dict[str, Any]) -> Iterator[str]:
    for tensor in layer.get("Outputs", []):
        text = " ".join(str(tensor[field]) for field in FIELDS if field in tensor).lower()
        for word in re.findall(r"[a-z]+[0-9]*", text):
            if word in NAMES:
                yield NAMES[word]


def _check_interface(engine: Any, spec: ModelSpec, name: str) -> None:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    found = {tensor: DTYPES.get(engine.get_tensor_dtype(tensor).name) for tensor in names}
    expected = {item.name: item.dtype for item in (*spec.inputs, *spec.outputs)}
    if found != expected:
        raise ExportError(f"{name} is not what its spec says", received=found, expected=expected)
