"""The CUDA runtime calls that a session makes, every return code checked.

Through `cuda-bindings`, which is small and needs neither torch nor a compiler.
"""

from __future__ import annotations

import importlib
from typing import Any

from faceport.errors import MissingDependencyError, SessionError


def import_cuda() -> Any:
    """Return `cuda.bindings.runtime`.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError) as error:
        raise MissingDependencyError("cuda-bindings", "tensorrt") from error


class Cuda:
    """CUDA, by what is done rather than by what is called.

    Addresses are integers. Every method raises SessionError with CUDA's own name of the error.

    Args:
        api: `cuda.bindings.runtime`.
    """

    def __init__(self, api: Any) -> None:
        self._api = api

    def device_count(self) -> int:
        """Return the number of GPUs."""
        return int(self._value(self._api.cudaGetDeviceCount(), "counting the GPUs"))

    def properties(self, device: int) -> Any:
        """Return a GPU's `cudaDeviceProp`."""
        return self._value(self._api.cudaGetDeviceProperties(device), f"asking GPU {device}")

    def use(self, device: int) -> None:
        """Make a GPU the current one of this thread."""
        self._value(self._api.cudaSetDevice(device), f"choosing GPU {device}")

    def allocate(self, size: int) -> int:
        """Return the address of `size` bytes of GPU memory."""
        what = f"allocating {size / 1e6:.1f} MB of GPU memory"
        return int(self._value(self._api.cudaMalloc(size), what))

    def free(self, address: int) -> None:
        """Free GPU memory."""
        self._value(self._api.cudaFree(address), "freeing GPU memory")

    def allocate_host(self, size: int) -> int:
        """Return the address of `size` bytes of pinned memory, which the GPU copies from itself."""
        what = f"allocating {size / 1e6:.1f} MB of pinned memory"
        return int(self._value(self._api.cudaMallocHost(size), what))

    def free_host(self, address: int) -> None:
        """Free pinned memory."""
        self._value(self._api.cudaFreeHost(address), "freeing pinned memory")

    def stream(self) -> int:
        """Return a new stream's handle."""
        flags = self._api.cudaStreamNonBlocking
        return int(self._value(self._api.cudaStreamCreateWithFlags(flags), "making a stream"))

    def destroy_stream(self, stream: int) -> None:
        """Free a stream."""
        self._value(self._api.cudaStreamDestroy(stream), "freeing a stream")

    def copy_in(self, device: int, host: int, size: int, stream: int) -> None:
        """Begin to copy `size` bytes from pinned memory to the GPU."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._value(self._api.cudaMemcpyAsync(device, host, size, kind, stream), "copying an input")

    def copy_out(self, host: int, device: int, size: int, stream: int) -> None:
        """Begin to copy `size` bytes from the GPU to pinned memory."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        result = self._api.cudaMemcpyAsync(host, device, size, kind, stream)
        self._value(result, "copying an output")

    def wait(self, stream: int) -> None:
        """Wait until a stream has done everything; errors of the GPU come out here."""
        self._value(self._api.cudaStreamSynchronize(stream), "running the engine")

    def begin_capture(self, stream: int) -> None:
        """Record what is enqueued from now on instead of doing it."""
        mode = self._api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._value(self._api.cudaStreamBeginCapture(stream, mode), "recording a CUDA graph")

    def end_capture(self, stream: int) -> Any:
        """Return an executable graph of what was recorded."""
        graph = self._value(self._api.cudaStreamEndCapture(stream), "recording a CUDA graph")
        made = self._api.cudaGraphInstantiate(graph, 0)
        freed = self._api.cudaGraphDestroy(graph)
        executable = self._value(made, "making a CUDA graph")
        try:
            self._value(freed, "freeing a CUDA graph")
        except SessionError:
            self.destroy_graph(executable)
            raise
        return executable

    def launch(self, graph: Any, stream: int) -> None:
        """Do again what an executable graph recorded."""
        self._value(self._api.cudaGraphLaunch(graph, stream), "launching a CUDA graph")

    def destroy_graph(self, graph: Any) -> None:
        """Free an executable graph."""
        self._value(self._api.cudaGraphExecDestroy(graph), "freeing a CUDA graph")

    def _value(self, result: tuple[Any, ...], what: str) -> Any:
        """Return what a call gave besides its return code."""
        status, *values = result
        if status == self._api.cudaError_t.cudaSuccess:
            return values[0] if values else None
        raise self._error(status, what)

    def _error(self, status: Any, what: str) -> SessionError:
        codes = self._api.cudaError_t
        if status == codes.cudaErrorMemoryAllocation:
            return out_of_memory(what)
        _, name = self._api.cudaGetErrorName(status)
        _, text = self._api.cudaGetErrorString(status)
        return SessionError(f"CUDA failed while {what}: {_text(name)}: {_text(text)}")


def out_of_memory(what: str) -> SessionError:
    """Say that the GPU's memory is full."""
    return SessionError(
        f"the GPU is out of memory while {what}",
        fix="close other programs that use it, or build an engine with a smaller --max-batch or in "
        "fp16 (faceport build-engine BUNDLE --max-batch 1 --precision fp16)",
    )


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
