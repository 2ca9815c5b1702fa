"""Which sessions are here, found out in a process of its own.

    python -m faceport.benchmarks.latency.probe < choices.json

Engines stay loaded where they were imported; the process that measures others keeps clear of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.processes import ProcessFailure, run_module, speak_json
from faceport.codec import decode, encode
from faceport.errors import FaceportError, MissingDependencyError, ProviderUnavailableError
from faceport.runtime.sessions.openvino import DEVICES, pick_device
from faceport.runtime.sessions.ort_providers import listed_providers
from faceport.runtime.sessions.torch_module import pick_device as pick_torch_device
from faceport.runtime.tensorrt.cuda import Cuda, import_cuda
from faceport.runtime.tensorrt.device import find_gpu
from faceport.runtime.tensorrt.modules import import_tensorrt

MODULE = "faceport.benchmarks.latency.probe"
SECONDS = 120.0
CAPABILITIES = {"bf16": "BF16", "f16": "FP16"}
"""OpenVINO's inference precision to the capability of a device."""


def absent_sessions(choices: Sequence[SessionChoice]) -> dict[SessionChoice, str]:
    """Return the sessions that can't be opened here, each with the reason."""
    if not choices:
        return {}
    try:
        reasons = run_module(MODULE, json.dumps([encode(choice) for choice in choices]), SECONDS)
    except ProcessFailure as failure:
        return dict.fromkeys(choices, f"looking for the engines failed: {failure}")
    return {
        choice: str(reason)
        for choice, reason in zip(choices, reasons, strict=True)
        if reason is not None
    }


def why_absent(choice: SessionChoice) -> str | None:
    """Return why a session can't be opened here, None where nothing is known against it.

    Imports the engine. A driver that fails only when a model is loaded is not found out.
    """
    try:
        CHECKS[choice.backend](choice)
    except FaceportError as error:
        return str(error)
    return None


def _onnxruntime(choice: SessionChoice) -> None:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "cpu") from error
    listed_providers(choice.options(None), onnxruntime.get_available_providers())


def _openvino(choice: SessionChoice) -> None:
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("openvino", "openvino") from error
    core = openvino.Core()
    pick_device([choice.provider], core.available_devices)
    wanted = CAPABILITIES.get(choice.compute)
    there = core.get_property(DEVICES[choice.provider], "OPTIMIZATION_CAPABILITIES")
    if wanted is not None and wanted not in there:
        raise ProviderUnavailableError(
            f"this {choice.provider} does not compute in {choice.compute}",
            received=", ".join(there),
            expected=wanted,
        )


def _torch(choice: SessionChoice) -> None:
    pick_torch_device(choice.options(None))


def _tensorrt(choice: SessionChoice) -> None:
    find_gpu(Cuda(import_cuda()), 0)
    import_tensorrt(choice.backend)


CHECKS: dict[str, Callable[[SessionChoice], None]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "torchscript": _torch,
    "pt2": _torch,
    "tensorrt": _tensorrt,
    "tensorrt-rtx": _tensorrt,
}


def main() -> None:
    """Answer the choices on stdin with a list of reasons, or nulls, on stdout."""
    with speak_json() as answer:
        choices = [decode(SessionChoice, item) for item in json.load(sys.stdin)]
        answer([why_absent(choice) for choice in choices])


if __name__ == "__main__":
    main()
