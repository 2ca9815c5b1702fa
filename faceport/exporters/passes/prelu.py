"""PReLU written in operators that onnxruntime's CPU provider has fast kernels for.

Its PReLU kernel is a slow broadcast, and not part of the blocked layout (NCHWc) that its
convolutions run in: the values are reordered before and after each. With `s` a channel's slope,

    sum form    relu((1 - s) * x) + s * x    for slopes up to 1; both products become depthwise
                                             convolutions in the blocked layout, with `Relu` fused
                                             into the one and the sum into the other
                (1 - s) * relu(x) + s * x    for all others; `Relu` stays a pass of its own
    max form    max(x, s * x)                for slopes up to 1; fewer operators, but `Max` is not
                                             blocked: faster between quantised convolutions
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from faceport.exporters.passes.edit import (
    Values,
    add_constant,
    constants,
    drop_unused_constants,
    replace_nodes,
)

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Form = Literal["sum", "max"]


def rewrite_prelu(model: ModelProto, form: Form = "sum") -> int:
    """Rewrite every PReLU of constant slopes, in place; returns how many there were.

    Args:
        model: its top graph is changed.
        form: `max` is used where all slopes of a layer allow it, and `sum` for the others.
    """
    known = constants(model)

    def replacement(node: NodeProto) -> Iterable[NodeProto] | None:
        if node.op_type != "PRelu" or node.domain or node.input[1] not in known:
            return None
        slope = known[node.input[1]]
        if form == "max" and slope.max() <= 1:
            return _max_form(model, node, slope)
        return _sum_form(model, node, slope)

    count = replace_nodes(model, replacement)
    if count:
        drop_unused_constants(model)
    return count


def _sum_form(model: ModelProto, node: NodeProto, slope: Values) -> list[NodeProto]:
    from onnx import helper

    x, name = node.input[0], node.output[0]
    rest = np.subtract(1, slope, dtype=slope.dtype)
    above = add_constant(model, f"{name}.one_minus_slope", rest)
    below = add_constant(model, f"{name}.slope", slope)
    product, relu = f"{name}.above", f"{name}.relu"
    if slope.max() <= 1:
        # A factor that is not negative may go inside `relu`.
        first = helper.make_node("Mul", [x, above], [product], f"{name}/above")
        second = helper.make_node("Relu", [product], [relu], f"{name}/relu")
    else:
        first = helper.make_node("Relu", [x], [relu], f"{name}/relu")
        second = helper.make_node("Mul", [relu, above], [product], f"{name}/above")
    return [
        first,
        second,
        helper.make_node("Mul", [x, below], [f"{name}.below"], f"{name}/below"),
        helper.make_node("Add", [second.output[0], f"{name}.below"], [name], f"{name}/add"),
    ]


def _max_form(model: ModelProto, node: NodeProto, slope: Values) -> list[NodeProto]:
    from onnx import helper

    x, name = node.input[0], node.output[0]
    below = add_constant(model, f"{name}.slope", slope)
    return [
        helper.make_node("Mul", [x, below], [f"{name}.below"], f"{name}/below"),
        helper.make_node("Max", [x, f"{name}.below"], [name], f"{name}/max"),
    ]
