"""ONNX files through onnxruntime.

onnxruntime lists providers that its build knows, loads what it can, and falls back to the CPU
without a word. Here only what the caller listed may run, and what the session reports is compared
with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceport.errors import MissingDependencyError, ProviderUnavailableError, SessionError
from faceport.runtime.sessions.base import Array, SessionOptions, check_feeds
from faceport.runtime.sessions.ort_binding import DeviceBinding
from faceport.runtime.sessions.ort_memory import share_memory
from faceport.runtime.sessions.ort_providers import (
    SESSION,
    fix_of,
    listed_providers,
    running_provider,
)
from faceport.spec import METADATA_KEY, ModelSpec, TensorSpec

NO_FALLBACK = "CPU EP"
"""What onnxruntime says of `session.disable_cpu_ep_fallback`, however it came to need the CPU."""

DEVICES = {"cuda": "cuda", "tensorrt": "cuda"}
"""Provider to onnxruntime's name of its memory, where inputs and outputs are kept there."""

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class OnnxRuntimeSession:
    """One ONNX graph in onnxruntime."""

    backend = "onnxruntime"

    def __init__(
        self,
        session: Any,
        provider: str,
        spec: ModelSpec | None,
        name: str,
        device_id: int = 0,
    ) -> None:
        self.provider = provider
        self.spec = spec
        self.inputs = tuple(_tensor(value) for value in session.get_inputs())
        self.outputs = tuple(_tensor(value) for value in session.get_outputs())
        self._session: Any | None = session
        self._output_names = [output.name for output in self.outputs]
        self._name = name
        self._binding: DeviceBinding | None = None
        if provider in DEVICES:
            self._binding = DeviceBinding(session, self._output_names, DEVICES[provider], device_id)
        # The bound memory is one run's; without it onnxruntime keeps threads apart by itself.
        self.parallel_limit = 1 if self._binding is not None else None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once; see `Session.run`."""
        check_feeds(self.inputs, feeds)
        # Read once: another thread may close the session in the middle of this.
        session, binding = self._session, self._binding
        if session is None:
            raise SessionError(f"{self._name} is closed")
        try:
            if binding is not None:
                values = binding.run(feeds)
            else:
                values = session.run(self._output_names, dict(feeds))
        # onnxruntime's exceptions have no common base but Exception.
        except Exception as error:
            raise SessionError(f"{self._name} did not run: {error}") from error
        return dict(zip(self._output_names, values, strict=True))

    def close(self) -> None:
        """Free the graph."""
        self._session = None
        self._binding = None


def open_session(path: Path, options: SessionOptions) -> OnnxRuntimeSession:
    """Load an ONNX file; see `Session` and `faceport.runtime.sessions.open_session`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "cpu") from error
    # Its telemetry writes to the home folder, and complains on stderr where it can't.
    getattr(onnxruntime, "disable_telemetry_events", bool)()
    providers = listed_providers(options, onnxruntime.get_available_providers())
    try:
        settings = _settings(onnxruntime, options)
        session = onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:
        raise _load_error(path, error, options.providers) from error
    provider = running_provider(options.providers, session.get_providers())
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    spec = ModelSpec.from_json(text) if text is not None else None
    device_id = int(options.provider_options.get(provider, {}).get("device_id", 0))
    return OnnxRuntimeSession(session, provider, spec, path.name, device_id)


def _settings(onnxruntime: Any, options: SessionOptions) -> Any:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    if not options.spinning:
        # Spinning threads of two models and of OpenCV fight for an edge device's few cores.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if options.providers == ("cpu",):
        share_memory(onnxruntime, settings)
    if "cpu" not in options.providers:
        # Else what the provider can't run goes to the CPU without a word.
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for key, value in options.provider_options.get(SESSION, {}).items():
        settings.add_session_config_entry(key, value)
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    return settings


def _load_error(path: Path, error: Exception, asked: Sequence[str]) -> SessionError:
    if not path.is_file():
        return SessionError(f"{path} is not there", expected="an ONNX file")
    if NO_FALLBACK in str(error):
        return ProviderUnavailableError(
            "onnxruntime would have fallen back to the CPU: the provider did not start, or can't "
            f"run all of {path.name}",
            received=", ".join(asked),
            fix=fix_of(asked),
        )
    return SessionError(
        f"{path} could not be loaded by onnxruntime: {error}",
        fix="the file may be damaged, need a newer onnxruntime, or a provider option is wrong",
    )


def _tensor(value: Any) -> TensorSpec:
    shape = tuple(
        dim if isinstance(dim, int) else (dim or f"{value.name}_dim{axis}")
        for axis, dim in enumerate(value.shape)
    )
    return TensorSpec(value.name, DTYPES.get(value.type, value.type), shape)
