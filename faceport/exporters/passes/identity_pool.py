"""Pooling that pools nothing, removed: most blocks of IR networks have a 1 × 1 window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from faceport.exporters.passes.edit import attributes, rename_inputs, replace_nodes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def remove_identity_pools(model: ModelProto) -> int:
    """Remove pools of one element, stride 1 and no padding, in place; returns how many."""
    outputs = {value.name for value in model.graph.output}
    aliases: dict[str, str] = {}

    def replacement(node: NodeProto) -> Iterable[NodeProto] | None:
        # A graph's output keeps its name, so its node stays.
        if not _pools_nothing(node) or node.output[0] in outputs:
            return None
        aliases[node.output[0]] = node.input[0]
        return []

    count = replace_nodes(model, replacement)
    rename_inputs(model, aliases)
    return count


def _pools_nothing(node: NodeProto) -> bool:
    if node.op_type not in ("MaxPool", "AveragePool") or node.domain or len(node.output) != 1:
        return False
    given = attributes(node)
    ones = (*given.get("kernel_shape", (2,)), *given.get("strides", ()))
    return set(ones) == {1} and not any(given.get("pads", ()))
