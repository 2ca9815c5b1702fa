"""Engine, provider and precision from the command line to the session."""

from __future__ import annotations

import json
from pathlib import Path

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
