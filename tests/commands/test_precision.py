"""`export --precision` and what runs of it: `embed`, `compare`, `verify`, `inspect`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faceport.bundle import Bundle
from faceport.commands import run

pytestmark = pytest.mark.xdist_group("reduced")

FLAT = "mobilefacenet_flat_112x112_512d.pth"


@pytest.fixture(scope="module")
def bundle(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output: Path = tmp_path_factory.mktemp("precision") / "m.bundle"
    command = ["export", "--checkpoint", str(weights / FLAT), "--output", str(output)]
    options = ["--formats", "onnx", "--precision", "fp32,fp16", "--keep-fp32", "Gemm"]
    assert run([*command, *options]) == 0
    return output


def vectors(capsys: pytest.CaptureFixture[str], *arguments: str) -> np.ndarray:  # type: ignore[type-arg]
    assert run(["embed", *arguments, "--json"]) == 0
    pictures = json.loads(capsys.readouterr().out)["images"]
    return np.array(
        [face["embedding"]["vector"] for picture in pictures for face in picture["faces"]]
    )


def test_the_artefact_of_the_precision_runs(
    bundle: Path, photos: Path, detectors: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(photos / "groups" / "friends_6_faces.jpg")
    models = ["--detector", str(detectors["scrfd"]), "--embedder", str(bundle), photo]
    full = vectors(capsys, *models)
    half = vectors(capsys, *models, "--precision", "fp16")
    assert full.shape == half.shape == (6, 512)
    cosines = (full * half).sum(axis=1)
    assert cosines.min() >= 0.9999
    assert not np.array_equal(full, half)
    assert run(["embed", *models, "--precision", "int8"]) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert "has no such artefact; received onnx int8" in message


def test_verify_and_inspect_show_both(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(bundle)]) == 0
    assert run(["inspect", str(bundle)]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("model.fp16.onnx", "kept_fp32.asked", "node_Gemm"))
    assert Bundle.open(bundle).artefact("onnx", "fp16").details["kept_fp32.asked"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--precision", "int8"], 1, "int8 needs real faces to calibrate on"),
        (["--precision", "int3"], 2, "'int3' is not one of fp32, fp16, int8"),
        (["--calibrator", "guess"], 2, "'guess' is not one of"),
        (["--precision", "fp16", "--formats", "pt2"], 1, "nothing would be made"),
        (["--calibration-detector", "."], 1, "calibration options without --calibration"),
        (["--calibration", "/nowhere"], 2, "does not exist"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_left(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    command = ["export", "--checkpoint", str(weights / FLAT), "--output", str(tmp_path / "m")]
    assert run([*command, *options]) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
