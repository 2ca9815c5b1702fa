from __future__ import annotations

import pytest
from fake_cuda import FakeCuda, cudaError_t

from faceport.errors import ProviderUnavailableError
from faceport.runtime.tensorrt.cuda import Cuda
from faceport.runtime.tensorrt.device import Gpu, find_gpu


def test_a_gpu_as_cuda_describes_it() -> None:
    found = find_gpu(Cuda(FakeCuda("NVIDIA H100 PCIe", (9, 0), devices=2)), 1)
    assert found == Gpu(1, "NVIDIA H100 PCIe", "9.0", 8 << 30)


@pytest.mark.parametrize("index", [-1, 1, 7])
def test_a_gpu_that_is_not_there(index: int) -> None:
    with pytest.raises(ProviderUnavailableError, match=f"GPU {index}"):
        find_gpu(Cuda(FakeCuda()), index)


def test_a_driver_that_is_too_old_is_named() -> None:
    api = FakeCuda()
    api.fails = {"cudaGetDeviceCount": cudaError_t.cudaErrorInsufficientDriver}
    with pytest.raises(
        ProviderUnavailableError, match=r"InsufficientDriver.*as new as\s+cuda-bind"
    ):
        find_gpu(Cuda(api))
