"""Describe an imported recogniser: which output is the embedding, its length, its norm, batch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from faceport.errors import ExportError, InputError
from faceport.exporters.onnx_import.batching import find_batch, run_each
from faceport.exporters.onnx_import.described import Described, source_of
from faceport.exporters.onnx_import.graph_input import GraphInput
from faceport.exporters.onnx_import.options import ImportOptions
from faceport.exporters.onnx_import.preprocessing import recogniser_preprocessing
from faceport.exporters.onnx_import.reading import OnnxFile
from faceport.exporters.onnx_import.roles import listed
from faceport.exporters.probe import drawn_pictures
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Array, Session
from faceport.spec import ModelSpec, TensorSpec

SMALLEST_DIM = 16
"""Fewer numbers than this are no embedding of a face: a norm, a score, landmarks of 5 points."""

UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of an embedding may be that the graph normalises."""


def describe_recogniser(
    file: OnnxFile, session: Session, graph: GraphInput, options: ImportOptions
) -> Described:
    """Find out what a recogniser gives and how it may be run.

    Raises:
        InputError: the preprocessing is incomplete, or several outputs could be the embedding.
        ExportError: no output is an embedding.
        SessionError: it does not run.
    """
    made = recogniser_preprocessing(options, graph)
    pixels = drawn_pictures(made.preprocess.height, made.preprocess.width)
    inputs = to_tensor(pixels, "rgb", made.preprocess)
    runs = run_each(session, inputs)
    name = _embedding_name({k: v.shape for k, v in runs[0].items()}, options.embedding_output)
    embeddings = np.concatenate([run[name] for run in runs]).astype(np.float64)
    lengths = np.linalg.norm(embeddings, axis=1)
    batch = find_batch(session, inputs, runs, is_open=graph.batch_is_open)
    spec = ModelSpec(
        task="embedder",
        family="recogniser",
        arch="onnx",
        preprocess=made.preprocess,
        inputs=(graph.tensor_spec(),),
        outputs=_first(name, session.outputs),
        source=source_of(file, file.metadata.get("description", ""), ""),
        weights_sha256=_space_of(file, name, runs[0]),
        embedding_dim=embeddings.shape[1],
        normalized=bool((np.abs(lengths - 1) <= UNIT_TOLERANCE).all()),
        max_batch=batch.max_batch,
        fused=made.fused,
    )
    return Described(spec, inputs, _stacked(runs), (*made.notes, *batch.notes))


def _embedding_name(shapes: Mapping[str, tuple[int, ...]], asked: str | None) -> str:
    fitting = [
        name
        for name, shape in shapes.items()
        if len(shape) == 2 and shape[0] == 1 and shape[1] >= SMALLEST_DIM
    ]
    if asked is not None:
        if asked in fitting:
            return asked
        raise InputError(
            "no such embedding among the outputs",
            received=asked,
            expected=", ".join(fitting) or f"(1, D), in {listed(shapes)}",
        )
    if not fitting:
        raise ExportError(
            "no output is an embedding",
            received=listed(shapes),
            expected=f"(1, D) for one picture, D of {SMALLEST_DIM} or more",
            fix="check --family, or export the network up to its embedding layer",
        )
    if len(fitting) > 1:
        raise InputError(
            "several outputs could be the embedding",
            received=listed(shapes),
            fix=f"name it: --embedding-output {fitting[0]}",
        )
    return fitting[0]


def _space_of(file: OnnxFile, name: str, outputs: Mapping[str, Array]) -> str:
    """Return what stands for the weights in the fingerprint.

    Two outputs of one file are two embedding spaces, so which one was taken is part of it.
    """
    if len(outputs) == 1:
        return file.weights_sha256
    return hashlib.sha256(f"{file.weights_sha256}\0{name}".encode()).hexdigest()


def _first(name: str, outputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Put the embedding first: that is how the runtime knows it among other outputs."""
    return tuple(sorted(outputs, key=lambda output: output.name != name))


def _stacked(runs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the outputs of all pictures, by name, on a leading axis."""
    return {
        name: np.concatenate([run[name] for run in runs])
        if array.shape[:1] == (1,)
        else np.stack([run[name] for run in runs])
        for name, array in runs[0].items()
    }
