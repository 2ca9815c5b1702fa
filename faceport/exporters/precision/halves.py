"""An ONNX graph in half precision, node by node, with casts where precisions meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceport.errors import ExportError
from faceport.exporters.passes.edit import Values, constants, rebuilt
from faceport.exporters.precision.values import float_values

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

HALF_MAX = float(np.finfo(np.float16).max)

LAYERS = frozenset({"Conv", "Gemm", "MatMul", "ConvTranspose"})
"""Operators with weights: what can be kept back by measurement."""

SUMS_OF_SQUARES = frozenset({"ReduceL2", "ReduceSumSquare", "LpNormalization"})

# Their output's type is not their input's, or some inputs must be float32, or they hold graphs.
NOT_HALVED = frozenset(
    {
        "Cast",
        "CastLike",
        "Constant",
        "ConstantOfShape",
        "DequantizeLinear",
        "EyeLike",
        "If",
        "Loop",
        "NonMaxSuppression",
        "QuantizeLinear",
        "RandomNormal",
        "RandomUniform",
        "Range",
        "Resize",
        "Scan",
        "Upsample",
    }
)


def is_layer(node: NodeProto) -> bool:
    """Whether a node is an operator with weights."""
    return node.op_type in LAYERS


def must_stay(model: ModelProto) -> frozenset[str]:
    """Return the nodes that half precision breaks whatever the pictures.

    Those are sums of squares with all that follows them, as long as no layer does, and nodes of
    which a constant vanishes.
    """
    known = constants(model)
    kept = set()
    for node in model.graph.node:
        if node.op_type in SUMS_OF_SQUARES:
            kept |= {node.name, *_tail(model, node)}
        elif any(_vanishes(known[name]) for name in node.input if name in known):
            kept.add(node.name)
    return frozenset(kept)


def halved(model: ModelProto, kept: frozenset[str]) -> ModelProto:
    """Return a copy in half precision; the graph's inputs and outputs stay float32.

    Args:
        model: float32, its nodes in topological order and with different names.
        kept: names of nodes that stay float32.

    Raises:
        ExportError: a weight of a halved node is too large for half precision; it is named.
    """
    return _Halving(model, kept).result()


class _Halving:
    """One conversion: new nodes in the old order, and which value exists in which precision."""

    def __init__(self, model: ModelProto, kept: frozenset[str]) -> None:
        self._model = model
        self._kept = kept
        self._floats = float_values(model)
        self._constants = constants(model)
        self._outputs = {value.name for value in model.graph.output}
        self._nodes: list[NodeProto] = []
        self._added: dict[str, Values] = {}
        # Names of values that a halved node computed, before any cast back.
        self._half: set[str] = set()
        self._cast: dict[tuple[str, bool], str] = {}

    def result(self) -> ModelProto:
        for node in self._model.graph.node:
            halve = node.name not in self._kept and node.op_type not in NOT_HALVED
            self._convert(node, halve and node.domain in ("", "ai.onnx"))
        for name in sorted(self._outputs & self._half):
            self._nodes.append(_cast(f"{name}.half", name, to_half=False))
        return rebuilt(self._model, self._nodes, self._added)

    def _convert(self, node: NodeProto, halve: bool) -> None:
        new = type(node).FromString(node.SerializeToString())
        for index, name in enumerate(node.input):
            if name in self._floats:
                new.input[index] = self._input(name, halve)
        if halve:
            for index, name in enumerate(node.output):
                if name in self._floats:
                    self._half.add(name)
                    new.output[index] = self._stored(name)
        self._nodes.append(new)

    def _input(self, name: str, half: bool) -> str:
        """Return the name under which a value is there in the precision asked for."""
        if name in self._constants:
            return self._constant(name) if half else name
        if (name in self._half) == half:
            return self._stored(name)
        if (name, half) not in self._cast:
            target = f"{name}.{'as_half' if half else 'as_float'}"
            self._nodes.append(_cast(self._stored(name), target, to_half=half))
            self._cast[name, half] = target
        return self._cast[name, half]

    def _stored(self, name: str) -> str:
        # The graph's outputs keep their names for the cast back.
        return f"{name}.half" if name in self._half and name in self._outputs else name

    def _constant(self, name: str) -> str:
        target = f"{name}.half"
        if target not in self._added:
            values = self._constants[name].astype(np.float32)
            # An infinity, as masks have, is one in half precision too.
            largest = float(np.abs(values[~np.isinf(values)]).max(initial=0))
            if not largest <= HALF_MAX:
                raise ExportError(
                    f"a weight is too large for fp16: {name}",
                    received=f"{largest:g}",
                    expected=f"at most {HALF_MAX:g}",
                    fix="keep its node in fp32: --keep-fp32 NODE, or export without fp16",
                )
            self._added[target] = values.astype(np.float16)
        return target


def _cast(source: str, target: str, *, to_half: bool) -> NodeProto:
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT16 if to_half else TensorProto.FLOAT
    return helper.make_node("Cast", [source], [target], f"{target}/cast", to=kind)


def _tail(model: ModelProto, start: NodeProto) -> frozenset[str]:
    """Return the names of all nodes that depend on one, or none if a layer is among them."""
    reached, names = set(start.output), set()
    for node in model.graph.node:
        if node.name != start.name and reached & set(node.input):
            if is_layer(node):
                return frozenset()
            reached |= set(node.output)
            names.add(node.name)
    return frozenset(names)


def _vanishes(values: Values) -> bool:
    """Whether a number that stands alone, as an epsilon does, would become 0."""
    if values.size != 1 or values.dtype != np.float32:
        return False
    with np.errstate(under="ignore", over="ignore"):
        return bool(values.astype(np.float16) == 0) and bool(values != 0)
