"""The fakes have no call that the real modules lack; without a GPU the real ones are refused."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import fake_tensorrt
import pytest
from fake_cuda import FakeCuda

from faceport.bundle import Bundle
from faceport.errors import MissingDependencyError, ProviderUnavailableError
from faceport.exporters.tensorrt.bundle_engines import build_engines
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.tensorrt.cuda import Cuda, import_cuda
from faceport.runtime.tensorrt.device import find_gpu

REAL = {
    "Builder": "Builder",
    "Config": "IBuilderConfig",
    "Context": "IExecutionContext",
    "Engine": "ICudaEngine",
    "ILogger": "ILogger",
    "Inspector": "EngineInspector",
    "Layer": "ILayer",
    "Network": "INetworkDefinition",
    "OnnxParser": "OnnxParser",
    "OnnxParserRefitter": "OnnxParserRefitter",
    "ParserError": "ParserError",
    "Profile": "IOptimizationProfile",
    "Refitter": "Refitter",
    "Runtime": "Runtime",
    "Tensor": "ITensor",
    "TimingCache": "ITimingCache",
}
OWN = {"created_with", "onnx", "inputs", "outputs", "layers", "shapes", "content", "pools"}
OWN |= {"profiles", "cache", "trt", "plan", "weights", "names", "graph_strategy", "engine"}
OWN |= {"executions", "num_errors", "logger"}


def public(cls: Any) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


@pytest.mark.parametrize("fake", sorted(REAL))
def test_tensorrts_classes_have_what_the_fake_has(fake: str) -> None:
    import tensorrt_rtx

    real = getattr(tensorrt_rtx, REAL[fake])
    assert public(getattr(fake_tensorrt, fake)) - OWN <= set(dir(real))


def test_tensorrts_enums_have_what_the_fake_has() -> None:
    import tensorrt_rtx

    for name, member in vars(fake_tensorrt).items():
        if isinstance(member, type) and issubclass(member, enum.Enum) and member.__members__:
            assert set(member.__members__) <= set(dir(getattr(tensorrt_rtx, name))), name


def test_cuda_has_what_the_fake_has() -> None:
    from cuda.bindings import runtime

    names = {name for name in vars(FakeCuda) if name.startswith("cuda")}
    assert names <= set(dir(runtime))
    for name in ("cudaError_t", "cudaMemcpyKind", "cudaStreamCaptureMode"):
        assert set(getattr(FakeCuda, name).__members__) <= set(dir(getattr(runtime, name)))


def has_gpu() -> bool:
    try:
        find_gpu(Cuda(import_cuda()))
    except (MissingDependencyError, ProviderUnavailableError):
        return False
    return True


def test_without_a_gpu_a_real_engine_is_refused_before_it_is_loaded(proven: Path) -> None:
    # TensorRT-RTX 1.7 only says that it failed; other versions end the process.
    (made,) = build_engines(Bundle.open(proven), "tensorrt-rtx")
    options = SessionOptions(("cuda",))
    if has_gpu():
        open_session(proven / made.file.path, "tensorrt-rtx", options).close()
        return
    with pytest.raises(ProviderUnavailableError, match=r"no GPU can be used here: CUDA failed"):
        open_session(proven / made.file.path, "tensorrt-rtx", options)
    with pytest.raises(ProviderUnavailableError, match="no GPU can be used here"):
        build_engines(Bundle.open(proven), "tensorrt")
