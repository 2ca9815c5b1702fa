"""ONNX files through onnxruntime.

onnxruntime lists providers that its build knows, loads what it can, and falls back to the CPU
without a word. Here only what the caller listed may run, and what the session reports is compared
with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceport.errors import (
    MissingDependencyError,
    ProviderUnavailableError,
    SessionError,
)
from faceport.runtime.sessions.base import Array, SessionOptions, check_feeds
from faceport.spec import METADATA_KEY, ModelSpec, TensorSpec

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
"""faceport's short name to onnxruntime's."""

GPU_FIX = (
    "install onnxruntime-gpu instead of onnxruntime (never both) and a CUDA 12 or 13 driver, "
    "or list a fallback: --providers cuda,cpu"
)
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

    def __init__(self, session: Any, provider: str, spec: ModelSpec | None, name: str) -> None:
        self.provider = provider
        self.spec = spec
        self.inputs = tuple(_tensor(value) for value in session.get_inputs())
        self.outputs = tuple(_tensor(value) for value in session.get_outputs())
        self._session: Any | None = session
        self._output_names = [output.name for output in self.outputs]
        self._name = name

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once; see `Session.run`."""
        check_feeds(self.inputs, feeds)
        if self._session is None:
            raise SessionError(f"{self._name} is closed")
        try:
            values = self._session.run(self._output_names, dict(feeds))
        # onnxruntime's exceptions have no common base but Exception.
        except Exception as error:
            raise SessionError(f"{self._name} did not run: {error}") from error
        return dict(zip(self._output_names, values, strict=True))

    def close(self) -> None:
        """Free the graph."""
        self._session = None


def open_session(path: Path, options: SessionOptions) -> OnnxRuntimeSession:
    """Load an ONNX file; see `Session` and `faceport.runtime.sessions.open_session`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "cpu") from error
    wanted = _available(options.providers, onnxruntime.get_available_providers())
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    # Spinning threads of two models and of OpenCV fight for an edge device's few cores.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    names = [PROVIDERS[name] for name in wanted]
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=names)
    except Exception as error:
        raise _load_error(path, error) from error
    provider = running_provider(options.providers, session.get_providers())
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    spec = ModelSpec.from_json(text) if text is not None else None
    return OnnxRuntimeSession(session, provider, spec, path.name)


def running_provider(asked: Sequence[str], reported: Sequence[str]) -> str:
    """Return the short name of the provider that a session really runs on.

    Args:
        asked: short names in order of preference.
        reported: what `session.get_providers()` says; the first one is in use.

    Raises:
        ProviderUnavailableError: it fell back to one that was not asked for.
    """
    short = {long: name for name, long in PROVIDERS.items()}
    first = short.get(reported[0], reported[0]) if reported else "nothing"
    if first not in asked:
        raise ProviderUnavailableError(
            "onnxruntime fell back to another provider",
            received=first,
            expected=" or ".join(asked),
            fix=GPU_FIX,
        )
    return first


def _available(asked: Sequence[str], there: Sequence[str]) -> list[str]:
    unknown = [name for name in asked if name not in PROVIDERS]
    if unknown or not asked:
        raise ProviderUnavailableError(
            "onnxruntime has no such provider here",
            received=", ".join(unknown) or "an empty list",
            expected=", ".join(PROVIDERS),
        )
    wanted = [name for name in asked if PROVIDERS[name] in there]
    if not wanted:
        raise ProviderUnavailableError(
            "this onnxruntime does not have the provider",
            received=", ".join(asked),
            expected=", ".join(name for name, long in PROVIDERS.items() if long in there),
            fix=GPU_FIX,
        )
    return wanted


def _load_error(path: Path, error: Exception) -> SessionError:
    if not path.is_file():
        return SessionError(f"{path} is not there", expected="an ONNX file")
    return SessionError(
        f"{path} could not be loaded by onnxruntime: {error}",
        fix="the file may be damaged, or need a newer onnxruntime",
    )


def _tensor(value: Any) -> TensorSpec:
    shape = tuple(
        dim if isinstance(dim, int) else (dim or f"{value.name}_dim{axis}")
        for axis, dim in enumerate(value.shape)
    )
    return TensorSpec(value.name, DTYPES.get(value.type, value.type), shape)
