from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from fake_cuda import FakeCuda, cudaError_t
from fake_tensorrt import DataType
from hypothesis import given
from hypothesis import strategies as st

from faceport.errors import SessionError
from faceport.runtime.tensorrt.buffers import allocate_buffers, dtype_of
from faceport.runtime.tensorrt.cuda import Cuda

NAMES = ["float32", "float16", "int8", "int32", "int64", "uint8", "bool"]


@given(
    st.sampled_from(NAMES),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_what_is_written_goes_to_the_device_and_comes_back(
    name: str, shape: list[int], seed: int, turned: bool
) -> None:
    api = FakeCuda()
    cuda = Cuda(api)
    dtype = np.dtype(name)
    array = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    array = array.T if turned else array
    room = tuple(size + 1 for size in array.shape)
    with ExitStack() as stack:
        buffer = allocate_buffers(cuda, stack, {"x": (dtype, room)})["x"]
        stream = cuda.stream()
        stack.callback(cuda.destroy_stream, stream)
        cuda.copy_in(buffer.device, buffer.host, buffer.write(array), stream)
        cuda.wait(stream)
        buffer.write(np.zeros_like(array))
        cuda.copy_out(buffer.host, buffer.device, buffer.nbytes(array.shape), stream)
        cuda.wait(stream)
        received = buffer.read(array.shape)
    assert received.dtype == dtype
    np.testing.assert_array_equal(received, array)
    assert api.leaks == {}


def test_what_was_taken_before_memory_ran_out_is_given_back() -> None:
    api = FakeCuda()
    api.fails = {"cudaMallocHost": cudaError_t.cudaErrorMemoryAllocation}
    sizes = {"x": (np.dtype(np.float32), (1000, 1000))}
    with pytest.raises(SessionError, match=r"4\.0 MB of pinned memory"), ExitStack() as stack:
        allocate_buffers(Cuda(api), stack, sizes)
    assert api.leaks == {}


def test_a_copy_larger_than_its_memory_is_refused() -> None:
    # Guards the fake: an overrun of the real memory would go unnoticed.
    cuda = Cuda(FakeCuda())
    device, host, stream = cuda.allocate(8), cuda.allocate_host(8), cuda.stream()
    cuda.copy_in(device, host, 8, stream)
    with pytest.raises(SessionError, match="copying an input: cudaErrorInvalidValue"):
        cuda.copy_in(device, host, 9, stream)


def test_types() -> None:
    assert [dtype_of(item, "x").name for item in DataType if item.name != "BF16"] == [
        item.value.name for item in DataType if item.name != "BF16"
    ]
    with pytest.raises(SessionError, match="'x' has a type that numpy lacks; received BF16"):
        dtype_of(DataType.BF16, "x")
