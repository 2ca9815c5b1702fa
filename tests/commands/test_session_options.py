"""Engine, provider and precision from the command line to the session."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from faceport.commands import run


def embedded(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, object]:
    assert run(["embed", *args, "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert isinstance(out, dict)
    return out


def test_both_models_run_in_the_engines_asked_for(
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    photos: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = ["--detector", str(detectors["scrfd"]), "--embedder", str(recognisers["flat"])]
    photo = str(next((photos / "pairs").rglob("*.jpg")))
    options = ["--backend", "openvino", "--detector-backend", "openvino", "--providers", "npu,cpu"]
    options += ["--provider-option", "cpu.INFERENCE_PRECISION_HINT=f32", "--threads", "1"]
    text = json.dumps(embedded(capsys, *models, *options, photo))
    assert text.count("openvino/cpu") >= 2
    assert "onnxruntime" not in text


@pytest.mark.parametrize("text", ["cuda", "cuda.device_id", "device_id=0", ".a=1", "cuda.=1"])
def test_a_malformed_provider_option_is_a_usage_error(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["embed", "--detector", "stub", "--embedder", "stub", "--provider-option", text, "x.jpg"]
    assert run(args) == 2
    assert "PROVIDER.NAME=VALUE" in capsys.readouterr().err


def test_an_option_of_a_provider_that_is_not_listed_is_an_error(
    recognisers: dict[str, Path], photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["embed", "--detector", "stub", "--embedder", str(recognisers["flat"])]
    args += ["--provider-option", "cuda.device_id=1"]
    assert run([*args, str(next((photos / "pairs").rglob("*.jpg")))]) == 1
    assert "not listed" in capsys.readouterr().err


def test_both_models_as_engines_on_a_photograph(
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    photos: Path,
    tmp_path: Path,
    fake_gpu: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The fake TensorRT computes with onnxruntime, so the vectors must be onnxruntime's.
    embedder = Path(shutil.copytree(recognisers["flat"], tmp_path / "mbf.bundle"))
    detector = Path(shutil.copytree(detectors["yunet"], tmp_path / "det.bundle"))
    photo = str(next((photos / "pairs").rglob("*.jpg")))
    models = ["--detector", str(detector), "--embedder", str(embedder)]
    expected = vectors_of(embedded(capsys, *models, photo))
    assert run(["build-engine", str(embedder), "--max-batch", "5"]) == 0
    assert run(["build-engine", str(detector)]) == 0
    capsys.readouterr()
    engines = ["--backend", "tensorrt", "--detector-backend", "tensorrt", "--providers", "cuda"]
    result = embedded(capsys, *models, *engines, photo)
    assert json.dumps(result).count("tensorrt/cuda") >= 2
    np.testing.assert_allclose(vectors_of(result), expected, atol=1e-5)


def vectors_of(result: dict[str, object]) -> np.ndarray:
    images = result["images"]
    assert isinstance(images, list)
    return np.array([face["embedding"]["vector"] for face in images[0]["faces"]])
