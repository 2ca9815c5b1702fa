"""int8: weights and layers in 8 bits, ranges calibrated on real faces (see `qdq` and `ranges`).

The fp32 graph is first written for the target, with PReLU in the form that pays between quantised
convolutions. If the tolerance does not hold, the layers that cost the most stay in fp32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceport.bundle import Detail
from faceport.errors import InputError
from faceport.exporters.passes.applied import passes_for, with_passes
from faceport.exporters.passes.edit import copied
from faceport.exporters.precision.base import Job, Reduced
from faceport.exporters.precision.equalise import equalised
from faceport.exporters.precision.kept import kept_by_name, with_names
from faceport.exporters.precision.qdq import layers_of, quantised, values_to_watch
from faceport.exporters.precision.ranges import Range, ranges_of
from faceport.exporters.precision.search import keep_back
from faceport.exporters.precision.values import observed
from faceport.exporters.versions import versions_of
from faceport.runtime.sessions.base import Array

if TYPE_CHECKING:
    from onnx import ModelProto


def reduce(model: ModelProto, job: Job) -> Reduced:
    """Return the graph with Q/DQ nodes; see `PrecisionStep`."""
    if job.calibration is None:
        raise InputError("int8 needs real faces to calibrate on", received="none")
    target = job.options.target or "onnxruntime"
    equal, pairs = equalised(model, job.calibration, job.scratch)
    plain, notes = with_passes(equal, job.spec, passes_for(target, "max"), job.scratch)
    plain = copied(plain)
    with_names(plain)
    asked = kept_by_name(plain, job.options.keep_fp32)
    layers = [name for name in layers_of(plain) if name not in asked]
    job.on_step(f"onnx int8: calibrating on {len(job.calibration)} faces")
    ranges = _ranges(plain, job, job.calibration)

    def build(kept: frozenset[str]) -> ModelProto:
        return quantised(plain, frozenset(layers) - kept, ranges, target)

    found = keep_back(build, layers, job)
    details: dict[str, Detail] = {
        "target": target,
        "calibrator": job.options.calibrator,
        "activations": "uint8" if target == "onnxruntime" else "int8, symmetric",
        "weights": "int8, symmetric, one scale a channel",
        "layers": len(layers),
        "layer_pairs_equalised": pairs,
        "kept_fp32.asked": tuple(sorted(asked)),
        "kept_fp32.by_measurement": found.kept,
    }
    if found.costs:
        details["layer_costs"] = found.costs
    return Reduced(found.model, versions_of("onnx", "onnxruntime"), notes, details)


def _ranges(model: ModelProto, job: Job, faces: Array) -> dict[str, Range]:
    names = values_to_watch(model)
    given = {value.name for value in model.graph.input}
    computed = [name for name in names if name not in given]
    found = ranges_of(lambda: observed(model, computed, faces, job.scratch), job.options.calibrator)
    for name in given & set(names):
        found[name] = Range(min(0.0, float(faces.min())), max(0.0, float(faces.max())))
    return found
