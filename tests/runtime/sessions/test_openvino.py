from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from faceport.bundle import Bundle
from faceport.errors import InputError, ProviderUnavailableError, SessionError
from faceport.images import load_image
from faceport.runtime import parity
from faceport.runtime.detectors import open_detector
from faceport.runtime.embedder import open_embedder
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.sessions.base import parallel_limit
from faceport.runtime.sessions.openvino import PRECISION_HINT, OpenVinoSession, pick_device


@pytest.mark.parametrize("layout", ["flat", "blocks"])
def test_recognisers_give_what_the_checkpoint_gave(
    recognisers: dict[str, Path], layout: str
) -> None:
    bundle = Bundle.open(recognisers[layout])
    proof = bundle.proof()
    reference = {n: proof[f"output.{n}"] for n in bundle.spec.output_names}
    session = open_session(bundle.path / "model.onnx", "openvino")
    assert (session.backend, session.provider) == ("openvino", "cpu")
    assert session.spec == bundle.spec
    assert session.inputs == bundle.spec.inputs
    figures = parity.measure(session, bundle.spec, proof["input"], reference)
    assert [record.batch for record in figures] == [1, 5]
    parity.check(figures, parity.tolerance_for("fp32"), "openvino")


@pytest.mark.parametrize("family", ["scrfd", "yunet", "yolov8-face"])
def test_detectors_find_what_they_find_in_onnxruntime(
    detectors: dict[str, Path], photos: Path, family: str
) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    (expected,) = open_detector(detectors[family]).detect([image])
    detector = open_detector(detectors[family], backend="openvino")
    assert detector.provider == "openvino/cpu"
    (found,) = detector.detect([image])
    assert len(found) == len(expected) >= 6
    for received, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(received.bbox, wanted.bbox, atol=0.05)
        np.testing.assert_allclose(received.landmarks, wanted.landmarks, atol=0.05)
        assert received.score == pytest.approx(wanted.score, abs=1e-4)


def test_the_whole_pipeline(
    detectors: dict[str, Path], recognisers: dict[str, Path], photos: Path
) -> None:
    photo = photos / "groups" / "friends_6_faces.jpg"
    with Pipeline.load(detectors["scrfd"], recognisers["flat"]) as reference:
        expected = reference(photo)
    with Pipeline.load(
        detectors["scrfd"],
        recognisers["flat"],
        backend="openvino",
        detector_backend="openvino",
        options=SessionOptions(threads=1),
    ) as pipeline:
        faces = pipeline(photo)
    assert {face.embedding.provider for face in faces} == {"openvino/cpu"}
    cosines = [
        float(a.embedding.vector @ b.embedding.vector) for a, b in zip(faces, expected, strict=True)
    ]
    assert min(cosines) > 0.9999


