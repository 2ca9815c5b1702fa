"""Small ONNX graphs with the shapes of the families, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Size = tuple[int, int] | None


@dataclass
class GraphWriter:
    """Collects nodes and weights, and writes a graph of one picture input to a file."""

    folder: Path
    seed: int = 0
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def conv(self, source: str, channels: int, stride: int) -> str:
        rng = np.random.default_rng(self.seed + len(self.weights))
        kernel = rng.normal(0, 1 / stride, (channels, 3, stride, stride))
        weight = self.constant(kernel)
        return self.node("Conv", source, weight, strides=[stride, stride])

    def output(self, name: str, dims: Sequence[int | str | None]) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims)))

    def write(
        self,
        name: str,
        shape: Sequence[int | str],
        dtype: int = TensorProto.FLOAT,
        metadata: dict[str, str] | None = None,
    ) -> Path:
        entry = helper.make_tensor_value_info("pixels", dtype, list(shape))
        graph = helper.make_graph(self.nodes, "graph", [entry], self.outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        helper.set_model_props(model, metadata or {})
        path = self.folder / name
        onnx.save(model, path)
        return path


@dataclass(frozen=True)
class Graphs:
    """Writes graphs into a folder. Output names say nothing, as in published files."""

    folder: Path

    def scrfd(
        self,
        *,
        size: Size = (64, 96),
        batch: int | str = 1,
        anchors: int = 2,
        values: Sequence[int] = (1, 4, 10),
        batch_axis: bool = True,
        sigmoid: bool = True,
        strides: Sequence[int] = (8, 16, 32),
    ) -> Path:
        graph = GraphWriter(self.folder)
        # Strides inside, so that the order of the outputs is not that of the roles either.
        for stride in strides:
            for number in values:
                self._table(graph, stride, number, anchors, batch_axis, sigmoid and number == 1)
        return graph.write("scrfd.onnx", self._shape(batch, size))

    def yunet(self, *, size: Size = None, batch: int | str = "batch") -> Path:
        graph = GraphWriter(self.folder)
        for stride in (8, 16, 32):
            for number in (10, 1, 4, 1):
                self._table(graph, stride, number, 1, True, number == 1)
        return graph.write("yunet.onnx", self._shape(batch, size))

    def yolo_maps(self, *, size: Size = (64, 96), batch: int | str = 1, channels: int = 80) -> Path:
        graph = GraphWriter(self.folder)
        for stride in (32, 8, 16):
            name = graph.conv("pixels", channels, stride)
            graph.output(name, [batch, channels, None, None])
        return graph.write("maps.onnx", self._shape(batch, size), metadata={"license": "MIT-0"})

    def yolo_rows(
        self,
        *,
        size: Size = (64, 96),
        batch: int | str = 1,
        channels: int = 20,
        scale: float = 50.0,
        sigmoid: bool = True,
    ) -> Path:
        graph = GraphWriter(self.folder)
        rows = []
        for stride in (8, 16, 32):
            flat = graph.constant([0, channels, -1], np.int64)
            rows.append(graph.node("Reshape", graph.conv("pixels", channels, stride), flat))
        joined = graph.node("Concat", *rows, axis=2)
        if sigmoid:
            joined = graph.node("Sigmoid", joined)
        factors = np.full((1, channels, 1), scale)
        factors[:, 4] = 1
        out = graph.node("Mul", joined, graph.constant(factors))
        graph.output(out, [batch, channels, None])
        return graph.write("rows.onnx", self._shape(batch, size))

    def recogniser(
        self,
        *,
        size: Size = (112, 112),
        batch: int | str = "batch",
        dim: int = 32,
        head: str = "plain",
        layout: str = "nchw",
        dtype: int = TensorProto.FLOAT,
        name: str = "recogniser.onnx",
        seed: int = 0,
    ) -> Path:
        graph = GraphWriter(self.folder, seed)
        source = "pixels"
        if dtype != TensorProto.FLOAT:
            source = graph.node("Cast", source, to=TensorProto.FLOAT)
        if layout == "nhwc":
            source = graph.node("Transpose", source, perm=[0, 3, 1, 2])
        pooled = graph.node("GlobalAveragePool", graph.node("Relu", graph.conv(source, dim, 16)))
        shape = [1, -1] if head == "fold" else [0, -1]
        vector = graph.node("Reshape", pooled, graph.constant(shape, np.int64))
        self._head(graph, head, vector, batch, dim)
        return graph.write(name, self._shape(batch, size, layout), dtype)

    def _head(self, graph: GraphWriter, head: str, vector: str, batch: int | str, dim: int) -> None:
        if head == "unit":
            vector = graph.node("LpNormalization", vector, axis=1, p=2)
        elif head == "centred on the batch":
            mean = graph.node("ReduceMean", vector, axes=[0], keepdims=1)
            half = graph.node("Mul", mean, graph.constant([0.5]))
            vector = graph.node("Sub", vector, half)
        elif head == "nan":
            zero = graph.node("Sub", vector, vector)
            vector = graph.node("Div", zero, zero)
        elif head in ("with norm", "two"):
            other = graph.node("ReduceL2", vector, axes=[1], keepdims=1)
            if head == "two":
                other = graph.node("Mul", vector, graph.constant([2.0]))
            graph.output(other, [batch, None])
        graph.output(vector, [1 if head == "fold" else batch, None])

    def _table(
        self,
        graph: GraphWriter,
        stride: int,
        values: int,
        anchors: int,
        batch_axis: bool,
        sigmoid: bool,
    ) -> None:
        maps = graph.conv("pixels", anchors * values, stride)
        last = graph.node("Transpose", maps, perm=[0, 2, 3, 1])
        shape = graph.constant([0, -1, values] if batch_axis else [-1, values], np.int64)
        out = graph.node("Reshape", last, shape)
        if sigmoid:
            out = graph.node("Sigmoid", out)
        graph.output(out, [None, None, values] if batch_axis else [None, values])

    def _shape(self, batch: int | str, size: Size, layout: str = "nchw") -> list[int | str]:
        height, width = size or ("h", "w")
        pixels = [3, height, width] if layout == "nchw" else [height, width, 3]
        return [batch, *pixels]


@pytest.fixture
def graphs(tmp_path: Path) -> Graphs:
    return Graphs(tmp_path)
