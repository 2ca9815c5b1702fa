from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceport.errors import InputError, ProviderUnavailableError, SessionError
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.sessions.ort_providers import running_provider


def test_a_real_detector_runs(weights: Path) -> None:
    session = open_session(weights / "yunet_n_dynamic.onnx", "onnxruntime")
    assert session.provider == "cpu"
    assert session.spec is None
    assert session.inputs[0].shape == ("batch", 3, "height", "width")
    outputs = session.run({"input": np.zeros((1, 3, 64, 96), np.float32)})
    assert set(outputs) == {output.name for output in session.outputs}
    assert outputs["bbox_8"].shape == (1, 8 * 12, 4)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "names"),
        ({"image": np.zeros((1, 3, 64, 64), np.float32)}, "names"),
        ({"input": np.zeros((1, 3, 64, 64), np.float64)}, "dtype"),
        ({"input": np.zeros((1, 4, 64, 64), np.float32)}, "shape"),
        ({"input": np.zeros((3, 64, 64), np.float32)}, "shape"),
        ({"input": np.zeros((0, 3, 64, 64), np.float32)}, "shape"),
    ],
)
def test_wrong_feeds_are_refused(weights: Path, feeds: dict[str, np.ndarray], message: str) -> None:
    session = open_session(weights / "yunet_n_dynamic.onnx", "onnxruntime")
    with pytest.raises(InputError, match=message):
        session.run(feeds)


def test_a_closed_session_does_not_run(weights: Path) -> None:
    session = open_session(weights / "yunet_n_dynamic.onnx", "onnxruntime")
    session.close()
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run({"input": np.zeros((1, 3, 64, 64), np.float32)})


@pytest.mark.parametrize("content", [b"", b"not an onnx file", None])
def test_a_file_that_does_not_load(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SessionError, match=r"m\.onnx"):
        open_session(path, "onnxruntime")


def test_a_provider_that_is_not_there_is_an_error_that_names_the_fix(weights: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    path = weights / "yunet_n_dynamic.onnx"
    with pytest.raises(ProviderUnavailableError, match="onnxruntime-gpu"):
        open_session(path, "onnxruntime", SessionOptions(providers=("cuda",)))
    listed = open_session(path, "onnxruntime", SessionOptions(providers=("cuda", "cpu")))
    assert listed.provider == "cpu"


def test_onnxruntimes_silent_fallback_is_an_error(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A GPU build on a machine without a GPU lists CUDA as available and then runs on the CPU.
    import onnxruntime

    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, settings, providers: real(path, settings, providers=["CPUExecutionProvider"]),
    )
    path = weights / "yunet_n_dynamic.onnx"
    with pytest.raises(ProviderUnavailableError, match="fallen back"):
        open_session(path, "onnxruntime", SessionOptions(providers=("cuda",)))
    assert open_session(
        path, "onnxruntime", SessionOptions(providers=("cuda", "cpu"))
    ).provider == ("cpu")


def test_running_provider() -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert running_provider(["cuda"], both) == "cuda"
    with pytest.raises(ProviderUnavailableError):
        running_provider(["cuda"], ["CPUExecutionProvider"])
    with pytest.raises(ProviderUnavailableError):
        running_provider(["cuda"], [])


@pytest.mark.parametrize("providers", [(), ("tpu",), ("cpu", "tpu")])
def test_unknown_providers(weights: Path, providers: tuple[str, ...]) -> None:
    with pytest.raises(ProviderUnavailableError):
        open_session(
            weights / "yunet_n_dynamic.onnx", "onnxruntime", SessionOptions(providers=providers)
        )


def test_an_unknown_backend_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="onnxruntime, openvino, "):
        open_session(tmp_path / "x", "tensorflow")