def test_precision_is_f32_unless_the_caller_says_otherwise(
    recognisers: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    path = recognisers["flat"] / "model.onnx"
    seen = []
    real = openvino.Core.compile_model

    def recording(core: object, model: object, device: str, properties: dict[str, str]) -> object:
        seen.append((device, dict(properties)))
        return real(core, model, device, properties)

    monkeypatch.setattr(openvino.Core, "compile_model", recording)
    open_session(path, "openvino", SessionOptions(threads=2)).close()
    assert seen[0] == (
        "CPU",
        {PRECISION_HINT: "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": "2"},
    )
    lower = SessionOptions(provider_options={"cpu": {PRECISION_HINT: "bf16"}})
    spec = Bundle.open(recognisers["flat"]).spec
    tensor = Bundle.open(recognisers["flat"]).proof()["input"]
    try:
        session = open_session(path, "openvino", lower)
    except SessionError as error:
        # A processor without bf16 says so instead of computing in another precision.
        assert "another precision" in str(error)  # noqa: PT017
        return
    reference = open_session(path, "openvino").run({spec.inputs[0].name: tensor})["embedding"]
    received = session.run({spec.inputs[0].name: tensor})["embedding"]
    assert np.abs(received - reference).max() > 1e-4


class FakeCompiled:
    def __init__(self, device: str, precision: str) -> None:
        self.properties = {"EXECUTION_DEVICES": [device], PRECISION_HINT: self}
        self.precision = precision

    def get_property(self, name: str) -> object:
        return self.properties[name]

    def to_string(self) -> str:
        return self.precision


def test_what_openvino_chose_is_compared_with_what_was_asked() -> None:
    from faceport.runtime.sessions.openvino import _check_running

    _check_running(FakeCompiled("GPU.0", "f32"), "GPU", "f32")
    with pytest.raises(ProviderUnavailableError, match="another device"):
        _check_running(FakeCompiled("CPU", "f32"), "GPU", "f32")
    with pytest.raises(SessionError, match="another precision"):
        _check_running(FakeCompiled("CPU", "bf16"), "CPU", "f32")


def test_devices() -> None:
    assert pick_device(("gpu", "cpu"), ["CPU", "GPU.0", "GPU.1"]) == "gpu"
    assert pick_device(("npu", "cpu"), ["CPU"]) == "cpu"
    for asked in (("npu",), ("cuda",), ()):
        with pytest.raises(ProviderUnavailableError, match="expected cpu"):
            pick_device(asked, ["CPU"])


def test_a_device_that_is_not_here(recognisers: dict[str, Path]) -> None:
    with pytest.raises(ProviderUnavailableError, match="npu"):
        open_embedder(recognisers["flat"], SessionOptions(("npu",)), backend="openvino")
    fallen = open_embedder(recognisers["flat"], SessionOptions(("npu", "cpu")), backend="openvino")
    assert fallen.provider == "openvino/cpu"


@pytest.mark.parametrize("content", [b"", b"not an onnx file", None])
def test_a_file_that_does_not_load(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SessionError, match=r"m\.onnx"):
        open_session(path, "openvino")


def test_options_that_openvino_does_not_know(recognisers: dict[str, Path]) -> None:
    path = recognisers["flat"] / "model.onnx"
    with pytest.raises(SessionError, match="NO_SUCH_THING"):
        open_session(
            path, "openvino", SessionOptions(provider_options={"cpu": {"NO_SUCH_THING": "1"}})
        )
    with pytest.raises(InputError, match="not listed"):
        open_session(path, "openvino", SessionOptions(provider_options={"gpu": {}}))


def test_wrong_feeds_a_closed_session_and_names_without_a_spec(weights: Path) -> None:
    session = open_session(weights / "yunet_n_dynamic.onnx", "openvino")
    assert session.spec is None
    assert session.inputs[0].shape == ("input_dim0", 3, "input_dim2", "input_dim3")
    with pytest.raises(InputError, match="dtype"):
        session.run({"input": np.zeros((1, 3, 64, 64))})
    session.close()
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run({"input": np.zeros((1, 3, 64, 64), np.float32)})


@pytest.mark.parametrize("parallel_runs", [1, 2])
def test_threads_share_a_session(recognisers: dict[str, Path], parallel_runs: int) -> None:
    bundle = Bundle.open(recognisers["flat"])
    options = SessionOptions(threads=1, parallel_runs=parallel_runs)
    session = open_session(bundle.path / "model.onnx", "openvino", options)
    assert parallel_limit(session) == parallel_runs
    inputs = bundle.proof()["input"]
    expected = [session.run({"input": inputs[i : i + 1]})["embedding"] for i in range(4)]
    received: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        for _ in range(3):
            received[index] = session.run({"input": inputs[index : index + 1]})["embedding"]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, array in received.items():
        np.testing.assert_allclose(array, expected[index], atol=1e-6)
    assert len(received) == 4


def test_closing_lets_runs_end_and_refuses_the_next(recognisers: dict[str, Path]) -> None:
    bundle = Bundle.open(recognisers["flat"])
    options = SessionOptions(threads=1, parallel_runs=2)
    session = open_session(bundle.path / "model.onnx", "openvino", options)
    inputs = bundle.proof()["input"][:1]
    session.run({"input": inputs})
    errors: list[str] = []

    def work() -> None:
        try:
            while True:
                session.run({"input": inputs})
        except SessionError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    closers = [threading.Thread(target=session.close) for _ in range(2)]
    for closer in closers:
        closer.start()
    for thread in [*threads, *closers]:
        thread.join(30)
    assert errors == ["model.onnx is closed"] * 3


def test_a_run_that_fails_is_translated(weights: Path) -> None:
    session = open_session(weights / "yunet_n_dynamic.onnx", "openvino")
    assert isinstance(session, OpenVinoSession)
    # 33 is no multiple of the strides: two branches of the graph no longer fit together.
    with pytest.raises(SessionError, match="did not run"):
        session.run({"input": np.zeros((1, 3, 33, 47), np.float32)})
