"""ONNX files through OpenVINO: Intel's CPUs, graphics and neural processors.

OpenVINO computes in bf16 or f16 where the processor has them and nothing else was said. Here it is
told f32, and what it reports afterwards is compared; a caller that wants less says so.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faceport.errors import (
    MissingDependencyError,
    ProviderUnavailableError,
    SessionError,
)
from faceport.runtime.sessions.base import (
    Array,
    SessionOptions,
    check_feeds,
    check_option_names,
)
from faceport.spec import METADATA_KEY, ModelSpec, TensorSpec

DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
"""Provider to OpenVINO's device."""

PRECISION_HINT = "INFERENCE_PRECISION_HINT"
THREADS = "INFERENCE_NUM_THREADS"
REQUESTS = "OPTIMAL_NUMBER_OF_INFER_REQUESTS"
DEFAULTS = {PRECISION_HINT: "f32", "PERFORMANCE_HINT": "LATENCY"}
"""Properties of a device unless `provider_options` say otherwise."""


class OpenVinoSession:
    """One ONNX graph in OpenVINO."""

    backend = "openvino"

    def __init__(self, compiled: Any, provider: str, spec: ModelSpec | None, name: str) -> None:
        self.provider = provider
        self.spec = spec
        self.inputs = _tensors(compiled.inputs, spec.inputs if spec else ())
        self.outputs = _tensors(compiled.outputs, spec.outputs if spec else ())
        self._name = name
        self.parallel_limit = int(compiled.get_property(REQUESTS))
        self._closed = False
        self._closing = threading.Lock()
        # A request does one thing at a time, and refuses another thread in the middle of it. The
        # last one used is taken first: its memory is warm, and a lone caller touches no other.
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(self.parallel_limit):
            self._idle.put(compiled.create_infer_request())

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once; see `Session.run`."""
        check_feeds(self.inputs, feeds)
        request = self._idle.get()
        try:
            if self._closed:
                raise SessionError(f"{self._name} is closed")
            return self._infer(request, feeds)
        finally:
            self._idle.put(None if self._closed else request)

    def close(self) -> None:
        """Free the graph; runs that are going on end first."""
        with self._closing:
            self._closed = True
            for _ in range(self.parallel_limit):
                self._idle.get()
            # Whoever waits, or comes later, finds that it is closed.
            for _ in range(self.parallel_limit):
                self._idle.put(None)

    def _infer(self, request: Any, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = {
            index: np.ascontiguousarray(feeds[item.name]) for index, item in enumerate(self.inputs)
        }
        try:
            values = request.infer(arrays, share_inputs=True)
        # OpenVINO raises RuntimeError for nearly everything, and others besides.
        except Exception as error:
            raise SessionError(f"{self._name} did not run: {first_line(error)}") from error
        return {item.name: values[index] for index, item in enumerate(self.outputs)}


def open_session(path: Path, options: SessionOptions) -> OpenVinoSession:
    """Load an ONNX file; see `Session` and `faceport.runtime.sessions.open_session`."""
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("openvino", "openvino") from error
    check_option_names(options)
    core = openvino.Core()
    provider = pick_device(options.providers, core.available_devices)
    if not path.is_file():
        raise SessionError(f"{path} is not there", expected="an ONNX file")
    wanted = _properties(options, provider)
    try:
        model = core.read_model(str(path))
        compiled = core.compile_model(model, DEVICES[provider], wanted)
    except Exception as error:
        raise SessionError(
            f"{path} could not be loaded by OpenVINO: {first_line(error)}",
            fix="the file may be damaged, need a newer openvino, or an option may be wrong: "
            f"{wanted} (an NPU computes in f16 only: "
            f"--provider-option npu.{PRECISION_HINT}=f16)",
        ) from error
    _check_running(compiled, DEVICES[provider], wanted[PRECISION_HINT])
    return OpenVinoSession(compiled, provider, _carried_spec(model), path.name)


def pick_device(asked: Sequence[str], there: Sequence[str]) -> str:
    """Return the first provider listed whose device OpenVINO sees.

    Args:
        asked: `cpu`, `gpu`, `npu`, in order of preference.
        there: what `Core.available_devices` says: `CPU`, `GPU.0`.

    Raises:
        ProviderUnavailableError: it sees none of them.
    """
    kinds = {name.split(".")[0] for name in there}
    for name in asked:
        if DEVICES.get(name) in kinds:
            return name
    raise ProviderUnavailableError(
        "OpenVINO does not have the provider here",
        received=", ".join(asked) or "an empty list",
        expected=", ".join(name for name, device in DEVICES.items() if device in kinds),
        fix="install the device's driver, or list a fallback: --providers gpu,cpu",
    )


def first_line(error: Exception) -> str:
    """Return the line of OpenVINO's message that says what is wrong; the first ones say where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception from")), "no message")


def _properties(options: SessionOptions, provider: str) -> dict[str, str]:
    said = (
        {} if options.threads is None else {THREADS: str(options.threads * options.parallel_runs)}
    )
    if options.parallel_runs > 1 and provider == "cpu":
        # OpenVINO's threads are those of all its streams together.
        said["NUM_STREAMS"] = str(options.parallel_runs)
    return {**DEFAULTS, **said, **options.provider_options.get(provider, {})}


def _check_running(compiled: Any, device: str, precision: str) -> None:
    """Compare what OpenVINO says it will do with what it was asked."""
    running = [str(name).split(".")[0] for name in compiled.get_property("EXECUTION_DEVICES")]
    if running != [device]:
        raise ProviderUnavailableError(
            "OpenVINO chose another device", received=", ".join(running), expected=device
        )
    chosen = str(compiled.get_property(PRECISION_HINT).to_string())
    if chosen != precision:
        raise SessionError("OpenVINO chose another precision", received=chosen, expected=precision)


def _carried_spec(model: Any) -> ModelSpec | None:
    # Where OpenVINO keeps the metadata_props of an ONNX file.
    place = ["framework", METADATA_KEY]
    return ModelSpec.from_json(model.get_rt_info(place).value) if model.has_rt_info(place) else None


def _tensors(ports: Sequence[Any], known: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Describe ports in the graph's order.

    OpenVINO forgets the names of dynamic axes, and gives a tensor the names of all that it fused
    with it; the spec knows which is meant.
    """
    names = [port.get_names() for port in ports]
    if len(names) == len(known) and all(
        item.name in own for item, own in zip(known, names, strict=True)
    ):
        return tuple(known)
    return tuple(_tensor(port) for port in ports)


def _tensor(port: Any) -> TensorSpec:
    name = port.get_any_name()
    shape = tuple(
        f"{name}_dim{axis}" if dim.is_dynamic else dim.get_length()
        for axis, dim in enumerate(port.get_partial_shape())
    )
    return TensorSpec(name, np.dtype(port.get_element_type().to_dtype()).name, shape)
