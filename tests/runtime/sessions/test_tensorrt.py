"""The session of engines, on a fake TensorRT and a fake CUDA that compute real numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_cuda import cudaError_t

from faceport.bundle import Bundle
from faceport.errors import (
    InputError,
    MissingDependencyError,
    ProviderUnavailableError,
    SessionError,
)
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.sessions.tensorrt import TensorRtSession

CUDA = SessionOptions(("cuda",))
GRAPH = SessionOptions(("cuda",), provider_options={"cuda": {"enable_cuda_graph": "1"}})

Build = Callable[..., Path]
Batch = Callable[[int], np.ndarray]


def opened(path: Path, options: SessionOptions = CUDA) -> TensorRtSession:
    session = open_session(path, "tensorrt", options)
    assert isinstance(session, TensorRtSession)
    return session


def expected(proven: Path, count: int) -> dict[str, np.ndarray]:
    proof = Bundle.open(proven).proof()
    return {
        name.removeprefix("output."): np.resize(array, (count, *array.shape[1:]))
        for name, array in proof.items()
        if name.startswith("output.")
    }


@pytest.mark.parametrize("options", [CUDA, GRAPH], ids=["plain", "graph"])
def test_runs_of_several_sizes(
    engine: Build, batch: Batch, proven: Path, fake_gpu: Any, options: SessionOptions
) -> None:
    session = opened(engine(max_batch=8), options)
    assert (session.backend, session.provider, session.max_batch) == ("tensorrt", "cuda", 8)
    assert session.spec == Bundle.open(proven).spec
    for count in (8, 1, 3, 3, 3, 1, 8):
        outputs = session.run({"input": batch(count)})
        for name, array in expected(proven, count).items():
            np.testing.assert_allclose(outputs[name], array, atol=1e-5, err_msg=name)
    # Memory is taken once, at opening: input and three outputs.
    assert fake_gpu.cuda.calls.count("cudaMalloc") == 4
    assert fake_gpu.cuda.calls.count("cudaMallocHost") == 4
    launches = fake_gpu.cuda.calls.count("cudaGraphLaunch")
    assert launches == (4 if options is GRAPH else 0)
    session.close()
    assert fake_gpu.cuda.leaks == {}


def test_results_are_the_callers_own(engine: Build, batch: Batch) -> None:
    session = opened(engine())
    first = session.run({"input": batch(2)})["embedding"]
    kept = first.copy()
    session.run({"input": batch(2)[::-1]})
    np.testing.assert_array_equal(first, kept)


def test_a_view_is_fed_in_its_own_order(engine: Build, batch: Batch) -> None:
    session = opened(engine())
    straight = np.ascontiguousarray(batch(3)[::-1])
    np.testing.assert_array_equal(
        session.run({"input": batch(3)[::-1]})["embedding"],
        session.run({"input": straight})["embedding"],
    )


def test_a_batch_beyond_the_profile_says_how_to_rebuild(engine: Build, batch: Batch) -> None:
    path = engine(max_batch=8)
    session = opened(path)
    with pytest.raises(InputError, match=r"9 rows.*1 to 8.*build-engine .*--max-batch 9"):
        session.run({"input": batch(9)})
    with pytest.raises(InputError, match="shape"):
        session.run({"input": batch(2)[:, :, :50]})


def test_closing(engine: Build, batch: Batch, fake_gpu: Any) -> None:
    session = opened(engine())
    session.close()
    session.close()
    assert fake_gpu.cuda.leaks == {}
    with pytest.raises(SessionError, match="closed"):
        session.run({"input": batch(1)})


def test_without_a_gpu_tensorrt_is_not_touched(engine: Build, fake_gpu: Any) -> None:
    path = engine()
    for code in (cudaError_t.cudaErrorNoDevice, cudaError_t.cudaErrorInsufficientDriver):
        fake_gpu.cuda.fails = {"cudaGetDeviceCount": code}
        with pytest.raises(ProviderUnavailableError, match=code.name):
            opened(path)
    fake_gpu.cuda.fails = {}
    fake_gpu.cuda.devices = 0
    with pytest.raises(ProviderUnavailableError, match="0 GPUs"):
        opened(path)
    assert fake_gpu.trt.touched == 0


def test_a_driver_that_is_not_there_at_all(
    engine: Build, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What older cuda-bindings do where libcuda is missing.
    def missing() -> tuple[Any, ...]:
        raise RuntimeError("Failed to dlopen libcuda.so.1")

    path = engine()
    monkeypatch.setattr(fake_gpu.cuda, "cudaGetDeviceCount", missing)
    with pytest.raises(ProviderUnavailableError, match="dlopen"):
        opened(path)


def test_another_gpu_by_number(engine: Build, fake_gpu: Any) -> None:
    path = engine()
    second = SessionOptions(("cuda",), provider_options={"cuda": {"device_id": "1"}})
    with pytest.raises(ProviderUnavailableError, match=r"GPU 1.*1 GPUs"):
        opened(path, second)
    fake_gpu.cuda.devices = 2
    opened(path, second).close()


@pytest.mark.parametrize(
    "settings", [{"device_id": "x"}, {"enable_cuda_graph": "yes"}, {"trt_fp16_enable": "1"}]
)
def test_settings_that_it_does_not_know(engine: Build, settings: dict[str, str]) -> None:
    with pytest.raises(InputError, match="device_id=NUMBER"):
        opened(engine(), SessionOptions(("cuda",), provider_options={"cuda": settings}))


def test_cuda_must_be_listed(engine: Build) -> None:
    path = engine()
    with pytest.raises(ProviderUnavailableError, match="--providers cuda"):
        opened(path, SessionOptions())
    opened(path, SessionOptions(("cpu", "cuda"))).close()


def test_modules_that_are_not_installed(
    engine: Build, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    path = engine()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match=r"tensorrt.*faceport\[tensorrt\]"):
        opened(path)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(MissingDependencyError, match="cuda-bindings"):
        opened(path)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("deserialize_cuda_engine", "TensorRT says of it.*build-engine"),
        ("create_execution_context", "out of memory.*--max-batch"),
        ("BF16 output", "type that numpy lacks"),
        ("another dtype", "not what its header says"),
        ("output of unknown size", "depends on the values"),
        ("set_input_shape", "does not take input"),
    ],
)
def test_an_engine_that_tensorrt_refuses(
    engine: Build, fake_gpu: Any, failure: str, message: str
) -> None:
    path = engine()
    fake_gpu.trt.fails = {failure}
    with pytest.raises(SessionError, match=message):
        opened(path)
    assert fake_gpu.cuda.leaks == {}


@pytest.mark.parametrize("call", ["cudaMalloc", "cudaMallocHost"])
def test_a_gpu_out_of_memory_says_what_to_do(engine: Build, fake_gpu: Any, call: str) -> None:
    path = engine()
    fake_gpu.cuda.fails = {call: cudaError_t.cudaErrorMemoryAllocation}
    with pytest.raises(SessionError, match=r"out of memory while allocating.*--max-batch 1"):
        opened(path)
    fake_gpu.cuda.fails = {}
    assert fake_gpu.cuda.leaks == {}


RUN_CALLS = ["cudaSetDevice", "cudaMemcpyAsync", "cudaStreamSynchronize"]
GRAPH_CALLS = ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"]
GRAPH_CALLS += ["cudaGraphDestroy", "cudaGraphLaunch"]


@pytest.mark.parametrize("call", [*RUN_CALLS, *GRAPH_CALLS])
def test_every_return_code_of_a_run_is_checked(
    engine: Build, batch: Batch, fake_gpu: Any, call: str
) -> None:
    session = opened(engine(), GRAPH)
    session.run({"input": batch(2)})
    fake_gpu.cuda.fails = {call: cudaError_t.cudaErrorIllegalAddress}
    with pytest.raises(SessionError, match=r"CUDA failed while .*cudaErrorIllegalAddress: what"):
        session.run({"input": batch(2)})
    fake_gpu.cuda.fails = {}
    session.close()
    assert fake_gpu.cuda.leaks == {}


@pytest.mark.parametrize("call", ["cudaStreamCreateWithFlags", "cudaGetDeviceProperties"])
def test_every_return_code_of_opening_is_checked(engine: Build, fake_gpu: Any, call: str) -> None:
    path = engine()
    fake_gpu.cuda.fails = {call: cudaError_t.cudaErrorIllegalAddress}
    with pytest.raises(SessionError, match="cudaErrorIllegalAddress"):
        opened(path)


@pytest.mark.parametrize(
    "call", ["cudaFree", "cudaFreeHost", "cudaStreamDestroy", "cudaGraphExecDestroy"]
)
def test_every_return_code_of_closing_is_checked_and_all_is_freed(
    engine: Build, batch: Batch, fake_gpu: Any, call: str
) -> None:
    session = opened(engine(), GRAPH)
    for _ in range(2):
        session.run({"input": batch(2)})
    fake_gpu.cuda.fails = {call: cudaError_t.cudaErrorIllegalAddress}
    with pytest.raises(SessionError, match="freeing"):
        session.close()
    assert fake_gpu.cuda.leaks == {}


def test_a_run_that_tensorrt_refuses(engine: Build, batch: Batch, fake_gpu: Any) -> None:
    session = opened(engine(), GRAPH)
    fake_gpu.trt.fails = {"execute_async_v3"}
    with pytest.raises(SessionError, match=r"did not run: .execute_async_v3"):
        session.run({"input": batch(2)})
    fake_gpu.trt.fails = set()
    session.run({"input": batch(2)})
    # Also while it is being recorded, after which the stream must be usable again.
    fake_gpu.trt.fails = {"execute_async_v3"}
    with pytest.raises(SessionError, match="did not run"):
        session.run({"input": batch(2)})
    fake_gpu.trt.fails = set()
    session.run({"input": batch(2)})
    session.close()
    assert fake_gpu.cuda.leaks == {}


def test_tensorrt_rtx_records_graphs_itself(
    engine: Build, batch: Batch, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    path = engine()
    strategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole graph")
    monkeypatch.setattr(fake_gpu.trt, "CudaGraphStrategy", strategy, raising=False)
    session = opened(path, GRAPH)
    for _ in range(3):
        session.run({"input": batch(2)})
    assert "cudaStreamBeginCapture" not in fake_gpu.cuda.calls
    assert session._engine is not None
    assert session._engine.owners[1].cuda_graph_strategy == "whole graph"


def test_an_engine_of_the_other_backend(engine: Build) -> None:
    with pytest.raises(SessionError, match=r"another backend.*received tensorrt.*tensorrt-rtx"):
        open_session(engine(), "tensorrt-rtx", CUDA)


def test_threads_take_turns(engine: Build, batch: Batch, proven: Path) -> None:
    import threading

    session = opened(engine())
    wanted = expected(proven, 6)["embedding"]
    received: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        for _ in range(5):
            rows = batch(6)[index : index + 1]
            received[index] = session.run({"input": rows})["embedding"]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(received) == [0, 1, 2, 3]
    for index, array in received.items():
        np.testing.assert_allclose(array, wanted[index : index + 1], atol=1e-5)
