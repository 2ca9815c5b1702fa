"""Channels brought to one range before they share one scale.

An activation has one scale a tensor, and a channel that is a hundred times smaller than the largest
is then three levels high. Between two layers with nothing but a PReLU between them a channel can be
scaled by any positive factor and scaled back in the next layer: `PReLU(k x) = k PReLU(x)`. That is
Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019,
with ranges that were seen instead of estimated. The factors are powers of two, so the fp32 graph
gives the same numbers to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceport.exporters.passes.edit import (
    add_constant,
    attributes,
    constants,
    copied,
    drop_unused_constants,
)
from faceport.exporters.precision.values import observed
from faceport.runtime.sessions.base import Array

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MOST_DOUBLINGS = 8
"""A channel is scaled by 2^8 at most: one that is nearly always 0 stays small."""

Factors = NDArray[np.float32]


@dataclass(frozen=True)
class _Pair:
    """Two convolutions with a PReLU, or nothing, between them, which no other node reads."""

    first: NodeProto
    second: NodeProto


def equalised(model: ModelProto, faces: Array, scratch: Path) -> tuple[ModelProto, int]:
    """Return a copy of a graph with equalised channels, and how many pairs of layers it touched.

    Args:
        model: float32, with its PReLUs as such.
        faces: (N, …) real inputs to see ranges on.
        scratch: for a temporary file.
    """
    new = copied(model)
    pairs = _pairs(new)
    if not pairs:
        return new, 0
    ranges = _channel_ranges(model, [pair.first.output[0] for pair in pairs], faces, scratch)
    for pair in pairs:
        _scale(new, pair, ranges[pair.first.output[0]])
    drop_unused_constants(new)
    return new, len(pairs)


def _pairs(model: ModelProto) -> list[_Pair]:
    known = constants(model)
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {value.name for value in model.graph.output}
    found = []
    for node in model.graph.node:
        following = node
        for _ in range(2):
            nexts = readers.get(following.output[0], [])
            if len(nexts) != 1 or following.output[0] in outputs:
                break
            (following,) = nexts
            if following.op_type != "PRelu":
                break
        if _is_plain(node, known) and _is_plain(following, known) and following is not node:
            found.append(_Pair(node, following))
    return found


def _is_plain(node: NodeProto, known: dict[str, NDArray[np.generic]]) -> bool:
    """Whether a node is a convolution of constant weights, dense or one channel a group."""
    if node.op_type != "Conv" or node.domain or any(name not in known for name in node.input[1:]):
        return False
    groups = attributes(node).get("group", 1)
    return groups == 1 or known[node.input[1]].shape[:2] == (groups, 1)


def _channel_ranges(
    model: ModelProto, names: list[str], faces: Array, scratch: Path
) -> dict[str, Factors]:
    found: dict[str, Factors] = {}
    for values in observed(model, names, faces, scratch):
        for name, array in values.items():
            axes = tuple(i for i in range(array.ndim) if i != 1)
            largest = np.abs(array).max(axis=axes).astype(np.float32)
            found[name] = np.maximum(found.get(name, largest), largest)
    return found


def _scale(model: ModelProto, pair: _Pair, seen: Factors) -> None:
    known = constants(model)
    weight = known[pair.second.input[1]].astype(np.float32)
    dense = attributes(pair.second).get("group", 1) == 1
    if dense:
        axes = tuple(i for i in range(weight.ndim) if i != 1)
        columns = np.abs(weight).max(axis=axes).astype(np.float32)
        factors = _powers_of_two(np.sqrt(np.divide(_safe(columns), _safe(seen))))
        back = factors.reshape(1, -1, *[1] * (weight.ndim - 2))
    else:
        factors = _powers_of_two(seen.max() / _safe(seen))
        back = factors.reshape(-1, *[1] * (weight.ndim - 1))
    pair.second.input[1] = add_constant(model, f"{pair.second.input[1]}.equal", weight / back)
    for index in range(1, len(pair.first.input)):
        values = known[pair.first.input[index]].astype(np.float32)
        forth = factors.reshape(-1, *[1] * (values.ndim - 1))
        name = f"{pair.first.input[index]}.equal"
        pair.first.input[index] = add_constant(model, name, values * forth)


def _safe(values: Factors) -> Factors:
    safe: Factors = np.maximum(values, np.float32(1e-9))
    return safe


def _powers_of_two(factors: Factors) -> Factors:
    """Round to powers of two around the median, within the limit."""
    doublings = np.rint(np.log2(factors / np.median(factors)))
    limited: Factors = np.exp2(np.clip(doublings, -MOST_DOUBLINGS, MOST_DOUBLINGS))
    return limited.astype(np.float32)
