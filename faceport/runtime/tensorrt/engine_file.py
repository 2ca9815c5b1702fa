"""The file of an engine: a header that explains it, then TensorRT's own bytes.

    faceport engine 1\\n | length of the header, 8 bytes, little-endian | header, JSON | plan

TensorRT's bytes name neither their preprocessing nor, in a way that can be read, their GPU.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceport.codec import decode, encode
from faceport.errors import FaceportError, SessionError
from faceport.spec import ModelSpec, canonical_json

MAGIC = b"faceport engine 1\n"
LENGTH_BYTES = 8
MAX_HEADER = 1 << 20

Compatibility = Literal["none", "same-compute-capability", "ampere-plus", "any"]
"""GPUs that an engine runs on: the same model; the same compute capability; 8.0 and above; whatever
its runtime supports (TensorRT-RTX compiles for the GPU when it loads)."""


@dataclass(frozen=True)
class EngineHeader:
    """What an engine says of itself.

    Attributes:
        backend: `tensorrt` or `tensorrt-rtx`.
        precision: of the ONNX file it was built from.
        tensorrt: version of the module that built it.
        gpu: name of the GPU it was built on; None where it was built without one.
        compute_capability: of that GPU.
        compatibility: which other GPUs may run it.
        version_compatible: whether later versions of TensorRT may run it.
        stripped: whether its weights must be put in from the ONNX file when it is loaded.
        onnx_file: name of the ONNX file it was built from, and its hash.
        onnx_sha256: likewise.
        min_batch: least rows of a run.
        opt_batch: rows that it was tuned for.
        max_batch: most rows of a run.
        plan_bytes: size of TensorRT's part.
        plan_sha256: its hash.
        spec: of the model.
    """

    backend: Literal["tensorrt", "tensorrt-rtx"]
    precision: str
    tensorrt: str
    gpu: str | None
    compute_capability: str | None
    compatibility: Compatibility
    version_compatible: bool
    stripped: bool
    onnx_file: str
    onnx_sha256: str
    min_batch: int
    opt_batch: int
    max_batch: int
    plan_bytes: int
    plan_sha256: str
    spec: ModelSpec


def write_engine(path: Path, header: EngineHeader, plan: bytes) -> None:
    """Write an engine's file; an older one of that name is replaced."""
    text = canonical_json(encode(header)).encode()
    # An older one of that name may be a hard link into the bundle that is being replaced.
    path.unlink(missing_ok=True)
    path.write_bytes(MAGIC + len(text).to_bytes(LENGTH_BYTES, "little") + text + plan)


def read_header(path: Path) -> EngineHeader:
    """Read the header alone.

    Raises:
        SessionError: the file is missing, not an engine of this format, or cut short.
    """
    return _read(path, with_plan=False)[0]


def read_engine(path: Path) -> tuple[EngineHeader, bytes]:
    """Read an engine's file, its bytes compared with the header's hash.

    Raises:
        SessionError: the file is missing, not an engine of this format, cut short, or changed.
    """
    header, plan = _read(path, with_plan=True)
    if len(plan) != header.plan_bytes:
        raise SessionError(
            f"{path.name} was cut short",
            received=f"{len(plan)} bytes of engine",
            expected=header.plan_bytes,
            fix=rebuild(path, header),
        )
    if hashlib.sha256(plan).hexdigest() != header.plan_sha256:
        raise SessionError(f"{path.name} was changed after it was built", fix=rebuild(path, header))
    return header, plan


def rebuild(path: Path, header: EngineHeader | None = None) -> str:
    """Return what to do about an engine that does not fit: the command that builds it here."""
    choice = f" --precision {header.precision} --backend {header.backend}" if header else ""
    return f"build it on this device: faceport build-engine {path.parent}{choice}"


def _read(path: Path, *, with_plan: bool) -> tuple[EngineHeader, bytes]:
    try:
        with path.open("rb") as handle:
            magic = handle.read(len(MAGIC))
            size = int.from_bytes(handle.read(LENGTH_BYTES), "little")
            text = handle.read(min(size, MAX_HEADER))
            plan = handle.read() if with_plan else b""
    except OSError as error:
        raise SessionError(f"{path} could not be read: {error.strerror or error}") from error
    if magic != MAGIC:
        raise SessionError(
            f"{path.name} is not an engine of faceport",
            expected="a file that `faceport build-engine` made",
            fix=rebuild(path),
        )
    try:
        return decode(EngineHeader, json.loads(text)), plan
    except (ValueError, FaceportError) as error:
        raise SessionError(
            f"the header of {path.name} is cut short, damaged or of another faceport: {error}",
            fix=rebuild(path),
        ) from error
