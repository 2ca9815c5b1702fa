"""A bundle that runs in microseconds, and results made of it without measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.benchmarks.latency.bounds import Bounds
from faceport.benchmarks.latency.cases import Case, SessionChoice
from faceport.benchmarks.latency.document import Results, Subject
from faceport.benchmarks.latency.results import Absent, Round, Settings
from faceport.benchmarks.latency.summary import result_of
from faceport.benchmarks.machine.environment import Machine
from faceport.bundle import (
    Artefact,
    Bundle,
    Manifest,
    record_of,
    write_bundle,
    write_manifest,
    write_proof,
)
from faceport.spec import ModelSpec, PreprocessSpec, Source, TensorSpec

SIDE, CELL, DIM = 112, 28, 8
FILES = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


def tiny_spec(max_batch: int | None) -> ModelSpec:
    half = (127.5, 127.5, 127.5)
    return ModelSpec(
        task="embedder",
        family="tiny",
        arch="tiny_8",
        preprocess=PreprocessSpec(
            SIDE, SIDE, "rgb", half, half, "align", alignment_template="arcface_112"
        ),
        inputs=(TensorSpec("input", "float32", ("batch", 3, SIDE, SIDE)),),
        outputs=(TensorSpec("embedding", "float32", ("batch", DIM)),),
        source=Source("tiny.pth", "0" * 64),
        weights_sha256="1" * 64,
        embedding_dim=DIM,
        max_batch=max_batch,
    )


def graph(matrix: np.ndarray) -> bytes:
    """Means of 28 × 28 pixels times a matrix."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node(
            "AveragePool", ["input"], ["cells"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    opset = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()
    return data


def answers(inputs: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Compute the same in float64."""
    cells = inputs.astype(np.float64).reshape(-1, 3, 4, CELL, 4, CELL).mean(axis=(3, 5))
    return cells.reshape(len(inputs), -1) @ matrix.astype(np.float64)


def matrices() -> dict[str, np.ndarray]:
    """Of the fp32 artefact, and of one that is not quite it."""
    drawn = np.random.default_rng(3).normal(size=(2, 48, DIM)).astype(np.float32)
    return {"fp32": drawn[0], "int8": drawn[0] + np.float32(0.1) * drawn[1]}


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Writes a bundle of an fp32 artefact and an `int8` one, with a proof of three pictures."""

    def write(max_batch: int | None = None) -> Bundle:
        spec, weights = tiny_spec(max_batch), matrices()
        inputs = np.random.default_rng(5).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32)
        with write_bundle(tmp_path / "tiny.bundle") as folder:
            for precision, file in FILES.items():
                (folder / file).write_bytes(graph(weights[precision]))
            outputs = answers(inputs, weights["fp32"]).astype(np.float32)
            proof = write_proof(folder, {"input": inputs, "output.embedding": outputs})
            artefacts = tuple(
                Artefact("onnx", precision, record_of(folder, file), ())
                for precision, file in FILES.items()
            )
            created = "2024-01-01T00:00:00Z"
            manifest = Manifest(spec, spec.fingerprint, artefacts, proof, "0", created)
            write_manifest(folder, manifest)
        return Bundle.open(tmp_path / "tiny.bundle")

    return write


ORT = SessionChoice("onnxruntime", "cpu")


def case_of(bundle: Path = Path("tiny.bundle"), **changes: Any) -> Case:
    """A case that is not necessarily there."""
    made = Case(bundle, "model.onnx", "0" * 64, "onnx", "fp32", ORT, 1, 1)
    return replace(made, **changes)


def round_of(*times_ms: float, **changes: Any) -> Round:
    made = Round(times_ms or (1.0, 2.0, 3.0), 50.0, 9.0, 10, True, 30.0, 60.0, "cpu", 0.01, 0.005)
    return replace(made, **changes)


MACHINE = Machine(
    device="here",
    system="Linux",
    kernel="6",
    architecture="x86_64",
    cpu="a processor",
    cores=2,
    logical_cores=2,
    cpu_flags=("avx2",),
    memory_bytes=8_000_000_000,
    gpus=(),
    board=None,
    power_mode=None,
    python="3.11.7",
    versions={"faceport": "1", "onnxruntime": "1.32"},
)


@pytest.fixture
def results() -> Callable[..., Results]:
    """Makes results of p50 by (session label's choice, batch)."""

    def make(times: dict[tuple[SessionChoice, int], float], **changes: Any) -> Results:
        cases = tuple(
            result_of(case_of(session=session, batch=batch), 1000, [round_of(*[time] * 100)])
            for (session, batch), time in times.items()
        )
        made = Results(
            subject=Subject(Path("tiny.bundle"), "tiny tiny_8", "embedder", "f" * 64, "a proof", 3),
            environment=MACHINE,
            settings=Settings(),
            cases=cases,
            absent=(Absent("tensorrt/cuda", "", "no | engine"),),
            stages=(),
            bounds=Bounds(),
            created="2026-01-01T00:00:00+00:00",
        )
        return replace(made, **changes)

    return make


@pytest.fixture
def make_case() -> Callable[..., Case]:
    return case_of


@pytest.fixture
def make_round() -> Callable[..., Round]:
    return round_of


@pytest.fixture
def int8_losses() -> np.ndarray:
    """1 - cosine of each of the proof's pictures between the two artefacts, in float64."""
    inputs = np.random.default_rng(5).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32)
    first, second = (answers(inputs, matrix) for matrix in matrices().values())
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    losses: np.ndarray = 1 - (first * second).sum(axis=1) / lengths
    return losses
