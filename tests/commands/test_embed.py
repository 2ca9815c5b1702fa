"""`faceport embed` over many pictures: side by side, into a file, and on after an interruption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.bundle import Bundle
from faceport.commands import run
from faceport.runtime import SessionOptions, embedding_writer
from faceport.runtime.device import device_id
from faceport.runtime.device_file import DeviceFile, write_device_file
from faceport.runtime.embedding_file import read_embeddings
from faceport.runtime.pipeline import Pipeline

STUB = ["--detector", "stub", "--embedder", "stub"]


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """Twenty photographs under other names."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(sorted((photos / "pairs").glob("*.jp*g")) * 2):
        (folder / f"{number:02}{path.suffix}").symlink_to(path)
    return folder


def embed(*args: object) -> int:
    return run(["embed", *(str(arg) for arg in args)])


def test_workers_change_nothing_but_the_time(
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = ["--detector", detectors["scrfd"], "--embedder", recognisers["flat"]]
    results = []
    for workers in ("1", "2"):
        assert embed(*models, "--workers", workers, folder, "--json") == 0
        results.append(json.loads(capsys.readouterr().out))
    one, two = ([(r["image"], len(r["faces"])) for r in result["images"]] for result in results)
    assert one == two
    vectors = [
        np.array([face["embedding"]["vector"] for r in result["images"] for face in r["faces"]])
        for result in results
    ]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


@pytest.mark.parametrize(("count", "given", "expected"), [(1, None, 1), (9, None, 2), (9, 5, 5)])
def test_as_many_workers_as_cores_unless_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: int, given: int | None, expected: int
) -> None:
    loaded: list[int] = []
    real = Pipeline.load

    def load(*args: Any, workers: int, **options: Any) -> Pipeline:
        loaded.append(workers)
        return real(*args, workers=workers, **options)

    monkeypatch.setattr(Pipeline, "load", load)
    monkeypatch.setattr("faceport.commands.embed.usable_cores", lambda: 2)
    options = [] if given is None else ["--workers", given]
    assert embed(*STUB, *options, *sorted(folder.iterdir())[:count]) == 0
    assert loaded == [expected]


