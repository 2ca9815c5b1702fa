"""What an ONNX graph says about itself: read, checked, cleaned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from faceport.errors import ExportError
from faceport.spec import METADATA_KEY, ModelSpec, TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

DEBRIS = ("metadata_props", "doc_string")


def default_opset(model: ModelProto) -> int:
    """Return the version of the default operator set that the graph is written in.

    Raises:
        ExportError: the model names none.
    """
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            return int(entry.version)
    raise ExportError("the ONNX model names no default opset", expected="an opset_import of ''")


def strip_debris(model: ModelProto) -> None:
    """Remove what the exporter wrote for its own developers, in place.

    That is metadata and doc strings of the model, its graphs, functions, nodes and values (stack
    traces and source paths of the machine it ran on among them), and the shapes of intermediate
    values, which every runtime infers again.
    """
    for message in _messages(model):
        for name in DEBRIS:
            if name in message.DESCRIPTOR.fields_by_name:
                message.ClearField(name)
        if message.DESCRIPTOR.name == "GraphProto":
            message.ClearField("value_info")


def set_spec(model: ModelProto, spec: ModelSpec) -> None:
    """Make the spec the model's only metadata, in place."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()


def check_interface(model: ModelProto, spec: ModelSpec, *, full: bool = False) -> None:
    """Compare a graph's inputs and outputs with a spec: names, order, sizes, dynamic axes.

    With `full`, types and shapes are inferred all through the graph, and must agree.

    Raises:
        ExportError: they differ, or the file is no valid ONNX.
    """
    import onnx

    try:
        onnx.checker.check_model(model, full_check=full)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ExportError(f"the exporter wrote an invalid ONNX graph: {error}") from error
    for kind, values, wanted in (
        ("inputs", model.graph.input, spec.inputs),
        ("outputs", model.graph.output, spec.outputs),
    ):
        received = tuple(_described(value) for value in values)
        if received != wanted:
            raise ExportError(
                f"the ONNX graph's {kind} are not the spec's",
                received=_listed(received),
                expected=_listed(wanted),
            )


def _messages(message: Any) -> Iterator[Any]:
    """Give a message and all messages inside it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        # A single message is not iterable, and protobuf versions differ in how they name the two.
        children = [value] if hasattr(value, "ListFields") else value
        for child in children:
            yield from _messages(child)


def _described(value: ValueInfoProto) -> TensorSpec:
    import onnx

    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    shape = tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim
    )
    return TensorSpec(value.name, dtype, shape)


def _listed(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{t.name} {t.dtype} {t.shape}" for t in tensors) or "none"
