"""Whether an engine belongs on this machine, before TensorRT is given it."""

from __future__ import annotations

from pathlib import Path

from faceport.errors import ForeignEngineError, SessionError
from faceport.runtime.tensorrt.device import Gpu
from faceport.runtime.tensorrt.engine_file import EngineHeader, rebuild

AMPERE = (8, 0)


def check_fits(path: Path, header: EngineHeader, version: str, gpu: Gpu) -> None:
    """Compare an engine with the TensorRT and the GPU that are here.

    Raises:
        ForeignEngineError: it belongs to others; the message has the command that builds it here.
    """
    if not _version_fits(header, version):
        raise _foreign(path, header, "version of TensorRT", version, header.tensorrt)
    received = f"{gpu.name} (compute capability {gpu.compute_capability})"
    expected = f"{header.gpu} (compute capability {header.compute_capability})"
    if not _gpu_fits(header, gpu):
        raise _foreign(path, header, "GPU", received, expected)


def check_source(path: Path, header: EngineHeader, onnx_sha256: str) -> None:
    """Compare an engine with the bundle's ONNX file of its precision.

    Raises:
        SessionError: it was built from another one.
    """
    if header.onnx_sha256 != onnx_sha256:
        raise SessionError(
            f"{path.name} was built from another ONNX file than the bundle's",
            received=f"sha256 {onnx_sha256[:16]} in the bundle",
            expected=f"sha256 {header.onnx_sha256[:16]}",
            fix=rebuild(path, header),
        )


def _version_fits(header: EngineHeader, version: str) -> bool:
    if not header.version_compatible:
        return header.tensorrt == version
    return _numbers(version) >= _numbers(header.tensorrt)


def _gpu_fits(header: EngineHeader, gpu: Gpu) -> bool:
    if header.compatibility == "any":
        return True
    if header.compatibility == "ampere-plus":
        return _numbers(gpu.compute_capability) >= AMPERE
    same = header.compute_capability == gpu.compute_capability
    return same and (header.compatibility != "none" or header.gpu == gpu.name)


def _foreign(
    path: Path, header: EngineHeader, what: str, received: str, expected: str
) -> ForeignEngineError:
    return ForeignEngineError(
        f"{path.name} was built for another {what}",
        received=received,
        expected=expected,
        fix=rebuild(path, header),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
