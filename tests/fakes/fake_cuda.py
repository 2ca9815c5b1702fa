"""`cuda.bindings.runtime`, as documented: every call returns a tuple that begins with a status.

Memory is real, so that addresses can be written through; work on a stream is done only when the
stream is waited for, so that a missing wait shows; all that is allocated must be freed once.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


OK = cudaError_t.cudaSuccess
Work = Callable[[], None]


@dataclass
class Stream:
    queue: list[Work] = field(default_factory=list)
    recording: list[Work] | None = None


class FakeCuda:
    """Give an instance where the module is wanted.

    Args:
        name: of its one GPU.
        capability: major and minor.
        devices: how many GPUs there are.
    """

    cudaError_t = cudaError_t
    cudaMemcpyKind = cudaMemcpyKind
    cudaStreamCaptureMode = cudaStreamCaptureMode
    cudaStreamNonBlocking = 1

    def __init__(
        self, name: str = "Orin", capability: tuple[int, int] = (8, 7), devices: int = 1
    ) -> None:
        self.name = name
        self.capability = capability
        self.devices = devices
        self.fails: dict[str, cudaError_t] = {}
        self.calls: list[str] = []
        self.memory: dict[int, Any] = {}
        self.pinned: dict[int, Any] = {}
        self.streams: dict[int, Stream] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.executables: dict[int, list[Work]] = {}
        self._next = 1000

    @property
    def leaks(self) -> dict[str, int]:
        """What is still allocated."""
        kinds = {
            "memory": self.memory,
            "pinned": self.pinned,
            "streams": self.streams,
            "graphs": self.graphs,
            "executables": self.executables,
        }
        return {name: len(items) for name, items in kinds.items() if items}

    def _status(self, name: str) -> cudaError_t:
        self.calls.append(name)
        return self.fails.get(name, OK)

    def _handle(self) -> int:
        self._next += 1
        return self._next

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:
        return self._status("cudaGetDeviceCount"), self.devices

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:
        major, minor = self.capability
        name = self.name.encode() + b"\0" * 8
        found = SimpleNamespace(name=name, major=major, minor=minor, totalGlobalMem=8 << 30)
        return self._status("cudaGetDeviceProperties"), found

    def cudaSetDevice(self, device: int) -> tuple[Any, ...]:
        return (self._status("cudaSetDevice"),)

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        return self._allocated("cudaMalloc", self.memory, size)

    def cudaMallocHost(self, size: int) -> tuple[Any, ...]:
        return self._allocated("cudaMallocHost", self.pinned, size)

    def _allocated(self, name: str, where: dict[int, Any], size: int) -> tuple[Any, ...]:
        status = self._status(name)
        if status != OK:
            return status, None
        block = ctypes.create_string_buffer(size)
        where[ctypes.addressof(block)] = block
        return OK, ctypes.addressof(block)

    def cudaFree(self, address: int) -> tuple[Any, ...]:
        return self._freed("cudaFree", self.memory, address)

    def cudaFreeHost(self, address: int) -> tuple[Any, ...]:
        return self._freed("cudaFreeHost", self.pinned, address)

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        return self._freed("cudaStreamDestroy", self.streams, stream)

    def cudaGraphDestroy(self, graph: int) -> tuple[Any, ...]:
        return self._freed("cudaGraphDestroy", self.graphs, graph)

    def cudaGraphExecDestroy(self, graph: int) -> tuple[Any, ...]:
        return self._freed("cudaGraphExecDestroy", self.executables, graph)

    def _freed(self, name: str, where: dict[int, Any], handle: int) -> tuple[Any, ...]:
        status = self._status(name)
        if where.pop(handle, None) is None:
            return (cudaError_t.cudaErrorInvalidValue,)
        return (status,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        handle = self._handle()
        self.streams[handle] = Stream()
        return self._status("cudaStreamCreateWithFlags"), handle

    def cudaMemcpyAsync(
        self, target: int, source: int, size: int, kind: cudaMemcpyKind, stream: int
    ) -> tuple[Any, ...]:
        to_device = kind == cudaMemcpyKind.cudaMemcpyHostToDevice
        device, host = (target, source) if to_device else (source, target)
        fits = len(self.memory.get(device, b"")) >= size <= len(self.pinned.get(host, b""))
        if not fits:
            return (cudaError_t.cudaErrorInvalidValue,)
        self.enqueue(stream, lambda: ctypes.memmove(target, source, size))
        return (self._status("cudaMemcpyAsync"),)

    def enqueue(self, stream: int, work: Callable[[], object]) -> None:
        """Put work on a stream, or into the graph that it records."""
        found = self.streams[stream]
        queue = found.queue if found.recording is None else found.recording
        queue.append(work)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        queue, self.streams[stream].queue = self.streams[stream].queue, []
        for work in queue:
            work()
        return (self._status("cudaStreamSynchronize"),)

    def cudaStreamBeginCapture(self, stream: int, mode: Any) -> tuple[Any, ...]:
        self.streams[stream].recording = []
        return (self._status("cudaStreamBeginCapture"),)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Any, ...]:
        recorded, self.streams[stream].recording = self.streams[stream].recording, None
        status = self._status("cudaStreamEndCapture")
        if status != OK or recorded is None:
            return status or cudaError_t.cudaErrorInvalidValue, None
        handle = self._handle()
        self.graphs[handle] = recorded
        return OK, handle

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Any, ...]:
        status = self._status("cudaGraphInstantiate")
        if status != OK:
            return status, None
        handle = self._handle()
        self.executables[handle] = self.graphs[graph]
        return OK, handle

    def cudaGraphLaunch(self, graph: int, stream: int) -> tuple[Any, ...]:
        for work in self.executables[graph]:
            self.enqueue(stream, work)
        return (self._status("cudaGraphLaunch"),)

    def cudaGetErrorName(self, status: cudaError_t) -> tuple[Any, ...]:
        return OK, status.name.encode()

    def cudaGetErrorString(self, status: cudaError_t) -> tuple[Any, ...]:
        return OK, b"what CUDA says of it"
