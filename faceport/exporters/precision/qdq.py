"""8-bit graphs: quantise and dequantise nodes around layers, weights stored as int8.

    x --Q--DQ--> layer --(Q--DQ)--> ...      weight int8 --DQ--> layer      bias int32 --DQ--> layer

Weights are symmetric, one scale an output channel. Activations have one scale a tensor:

    onnxruntime   uint8 with a zero point, also behind each convolution, and int32 biases: what its
                  CPU provider fuses into integer kernels. It has none for int8 activations on x86.
    tensorrt      int8 with zero point 0, in front of layers only, biases in float: what TensorRT
                  accepts, and what leaves it free to fuse what follows a convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceport.exporters.base import Target
from faceport.exporters.passes.edit import Values, attributes, constants, rebuilt
from faceport.exporters.precision.ranges import Range

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

LAYERS = frozenset({"Conv", "Gemm", "MatMul"})

# Below this a scale is as good as 0: a channel or value that is always 0.
LEAST_SCALE = 1e-12

Floats = NDArray[np.float32]


def layers_of(model: ModelProto) -> list[str]:
    """Return the names of the nodes that can be 8-bit: a layer whose weight is a constant."""
    known = constants(model)
    return [
        node.name
        for node in model.graph.node
        if node.op_type in LAYERS
        and not node.domain
        and node.input[0] not in known
        and node.input[1] in known
        and known[node.input[1]].dtype == np.float32
        and (node.op_type != "MatMul" or known[node.input[1]].ndim == 2)
        and (node.op_type != "Gemm" or _plain(node))
    ]


def values_to_watch(model: ModelProto) -> list[str]:
    """Return the names of the values whose ranges are needed."""
    found: dict[str, None] = {}
    layers = set(layers_of(model))
    for node in model.graph.node:
        if node.name in layers:
            found[node.input[0]] = None
            found[node.output[0]] = None
    return list(found)


def quantised(
    model: ModelProto, layers: frozenset[str], ranges: dict[str, Range], target: Target
) -> ModelProto:
    """Return a copy with the layers named in 8 bits.

    Args:
        model: float32, in topological order, its nodes with different names.
        layers: names out of `layers_of`.
        ranges: of the values in `values_to_watch`.
        target: decides how activations and biases are written.
    """
    return _Quantising(model, layers, ranges, target).result()


@dataclass(frozen=True)
class _Scale:
    """Of one activation: the names of scale and zero point, and the scale itself."""

    scale: str
    zero: str
    step: float


class _Quantising:
    """One conversion: new nodes in the old order, constants that they need."""

    def __init__(
        self,
        model: ModelProto,
        layers: frozenset[str],
        ranges: dict[str, Range],
        target: Target,
    ) -> None:
        self._model = model
        self._layers = layers
        self._ranges = ranges
        self._target = target
        self._constants = constants(model)
        self._outputs = {value.name for value in model.graph.output}
        self._added: dict[str, Values] = {}
        self._nodes: list[NodeProto] = []
        self._scales: dict[str, _Scale] = {}
        self._pairs = self._values()

    def result(self) -> ModelProto:
        for value in self._model.graph.input:
            self._add_pair(value.name)
        for node in self._model.graph.node:
            new = self._layer(node) if node.name in self._layers else self._reading(node)
            self._nodes.append(new)
            for name in node.output:
                self._add_pair(name)
        return rebuilt(self._model, self._nodes, self._added)

    def _values(self) -> frozenset[str]:
        """Return the values that get a Q and a DQ node."""
        found = set()
        for node in self._model.graph.node:
            if node.name not in self._layers:
                continue
            found.add(node.input[0])
            if self._target == "onnxruntime" and node.op_type == "Conv":
                found.add(node.output[0])
        return frozenset(found - self._outputs)

    def _add_pair(self, name: str) -> None:
        from onnx import helper

        if name not in self._pairs:
            return
        scale = self._scale_of(name)
        ends = [scale.scale, scale.zero]
        q, dq = f"{name}.q", f"{name}.dq"
        self._nodes.append(helper.make_node("QuantizeLinear", [name, *ends], [q], f"{name}/q"))
        self._nodes.append(helper.make_node("DequantizeLinear", [q, *ends], [dq], f"{name}/dq"))

    def _scale_of(self, name: str) -> _Scale:
        if name not in self._scales:
            step, zero = activation_scale(self._ranges[name], self._target)
            kept = _Scale(f"{name}.scale", f"{name}.zero", step)
            self._added[kept.scale] = np.array(step, np.float32)
            self._added[kept.zero] = zero
            self._scales[name] = kept
        return self._scales[name]

    def _reading(self, node: NodeProto) -> NodeProto:
        new: NodeProto = type(node).FromString(node.SerializeToString())
        for index, name in enumerate(node.input):
            if name in self._pairs:
                new.input[index] = f"{name}.dq"
        return new

    def _layer(self, node: NodeProto) -> NodeProto:
        new = self._reading(node)
        # In front of a layer that is also a graph output there is no pair; its range is known.
        source = self._scale_of(node.input[0]) if node.input[0] in self._pairs else None
        steps = self._weight(new, node)
        if source and len(node.input) > 2 and node.input[2] and self._target == "onnxruntime":
            self._bias(new, node, steps * np.float32(source.step))
        return new

    def _weight(self, new: NodeProto, node: NodeProto) -> Floats:
        name = node.input[1]
        axis = _channel_axis(node)
        whole, steps = weight_in_8_bits(self._constants[name], axis)
        new.input[1] = self._dequantised(name, whole, steps, axis)
        return steps

    def _bias(self, new: NodeProto, node: NodeProto, steps: Floats) -> None:
        bias = self._constants.get(node.input[2])
        if bias is None or bias.shape != steps.shape:
            return
        limit = np.iinfo(np.int32)
        whole = np.clip(np.rint(bias.astype(np.float64) / steps), limit.min, limit.max)
        name = f"{node.name}.{node.input[2]}"
        new.input[2] = self._dequantised(name, whole.astype(np.int32), steps, 0)

    def _dequantised(self, name: str, whole: Values, steps: Floats, axis: int) -> str:
        from onnx import helper

        target = f"{name}.dq"
        if f"{name}.q" not in self._added:
            self._added[f"{name}.q"] = whole
            self._added[f"{name}.scale"] = steps
            self._added[f"{name}.zero"] = np.zeros(steps.shape, whole.dtype)
            inputs = [f"{name}.q", f"{name}.scale", f"{name}.zero"]
            self._nodes.append(
                helper.make_node("DequantizeLinear", inputs, [target], f"{name}/dq", axis=axis)
            )
        return target


def activation_scale(span: Range, target: Target) -> tuple[float, Values]:
    """Return the step between two levels and the zero point, as an array of its type."""
    if target == "tensorrt":
        step = max(-span.low, span.high) / 127
        return float(np.float32(max(step, LEAST_SCALE))), np.array(0, np.int8)
    step = float(np.float32(max((span.high - span.low) / 255, LEAST_SCALE)))
    zero = int(np.clip(np.rint(-span.low / step), 0, 255))
    return step, np.array(zero, np.uint8)


def weight_in_8_bits(weight: Values, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Return a weight as int8 from -127 to 127, and the step of each channel along `axis`."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    values = weight.astype(np.float64)
    steps = np.maximum(np.abs(values).max(axis=others) / 127, LEAST_SCALE).astype(np.float32)
    shape = [1] * weight.ndim
    shape[axis] = -1
    whole = np.clip(np.rint(values / steps.reshape(shape)), -127, 127)
    return whole.astype(np.int8), steps


def _channel_axis(node: NodeProto) -> int:
    if node.op_type == "Conv":
        return 0
    return 0 if node.op_type == "Gemm" and attributes(node).get("transB", 0) else 1


def _plain(node: NodeProto) -> bool:
    given = attributes(node)
    return given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0 and not given.get("transA", 0)
