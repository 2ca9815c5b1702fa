"""The GPU: there or not, and which one. Asked before an engine is touched.

One of NVIDIA's runtimes ends the process where it is given an engine and there is no GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from faceport.errors import ProviderUnavailableError, SessionError
from faceport.runtime.tensorrt.cuda import Cuda

FIX = (
    "check that nvidia-smi (on a Jetson: tegrastats) lists a GPU and that the driver is as new as "
    "cuda-bindings (12.x or 13.x), or use another backend: --backend onnxruntime --providers cpu"
)


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        index: CUDA's number of it.
        name: as CUDA gives it: `NVIDIA H100 PCIe`, `Orin`.
        compute_capability: `8.7`.
        memory_bytes: all of it, not what is free.
    """

    index: int
    name: str
    compute_capability: str
    memory_bytes: int


def find_gpu(cuda: Cuda, index: int = 0) -> Gpu:
    """Return a GPU.

    Raises:
        ProviderUnavailableError: there is none, or not that many.
    """
    try:
        count = cuda.device_count()
    # Older cuda-bindings raise RuntimeError where there is no driver at all.
    except (SessionError, RuntimeError) as error:
        raise ProviderUnavailableError(f"no GPU can be used here: {error}", fix=FIX) from error
    if not 0 <= index < count:
        raise ProviderUnavailableError(
            "there is no such GPU here", received=f"GPU {index}", expected=f"{count} GPUs", fix=FIX
        )
    found = cuda.properties(index)
    name = found.name.decode("utf-8", "replace") if isinstance(found.name, bytes) else found.name
    return Gpu(
        index,
        name.split("\0")[0].strip(),
        f"{found.major}.{found.minor}",
        int(found.totalGlobalMem),
    )
