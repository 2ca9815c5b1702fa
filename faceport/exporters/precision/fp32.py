"""fp32: nothing is lowered, the graph is only written as the target likes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceport.exporters.passes.applied import passes_for, with_passes
from faceport.exporters.precision.base import Job, Reduced

if TYPE_CHECKING:
    from onnx import ModelProto


def reduce(model: ModelProto, job: Job) -> Reduced:
    """Apply the target's passes; see `PrecisionStep`."""
    target = job.options.target or "onnxruntime"
    model, notes = with_passes(model, job.spec, passes_for(target), job.scratch)
    return Reduced(model, notes=notes, details={"target": target})
