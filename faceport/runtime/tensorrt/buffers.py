"""Memory of an engine's inputs and outputs: allocated once, for the largest shapes of its profile.

Each tensor has two places: pinned memory on the host, from which the GPU copies by itself, and
memory on the GPU, whose address TensorRT is told once. On a Jetson both are the same chips, and
the copies are cheap.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from faceport.errors import SessionError
from faceport.runtime.sessions.base import Array
from faceport.runtime.tensorrt.cuda import Cuda

Shape = tuple[int, ...]

DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "BOOL": "bool",
}
"""TensorRT's name of a type to numpy's; the others (bf16, fp8, …) have no numpy type."""


@dataclass(frozen=True)
class Buffer:
    """Memory of one tensor.

    Attributes:
        device: address on the GPU.
        host: address of the pinned memory.
        size: bytes of each.
        dtype: of the values.
    """

    device: int
    host: int
    size: int
    dtype: np.dtype[Any]

    def write(self, array: Array) -> int:
        """Copy an array into the pinned memory and return its size in bytes."""
        self._view(array.shape)[...] = array
        return int(array.nbytes)

    def read(self, shape: Shape) -> Array:
        """Return a copy of what lies in the pinned memory."""
        values: Array = self._view(shape).copy()
        return values

    def nbytes(self, shape: Shape) -> int:
        """Return the size of an array of a shape."""
        return int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize

    def _view(self, shape: Shape) -> Array:
        memory: Any = (ctypes.c_uint8 * self.nbytes(shape)).from_address(self.host)
        view: Array = np.frombuffer(memory, self.dtype).reshape(shape)
        return view


def allocate_buffers(
    cuda: Cuda, stack: ExitStack, sizes: Mapping[str, tuple[np.dtype[Any], Shape]]
) -> dict[str, Buffer]:
    """Allocate the memory of tensors.

    Args:
        cuda: of the current GPU.
        stack: frees it all when it is closed.
        sizes: dtype and largest shape of each tensor, by name.

    Raises:
        SessionError: out of memory.
    """
    buffers = {}
    for name, (dtype, shape) in sizes.items():
        size = max(1, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        device = cuda.allocate(size)
        stack.callback(cuda.free, device)
        host = cuda.allocate_host(size)
        stack.callback(cuda.free_host, host)
        buffers[name] = Buffer(device, host, size, dtype)
    return buffers


def dtype_of(trt_dtype: Any, tensor: str) -> np.dtype[Any]:
    """Return numpy's type for TensorRT's.

    Raises:
        SessionError: numpy has none.
    """
    if trt_dtype.name not in DTYPES:
        raise SessionError(
            f"{tensor!r} has a type that numpy lacks",
            received=trt_dtype.name,
            expected=", ".join(DTYPES.values()),
        )
    return np.dtype(DTYPES[trt_dtype.name])
