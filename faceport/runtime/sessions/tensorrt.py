"""Engines through TensorRT and TensorRT-RTX, with `cuda-bindings` and nothing else.

The GPU is looked for before TensorRT is given anything. Memory is allocated once, for the largest
shapes of the engine's profile.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faceport.errors import InputError, ProviderUnavailableError, SessionError
from faceport.runtime.sessions.base import (
    Array,
    SessionOptions,
    check_feeds,
    check_option_names,
)
from faceport.runtime.tensorrt.cuda import Cuda, import_cuda
from faceport.runtime.tensorrt.device import find_gpu
from faceport.runtime.tensorrt.engine import Engine, load_engine
from faceport.runtime.tensorrt.engine_file import EngineHeader, read_engine, rebuild
from faceport.runtime.tensorrt.fit import check_fits
from faceport.runtime.tensorrt.modules import TENSORRT, import_tensorrt, version_of
from faceport.runtime.tensorrt.running import Runner

CUDA = "cuda"


@dataclass(frozen=True)
class Settings:
    """What `provider_options["cuda"]` may hold, by the names that onnxruntime uses.

    Attributes:
        device_id: which GPU.
        enable_cuda_graph: whether runs of the same shapes are recorded and replayed.
    """

    device_id: int = 0
    enable_cuda_graph: bool = False


class TensorRtSession:
    """One engine."""

    provider = CUDA

    def __init__(self, header: EngineHeader, engine: Engine, runner: Runner, path: Path) -> None:
        self.backend: str = header.backend
        self.spec = header.spec
        self.inputs = header.spec.inputs
        self.outputs = header.spec.outputs
        self.max_batch = header.max_batch
        self._header = header
        self._engine: Engine | None = engine
        self._runner: Runner | None = runner
        self._path = path
        # One set of buffers: a second thread would overwrite the first one's input.
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the engine once; see `Session.run`.

        Raises:
            InputError: also where a size is outside the profile that the engine was built for.
        """
        check_feeds(self.inputs, feeds)
        with self._lock:
            if self._runner is None or self._engine is None:
                raise SessionError(f"{self._path.name} is closed")
            for name, array in feeds.items():
                tensor = self._engine.inputs[name]
                self._check_profile(name, array.shape, tensor.smallest, tensor.largest)
            return self._runner.run(feeds)

    def close(self) -> None:
        """Free the engine, its memory and its stream."""
        with self._lock:
            runner, self._runner, self._engine = self._runner, None, None
            if runner is not None:
                runner.close()

    def _check_profile(
        self,
        name: str,
        shape: tuple[int, ...],
        smallest: tuple[int, ...],
        largest: tuple[int, ...],
    ) -> None:
        pairs = zip(smallest, shape, largest, strict=True)
        outside = [axis for axis, (low, size, high) in enumerate(pairs) if not low <= size <= high]
        if not outside:
            return
        if outside == [0]:
            low, high = self._header.min_batch, self._header.max_batch
            raise InputError(
                f"the batch is outside what {self._path.name} was built for",
                received=f"{shape[0]} rows",
                expected=f"{low} to {high} rows",
                fix=f"feed at most {high}, or {rebuild(self._path, self._header)} "
                f"--max-batch {max(shape[0], high)}",
            )
        raise InputError(
            f"input {name!r} is outside what {self._path.name} was built for",
            received=shape,
            expected=f"{smallest} to {largest}",
            fix=rebuild(self._path, self._header),
        )


def open_session(path: Path, options: SessionOptions) -> TensorRtSession:
    """Load an engine of TensorRT; see `Session` and `faceport.runtime.sessions.open_session`."""
    return open_engine(path, options, TENSORRT)


def open_engine(path: Path, options: SessionOptions, backend: str) -> TensorRtSession:
    """Load an engine.

    Args:
        path: a file that `faceport build-engine` made.
        options: `cuda` must be among the providers: an engine runs on nothing else.
        backend: `tensorrt` or `tensorrt-rtx`.

    Raises:
        MissingDependencyError: the backend's module or cuda-bindings is not installed.
        ProviderUnavailableError: `cuda` is not listed, or there is no such GPU.
        SessionError: the engine is damaged, was built for another GPU or version, or does not fit
            into the GPU's memory.
        InputError: an unknown setting.
    """
    settings = _settings(options)
    header, plan = read_engine(path)
    if header.backend != backend:
        raise SessionError(
            f"{path.name} is an engine of another backend",
            received=header.backend,
            expected=backend,
        )
    if CUDA not in options.providers:
        raise ProviderUnavailableError(
            f"the {backend} backend runs on cuda only",
            received=", ".join(options.providers) or "an empty list",
            expected=CUDA,
            fix="--providers cuda (or cuda,cpu, if the other model runs on the CPU)",
        )
    cuda = Cuda(import_cuda())
    gpu = find_gpu(cuda, settings.device_id)
    trt = import_tensorrt(backend)
    check_fits(path, header, version_of(trt), gpu)
    cuda.use(gpu.index)
    graph = settings.enable_cuda_graph
    engine = load_engine(trt, path, header, plan, cuda_graph=graph)
    # TensorRT-RTX records graphs itself.
    record = graph and not hasattr(trt, "CudaGraphStrategy")
    runner = Runner(cuda, engine, gpu.index, path.name, record=record)
    return TensorRtSession(header, engine, runner, path)


def _settings(options: SessionOptions) -> Settings:
    check_option_names(options)
    given = dict(options.provider_options.get(CUDA, {}))
    device, graph = given.pop("device_id", "0"), given.pop("enable_cuda_graph", "0")
    if given or not device.isdigit() or graph not in ("0", "1"):
        raise InputError(
            "a setting of cuda is not known to the TensorRT session",
            received=", ".join(f"{k}={v}" for k, v in options.provider_options[CUDA].items()),
            expected="device_id=NUMBER, enable_cuda_graph=0 or 1",
        )
    return Settings(int(device), graph == "1")
