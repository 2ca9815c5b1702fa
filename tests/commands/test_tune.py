"""`faceport tune` from the command line: what it measures, writes and refuses."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceport.benchmarks.tuning import pair, screening, single
from faceport.bundle import Bundle
from faceport.commands import run
from faceport.commands import tune as tune_command
from faceport.runtime import Pipeline
from faceport.runtime.device_file import device_file_path, read_device_file

ORT = ("--sessions", "onnxruntime/cpu", "--threads", "1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short round of everything: what is chosen does not matter here."""
    monkeypatch.setattr(screening, "QUICK", replace(screening.QUICK, runs=2, seconds=0))
    monkeypatch.setattr(screening, "SHARES", (1.0,))
    for module, name in ((single, "ALONE"), (pair, "TOGETHER")):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(pair, "LEFT", (9,))
    monkeypatch.setattr(pair, "RUNS", 2)


@pytest.fixture
def detector(detectors: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(detectors["yunet"], tmp_path / "det.bundle"))


@pytest.fixture
def embedder(recognisers: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(recognisers["blocks"], tmp_path / "mbf.bundle"))


@pytest.fixture
def photo(photos: Path) -> str:
    return str(next((photos / "pairs").rglob("*.jpg")))


def test_a_bundle_is_tuned_by_its_proof_and_runs_so(
    detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tune", str(detector), "--sessions", "openvino/cpu@f32", "--threads", "1"]) == 0
    shown = capsys.readouterr()
    file = read_device_file(Bundle.open(detector))
    assert file is not None
    assert "of the bundle's proof" in " ".join(shown.out.split())
    assert str(device_file_path(detector)) in shown.err
    assert file.max_cosine_loss == 0.001
    assert file.cosine_loss <= 0.001
    assert file.p50_ms > 0
    with Pipeline.load(detector, "stub") as pipeline:
        assert pipeline.detector.provider == f"{file.backend}/cpu"
    assert run(["inspect", str(detector)]) == 0
    assert "(this one)" in capsys.readouterr().out
    assert run(["inspect", str(detector), "--json"]) == 0
    (device,) = json.loads(capsys.readouterr().out)["devices"]
    assert device["backend"] == file.backend
    assert run(["verify", str(detector)]) == 0


def test_both_are_tuned_for_one_process(
    detector: Path, embedder: Path, photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["tune", str(embedder), "--detector", str(detector), "--photo", photo, *ORT]
    command += ["--batch", "1", "--max-cosine-loss", "0.0001", "--output", str(tmp_path / "kept")]
    assert run([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [model["task"] for model in result["models"]] == ["detector", "embedder"]
    assert all("1 face of 1 photograph" in model["measured_on"] for model in result["models"])
    (combination,) = result["combinations"]
    assert combination["p50_ms"] > 0
    assert combination["loss"] < 1e-4
    assert result["default"]["loss"] < 1e-9
    assert len(result["written"]) == 2
    assert all(Path(path).is_file() for path in result["written"])
    assert list((tmp_path / "kept" / "cases").iterdir())
    with Pipeline.load(detector, embedder) as pipeline:
        assert pipeline(photo)


def test_a_detector_is_judged_by_an_embedder(
    detector: Path, embedder: Path, photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["tune", str(detector), "--embedder", str(embedder), "--photo", photo, *ORT]
    assert run(command) == 0
    # A title is wrapped to the table's width.
    assert "1 face of 1 photograph" in " ".join(capsys.readouterr().out.split())
    assert read_device_file(Bundle.open(detector)) is not None
    assert read_device_file(Bundle.open(embedder)) is None


def refused(args: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert run(["tune", *args]) == code
    return capsys.readouterr().err


def test_a_photograph_without_a_face_is_an_error(
    detector: Path, embedder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "grey.png")
    photo = str(tmp_path / "grey.png")
    pair_of = [str(embedder), "--detector", str(detector), "--photo", photo]
    assert "no face was found in grey.png" in refused(pair_of, capsys)
    (tmp_path / "grey.png").write_bytes(b"no picture")
    assert "grey.png" in refused(pair_of, capsys)
    assert read_device_file(Bundle.open(embedder)) is None


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--max-cosine-loss", "-1"], "0 to 2", 1),
        (["--max-cosine-loss", "nan"], "0 to 2", 1),
        (["--threads", "0"], "--threads", 2),
        (["--batch", "1,x"], "--batch", 2),
        (["--batch", "9" * 5000], "--batch", 2),
        (["--objective", "beauty"], "--objective", 2),
        (["--sessions", "tensorflow"], "no such session", 1),
        (["--photo", "a.jpg"], "--embedder and --photo go together", 1),
        (["--photo", "nowhere"], "go together", 1),
    ],
)
def test_wrong_options_are_refused(
    detector: Path,
    options: list[str],
    words: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert words in refused([str(detector), *options], capsys, code)


def test_roles_are_checked(
    detector: Path, embedder: Path, photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = ["--photo", photo]
    wrong = [
        [str(detector), "--detector", str(detector), *photos],
        [str(embedder), "--embedder", str(embedder), *photos],
        [str(embedder), "--detector", str(embedder), *photos],
    ]
    for args in wrong:
        assert "expected --" in refused(args, capsys)
    assert "go together" in refused([str(embedder), "--detector", str(detector)], capsys)
    assert "is not a bundle" in refused([str(tmp_path / "none")], capsys)


def test_a_bundle_that_can_not_be_written_is_refused_before_measuring(
    detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (detector / "devices").write_text("in the way")
    err = refused([str(detector)], capsys)
    assert "could not be written" in err
    assert "round" not in err


def test_nothing_within_the_limit_writes_nothing(
    detector: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def far(setup: Any, results: Any) -> Any:
        return replace(real(setup, results), loss=0.5)

    real = screening._candidate
    monkeypatch.setattr(screening, "_candidate", far)
    err = refused([str(detector), *ORT], capsys)
    assert "runs within the limit" in err
    assert "--max-cosine-loss" in err
    assert not device_file_path(detector).exists()


def test_an_interrupted_run_writes_nothing(
    detector: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tune_command, "_tune", interrupted)
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    err = refused([str(detector)], capsys, 130)
    assert "interrupted" in err
    assert "the machine is busy (load 99.0" in err
    assert not device_file_path(detector).exists()
