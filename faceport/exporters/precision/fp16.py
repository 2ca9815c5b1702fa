"""fp16: weights and values in half precision, inputs and outputs as before.

Kept in fp32, always: what overflows or vanishes in half precision. That is the norm's tail (the sum
of squares of 512 numbers passes 65504 at a length of 256, and its guard against division by zero is
smaller than any half), and nodes whose values on the pictures pass 65504 / 4. Further layers are
kept back by measurement, if the tolerance asks for it.

onnxruntime computes most of a half-precision graph on the CPU in fp32, with the weights rounded to
half: parity there says nothing of sums that overflow in half precision on a GPU. The check of the
values' ranges is for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceport.bundle import Detail
from faceport.exporters.passes.applied import passes_for, with_passes
from faceport.exporters.passes.edit import constants, copied
from faceport.exporters.precision.base import Job, Reduced
from faceport.exporters.precision.halves import HALF_MAX, halved, is_layer, must_stay
from faceport.exporters.precision.kept import kept_by_name, with_names
from faceport.exporters.precision.search import keep_back
from faceport.exporters.precision.values import float_values, observed
from faceport.exporters.versions import versions_of

if TYPE_CHECKING:
    from onnx import ModelProto

HEADROOM = 4.0
"""Other pictures may give larger values than those that were seen, by this factor."""

SEEN = 8
"""Pictures that ranges are looked at on."""


def reduce(model: ModelProto, job: Job) -> Reduced:
    """Return the graph in half precision; see `PrecisionStep`."""
    target = job.options.target or "onnxruntime"
    plain, notes = with_passes(model, job.spec, passes_for(target), job.scratch)
    plain = copied(plain)
    with_names(plain)
    asked = kept_by_name(plain, job.options.keep_fp32)
    tail = must_stay(plain) - asked
    wide = _too_wide(plain, job) - asked - tail
    always = asked | tail | wide
    layers = [n.name for n in plain.graph.node if is_layer(n) and n.name not in always]
    found = keep_back(lambda kept: halved(plain, always | kept), layers, job)
    details: dict[str, Detail] = {
        "target": target,
        "kept_fp32.asked": tuple(sorted(asked)),
        "kept_fp32.norm_or_tiny": tuple(sorted(tail)),
        "kept_fp32.large_values": tuple(sorted(wide)),
        "kept_fp32.by_measurement": found.kept,
    }
    if found.costs:
        details["layer_costs"] = found.costs
    return Reduced(found.model, versions_of("onnx", "onnxruntime"), notes, details)


def _too_wide(model: ModelProto, job: Job) -> frozenset[str]:
    """Return the nodes that read or give values which come too near to the largest half."""
    floats, known = float_values(model), constants(model)
    names = [n for node in model.graph.node for n in node.output if n in floats]
    wide: set[str] = set()
    for values in observed(model, names, job.judge.pictures.inputs[:SEEN], job.scratch):
        wide |= {n for n, v in values.items() if np.abs(v).max(initial=0) > HALF_MAX / HEADROOM}
    return frozenset(
        node.name
        for node in model.graph.node
        if wide & ({*node.input, *node.output} - known.keys())
    )
