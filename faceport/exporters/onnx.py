"""ONNX through `torch.onnx.export(dynamo=True)`: one file, a batch axis named `batch`, no debris.

The bytes depend only on the weights, the spec and the tools' versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from faceport.errors import ExportError
from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.onnx_graph import check_interface, default_opset, set_spec, strip_debris
from faceport.exporters.onnx_simplify import simplified
from faceport.exporters.probe import example_input
from faceport.exporters.quiet import first_line, quiet
from faceport.exporters.versions import versions_of
from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

FILE = "model.onnx"
MAX_BYTES = 2**31 - 1
"""Protobuf's limit for one message, and so for an ONNX file without external data."""

# Not 1: the exporter takes a size of 1 for a constant.
TRACE_BATCH = 2


def export(module: nn.Module, spec: ModelSpec, folder: Path, options: ExportOptions) -> Exported:
    """Write `model.onnx`; see `Exporter`."""
    tools = versions_of("torch", "onnx", "onnxscript", *(["onnxslim"] if options.simplify else []))
    _check_size(module)
    model = _converted(module, spec, options.opset)
    strip_debris(model)
    check_interface(model, spec)
    notes = []
    if options.simplify:
        model, note = simplified(model, spec, folder)
        notes.append(note)
    opset = default_opset(model)
    if opset != options.opset:
        notes.append(f"opset {options.opset} was asked for, the exporter gave {opset}")
    set_spec(model, spec)
    (folder / FILE).write_bytes(_serialised(model))
    return Exported(FILE, opset, tools, tuple(notes))


def _converted(module: nn.Module, spec: ModelSpec, opset: int) -> ModelProto:
    import torch

    example = torch.from_numpy(example_input(spec, TRACE_BATCH))
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[spec.inputs[0].name],
                output_names=list(spec.output_names),
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                opset_version=opset,
                verbose=False,
            )
    # torch.onnx's errors share no base, and it lets other packages' errors through.
    except Exception as error:
        raise ExportError(
            f"torch could not export {spec.arch} to ONNX: {first_line(error)}",
            fix=f"check that opset {opset} is one that this torch writes, or leave --opset out",
        ) from error
    if program is None:
        raise ExportError(f"torch gave no ONNX program for {spec.arch}")
    return program.model_proto


def _check_size(module: nn.Module) -> None:
    tensors = [*module.parameters(), *module.buffers()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > MAX_BYTES:
        raise _too_large(size)


def _serialised(model: ModelProto) -> bytes:
    if model.ByteSize() > MAX_BYTES:
        raise _too_large(model.ByteSize())
    return bytes(model.SerializeToString(deterministic=True))


def _too_large(size: int) -> ExportError:
    return ExportError(
        "the model does not fit into one ONNX file",
        received=f"{size / 2**30:.1f} GiB of weights",
        expected="less than 2 GiB",
        fix="export it as torchscript or pt2",
    )
