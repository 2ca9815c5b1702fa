"""Read an ONNX file from an unknown source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceport.bundle import sha256_of
from faceport.errors import ExportError, InputError, MissingDependencyError
from faceport.exporters.onnx_import.external import external_files

FLOAT16 = 10
"""`onnx.TensorProto.FLOAT16`, which the file format fixes."""

LIMIT = 2**31 - 1
"""Most bytes of one protobuf message, and so of a model in one file."""


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A checked ONNX model, all its data in memory.

    Attributes:
        path: where it was read from.
        model: `onnx.ModelProto`.
        sha256: of the file.
        weights_sha256: of the file, and of the files that hold its external data, if any.
        metadata: its `metadata_props`.
        opset: of the default domain.
        has_float16: whether weights are half precision.
    """

    path: Path
    model: Any
    sha256: str
    weights_sha256: str
    metadata: Mapping[str, str]
    opset: int | None
    has_float16: bool


def read_onnx(path: Path) -> OnnxFile:
    """Read and check an ONNX file.

    Raises:
        InputError: there is no such file.
        ExportError: it is empty, damaged, no ONNX, larger than 2 GB, or its external data lies
            outside its folder.
        MissingDependencyError: onnx is not installed.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there", expected="an ONNX file")
    model = _parsed(path)
    files = external_files(model, path.parent)
    _load_external(path, model, files)
    _check(path, model)
    digest = sha256_of(path)
    opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return OnnxFile(
        path,
        model,
        digest,
        _with_files(digest, files),
        {entry.key: entry.value for entry in model.metadata_props},
        max(opsets, default=None),
        any(t.data_type == FLOAT16 for t in model.graph.initializer),
    )


def _parsed(path: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("onnx", "export") from error
    try:
        # From bytes: `onnx.load` would choose a parser by the file's name.
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} could not be read: {error.strerror or error}") from error
    # protobuf's errors have no base in common with ours or Python's but Exception.
    except Exception as error:
        raise _damaged(path, error) from error
    if not model.graph.node:
        raise _damaged(path, "it has no nodes")
    return model


def _load_external(path: Path, model: Any, files: Sequence[Path]) -> None:
    from onnx.external_data_helper import load_external_data_for_model

    size = model.ByteSize() + sum(file.stat().st_size for file in files)
    if size > LIMIT:
        raise ExportError(
            f"{path} is too large for one ONNX file",
            received=f"{size:,} bytes",
            expected=f"at most {LIMIT:,}",
        )
    try:
        load_external_data_for_model(model, str(path.parent))
    # Offsets and lengths come from the file: onnx raises ValueError, OSError or its own errors.
    except Exception as error:
        raise _damaged(path, f"its external data: {error}") from error


def _check(path: Path, model: Any) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise _damaged(path, error) from error


def _with_files(digest: str, files: Sequence[Path]) -> str:
    """Return one hash of the file and its external data: two models may share a graph."""
    if not files:
        return digest
    parts = [digest, *(sha256_of(file) for file in files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _damaged(path: Path, reason: object) -> ExportError:
    text = str(reason).strip().splitlines() or ["not a protobuf message"]
    return ExportError(
        f"{path} is no usable ONNX file: {text[0][:300]}",
        expected="a whole ONNX model",
        fix="get the file again and compare its hash with the one published",
    )
