"""Channels brought to one range before they share one scale.

An activation has one scale a tensor, and a channel that is a hundred times smaller than the largest
is then three levels high. Between two layers with nothing but a PReLU between them a channel can be
scaled by any positive factor and scaled back in the next layer: `PReLU(k x) = k PReLU(x)`. That is
Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019,
with ranges that were seen instead of estimated. The factors are powers of two, so the fp32 graph
gives the same numbers to the last bit.

A slope `s` above 1 is turned over on the way, because only slopes up to 1 have the fast max form of
`passes.prelu`: `PReLU_s(x) = -s PReLU_(1/s)(-x)`.
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
    between: NodeProto | None


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
        _turn_slopes(new, pair)
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
        following, between = node, None
        for _ in range(2):
            nexts = readers.get(following.output[0], [])
            if len(nexts) != 1 or following.output[0] in outputs:
                break
            (following,) = nexts
            if following.op_type != "PRelu" or following.input[1] not in known:
                break
            between = following
        if _is_plain(node, known) and _is_plain(following, known) and following is not node:
            found.append(_Pair(node, following, between))
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


def _turn_slopes(model: ModelProto, pair: _Pair) -> None:
    known = constants(model)
    if pair.between is None:
        return
    slope = known[pair.between.input[1]].astype(np.float32)
    above = slope > 1
    if not above.any() or slope.size != known[pair.first.input[1]].shape[0]:
        return
    turned = np.where(above, 1 / np.where(above, slope, 1), slope).astype(np.float32)
    pair.between.input[1] = add_constant(model, f"{pair.between.input[1]}.turned", turned)
    forth = np.where(above, -1, 1).astype(np.float32).reshape(-1)
    back = np.where(above, -slope, 1).astype(np.float32).reshape(-1)
    _rescale(model, pair, forth, back)


def _scale(model: ModelProto, pair: _Pair, seen: Factors) -> None:
    weight = constants(model)[pair.second.input[1]].astype(np.float32)
    if _is_dense(pair.second):
        axes = tuple(i for i in range(weight.ndim) if i != 1)
        columns = np.abs(weight).max(axis=axes).astype(np.float32)
        factors = _powers_of_two(np.sqrt(np.divide(_safe(columns), _safe(seen))))
    else:
        factors = _powers_of_two(seen.max() / _safe(seen))
    _rescale(model, pair, factors, np.reciprocal(factors))


def _rescale(model: ModelProto, pair: _Pair, forth: Factors, back: Factors) -> None:
    """Multiply what the first layer gives by `forth`, and what the second reads by `back`."""
    known = constants(model)
    for index in range(1, len(pair.first.input)):
        values = known[pair.first.input[index]].astype(np.float32)
        scaled = values * forth.reshape(-1, *[1] * (values.ndim - 1))
        name = f"{pair.first.input[index]}.equal"
        pair.first.input[index] = add_constant(model, name, scaled)
    weight = known[pair.second.input[1]].astype(np.float32)
    channels_first = (1, -1) if _is_dense(pair.second) else (-1, 1)
    scaled = weight * back.reshape(*channels_first, *[1] * (weight.ndim - 2))
    pair.second.input[1] = add_constant(model, f"{pair.second.input[1]}.equal", scaled)


def _is_dense(node: NodeProto) -> bool:
    return bool(attributes(node).get("group", 1) == 1)


def _safe(values: Factors) -> Factors:
    safe: Factors = np.maximum(values, np.float32(1e-9))
    return safe


def _powers_of_two(factors: Factors) -> Factors:
    """Round to powers of two around the median, within the limit."""
    doublings = np.rint(np.log2(factors / np.median(factors)))
    limited: Factors = np.exp2(np.clip(doublings, -MOST_DOUBLINGS, MOST_DOUBLINGS))
    return limited.astype(np.float32)
