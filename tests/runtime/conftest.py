"""A tiny embedder, so that the runtime is tested with real sessions in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.bundle import (
    Artefact,
    Bundle,
    Manifest,
    Parity,
    record_of,
    write_bundle,
    write_manifest,
    write_proof,
)
from faceport.exporters.tensorrt.bundle_engines import build_engines
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime.preprocess import to_tensor
from faceport.spec import METADATA_KEY, ModelSpec, PreprocessSpec, Source, TensorSpec

DIM = 8
CELLS = 48
"""Numbers that the tiny network sees: means of 28×28 pixels, 4×4 cells, 3 channels."""


@dataclass(frozen=True)
class TinyModel:
    """A tiny embedder: cell means times a matrix. Its spec, its bytes, and its answer in numpy."""

    spec: ModelSpec
    onnx: bytes
    matrix: NDArray[np.float32]

    def raw(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Compute the embeddings of RGB crops (N, 112, 112, 3) before normalisation."""
        values = (crops.astype(np.float64) - 127.5) / 128
        cells = values.reshape(-1, 4, 28, 4, 28, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
        return cells.reshape(-1, CELLS) @ self.matrix.astype(np.float64)

    def write(self, path: Path, *, spec: ModelSpec | None = None) -> Path:
        """Write a bundle; `spec` is what the manifest says if not the model's own."""
        with write_bundle(path) as folder:
            (folder / "model.onnx").write_bytes(self.onnx)
            said = spec or self.spec
            write_manifest(
                folder,
                Manifest(
                    spec=said,
                    fingerprint=said.fingerprint,
                    artefacts=(Artefact("onnx", "fp32", record_of(folder, "model.onnx"), ()),),
                    proof=write_proof(folder, {"input": np.zeros(1, np.float32)}),
                    faceport_version="0",
                    created="2024-01-01T00:00:00Z",
                ),
            )
        return path


@pytest.fixture(scope="session")
def tiny() -> Callable[..., TinyModel]:
    """Give a maker of tiny models.

    `kind`: `plain` has one output, the embedding as it is; `normalized` ends in the L2 norm;
    `norm` gives unit vectors, norms and an extra output; `folding` puts the whole batch in one row;
    `broken` gives NaN.
    """
    return _tiny


def _tiny(kind: str = "plain", *, batch: int | None = None, **changes: Any) -> TinyModel:
    matrix = np.random.default_rng(11).normal(size=(CELLS, DIM)).astype(np.float32)
    spec = replace(_spec(kind, batch), **changes)
    return TinyModel(spec, _graph(kind, spec, matrix), matrix)


def _spec(kind: str, batch: int | None) -> ModelSpec:
    names = ("embedding", "norm", "occlusion") if kind == "norm" else ("embedding",)
    rows: int | str = "batch" if batch is None else batch
    widths = {"embedding": DIM, "norm": 1, "occlusion": CELLS}
    return ModelSpec(
        task="embedder",
        family="tiny",
        arch=f"tiny_{kind}",
        preprocess=PreprocessSpec(
            height=112,
            width=112,
            color_order="rgb",
            mean=(127.5,) * 3,
            std=(128.0,) * 3,
            geometry="align",
            alignment_template="arcface_112",
        ),
        inputs=(TensorSpec("input", "float32", (rows, 3, 112, 112)),),
        outputs=tuple(TensorSpec(name, "float32", (rows, widths[name])) for name in names),
        source=Source("tiny.pth", "0" * 64),
        weights_sha256="1" * 64,
        embedding_dim=DIM,
        normalized=kind in ("norm", "normalized"),
        norm_output="norm" if kind == "norm" else None,
        max_batch=batch,
    )


def _graph(kind: str, spec: ModelSpec, matrix: NDArray[np.float32]) -> bytes:
    from onnx import TensorProto, checker, helper, numpy_helper

    node = helper.make_node
    nodes = [
        node("AveragePool", ["input"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28]),
        node("Flatten", ["pooled"], ["cells"]),
        node("MatMul", ["cells", "matrix"], ["raw"]),
    ]
    nodes += {
        "plain": [node("Identity", ["raw"], ["embedding"])],
        "normalized": [node("LpNormalization", ["raw"], ["embedding"], axis=1, p=2)],
        "norm": [
            node("ReduceL2", ["raw", "axis"], ["norm"], keepdims=1),
            node("Div", ["raw", "norm"], ["embedding"]),
            node("Identity", ["cells"], ["occlusion"]),
        ],
        "folding": [node("Reshape", ["raw", "one_row"], ["embedding"])],
        "broken": [node("Sqrt", ["raw"], ["embedding"])],
    }[kind]
    value = helper.make_tensor_value_info
    free = kind == "folding"
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value("input", TensorProto.FLOAT, spec.inputs[0].shape)],
        [value(o.name, TensorProto.FLOAT, ("a", "b") if free else o.shape) for o in spec.outputs],
        [
            numpy_helper.from_array(matrix, "matrix"),
            *([numpy_helper.from_array(np.array([1]), "axis")] if kind == "norm" else []),
            *([numpy_helper.from_array(np.array([1, -1]), "one_row")] if free else []),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def proven(tiny: Callable[..., Any], tmp_path: Path) -> Path:
    """A bundle with an ONNX file and its proof; the outputs are numpy's."""
    model = tiny("norm")
    random = np.random.default_rng(3)
    crops = random.integers(0, 255, (6, 112, 112, 3)).astype(np.uint8)
    raw = model.raw(crops)
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    values = (crops.astype(np.float64) - 127.5) / 128
    cells = values.reshape(-1, 4, 28, 4, 28, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
    proof = {
        "input": to_tensor(crops, "rgb", model.spec.preprocess),
        "output.embedding": (raw / norms).astype(np.float32),
        "output.norm": norms.astype(np.float32),
        "output.occlusion": cells.reshape(len(crops), -1).astype(np.float32),
    }
    with write_bundle(tmp_path / "tiny.bundle") as folder:
        (folder / "model.onnx").write_bytes(model.onnx)
        figures = (Parity(1, 0.0, 1.0), Parity(5, 0.0, 1.0))
        artefact = Artefact("onnx", "fp32", record_of(folder, "model.onnx"), figures)
        manifest = Manifest(
            spec=model.spec,
            fingerprint=model.spec.fingerprint,
            artefacts=(artefact,),
            proof=write_proof(folder, proof),
            faceport_version="0",
            created="2024-01-01T00:00:00Z",
        )
        write_manifest(folder, manifest)
    return tmp_path / "tiny.bundle"


@pytest.fixture
def engine(fake_gpu: Any, proven: Path) -> Callable[..., Path]:
    """Builds the bundle's engine and gives its file."""

    def build(**options: Any) -> Path:
        (made,) = build_engines(Bundle.open(proven), "tensorrt", (), BuildOptions(**options))
        fake_gpu.cuda.calls.clear()
        fake_gpu.trt.touched = 0
        return proven / made.file.path

    return build


@pytest.fixture
def batch(proven: Path) -> Callable[[int], np.ndarray]:
    """Rows of the proof's input, repeated as needed."""
    inputs = Bundle.open(proven).proof()["input"]
    return lambda count: np.resize(inputs, (count, *inputs.shape[1:]))