def test_output_holds_what_json_prints(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "faces.jsonl"
    command = [*STUB, folder, tmp_path / "nowhere.jpg", "--json"]
    assert embed(*command) == 1
    printed = json.loads(capsys.readouterr().out)["images"]
    assert embed(*command, "--output", target) == 1
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    stored = list(read_embeddings(target))
    assert [one.image for one in stored] == [record["image"] for record in printed]
    assert [one.error for one in stored] == [record["error"] for record in printed]
    for one, record in zip(stored, printed, strict=True):
        vectors = [face["embedding"]["vector"] for face in record["faces"]]
        np.testing.assert_allclose(one.vectors, np.reshape(vectors, one.vectors.shape), atol=1e-6)
    assert (said["pictures"], said["already_there"], said["failed"]) == (21, 0, 1)
    assert "nowhere.jpg could not be opened" in captured.err
    assert "1 of 21 pictures failed" in captured.err


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit(143), MemoryError])
def test_an_interrupted_run_goes_on(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: BaseException,
) -> None:
    whole, target = tmp_path / "whole.jsonl", tmp_path / "faces.jsonl"
    command = [*STUB, folder, "--workers", "2", "--output"]
    assert embed(*command, whole) == 0
    real = embedding_writer.EmbeddingWriter.add
    left = iter(range(5))

    def add(*args: Any) -> None:
        if next(left, None) is None:
            raise end
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(embedding_writer.EmbeddingWriter, "add", add)
        if isinstance(end, SystemExit):
            with pytest.raises(SystemExit):
                embed(*command, target)
        else:
            assert embed(*command, target) == (130 if end is KeyboardInterrupt else 3)
    said = capsys.readouterr().err
    assert (f"5 of 20 pictures are in {target}; the same command goes on" in said) == (
        end is not MemoryError
    )
    assert whole.read_bytes().startswith(target.read_bytes())
    assert embed(*command, target) == 0
    assert target.read_bytes() == whole.read_bytes()
    assert "15" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_ended_leaves_what_can_be_continued(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    folder, target = tmp_path / "photos", tmp_path / "faces.jsonl"
    folder.mkdir()
    for index in range(400):
        (folder / f"{index:03}.jpg").symlink_to(photos / "groups" / "friends_6_faces.jpg")
    command = ["embed", *STUB, str(folder), "--output", str(target)]
    code = "import sys; from faceport.commands import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *command], stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and lines(target) < 8:
            time.sleep(0.01)
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert ("the same command goes on from there" in said) == (number == signal.SIGINT)
    there = lines(target)
    assert 8 <= there < 400
    for path in sorted(folder.iterdir())[there + 40 :]:
        path.unlink()
    assert run(command) == 0
    stored = [one.image for one in read_embeddings(target)]
    assert stored == [str(path) for path in sorted(folder.iterdir())]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_other_settings_and_other_files_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "faces.jsonl"
    assert embed(*STUB, folder, "--output", target) == 0
    before = target.read_bytes()
    assert embed(*STUB, folder, "--output", target, "--flip") == 1
    assert "other settings" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert embed(*STUB, folder, "--output", target, "--flip", "--no-resume") == 0
    assert len(list(read_embeddings(target))) == 20
    assert target.read_bytes() != before
    photo = sorted(folder.iterdir())[0]
    assert embed(*STUB, photo, "--output", photo) == 1
    assert "one of the photographs" in capsys.readouterr().err


def test_reduced_decoding_is_another_setting_and_has_a_detector(
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target, photo = tmp_path / "faces.jsonl", sorted(folder.iterdir())[0]
    embedder = next(iter(recognisers.values()))
    command = ["--embedder", embedder, photo, "--output", target, "--reduced-decoding"]
    assert embed(*command, "--detector", detectors["scrfd"]) == 0
    settings = json.loads(target.read_bytes().splitlines()[0])["settings"]
    assert settings["detector"] == Bundle.open(detectors["scrfd"]).spec.fingerprint
    capsys.readouterr()
    assert embed(*command[:-1], "--detector", detectors["scrfd"]) == 1
    assert "received reduced_decoding=False" in capsys.readouterr().err
    assert embed(*command, "--detector", detectors["yunet"]) == 1
    assert "received detector=" in capsys.readouterr().err


def test_a_bundle_tuned_between_two_runs_is_another_setting(
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle, photo = tmp_path / "mbf.bundle", sorted(folder.iterdir())[0]
    shutil.copytree(recognisers["flat"], bundle)
    models = ("--detector", detectors["scrfd"], "--embedder", bundle)
    command = (*models, photo, "--output", tmp_path / "faces.jsonl")
    assert embed(*command) == 0
    opened = Bundle.open(bundle)
    artefact = opened.artefact("onnx", "fp32")
    write_device_file(
        opened,
        DeviceFile(
            device=device_id(),
            fingerprint=opened.spec.fingerprint,
            artefact=artefact.file.path,
            sha256=artefact.file.sha256,
            precision="fp32",
            backend="openvino",
            options=SessionOptions(provider_options={"cpu": {"INFERENCE_PRECISION_HINT": "f32"}}),
            batch=1,
            p50_ms=1.0,
            measured_batch=1,
            cosine_loss=0.0,
            max_cosine_loss=0.001,
            measured_on="six faces",
            objective="latency",
            created="2024-01-01T00:00:00Z",
        ),
    )
    capsys.readouterr()
    assert embed(*command) == 1
    assert "received tuned=" in capsys.readouterr().err
    # What is named on the command line is not what was tuned.
    assert embed(*command, "--backend", "onnxruntime") == 1
    assert "received backend=" in capsys.readouterr().err
