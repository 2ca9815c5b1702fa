"""A tuned bundle runs as tuned, unless the caller says otherwise, and never silently otherwise."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceport.bundle import Bundle
from faceport.errors import (
    BundleError,
    BundleIntegrityError,
    FaceportError,
    InputError,
    SessionError,
    SpecError,
)
from faceport.exporters.tensorrt.bundle_engines import build_engines
from faceport.runtime import Pipeline, SessionOptions, open_embedder
from faceport.runtime.device import device_id
from faceport.runtime.device_file import (
    DeviceFile,
    check_writable,
    device_file_path,
    device_files,
    read_device_file,
    write_device_file,
)
from faceport.runtime.embedder import SessionEmbedder
from faceport.runtime.opening import open_model, side_by_side
from faceport.runtime.sessions.base import Session, parallel_limit
from faceport.spec import ModelSpec

OPENVINO_HINT = {"cpu": {"INFERENCE_PRECISION_HINT": "f32"}}
OPENVINO = SessionOptions(("cpu",), threads=1, provider_options={"cpu": {"PERF": "x"}})


def tuned(bundle: Path, **changes: Any) -> DeviceFile:
    """A device file of this machine that asks for OpenVINO, which is nobody's default."""
    opened = Bundle.open(bundle)
    (artefact,) = opened.manifest.artefacts
    file = DeviceFile(
        device=device_id(),
        fingerprint=opened.spec.fingerprint,
        artefact=artefact.file.path,
        sha256=artefact.file.sha256,
        precision="fp32",
        backend="openvino",
        options=SessionOptions(("cpu",), 1, provider_options=OPENVINO_HINT),
        batch=2,
        p50_ms=1.25,
        measured_batch=1,
        cosine_loss=1e-4,
        max_cosine_loss=1e-3,
        measured_on="6 faces",
        objective="latency",
        created="2024-01-01T00:00:00Z",
        versions={"openvino": "1"},
    )
    return replace(file, **changes)


def opened(*arguments: Any, **choices: Any) -> tuple[Session, ModelSpec]:
    session, spec = open_model(*arguments, **choices)
    session.close()
    return session, spec


def test_it_is_read_as_it_was_written(proven: Path) -> None:
    bundle = Bundle.open(proven)
    assert read_device_file(bundle) is None
    path = write_device_file(bundle, tuned(proven))
    assert path == proven / "devices" / f"{device_id()}.json"
    assert read_device_file(bundle) == tuned(proven)
    write_device_file(bundle, tuned(proven, batch=7))
    assert [file.batch for file in device_files(bundle)] == [7]
    assert list((proven / "devices").iterdir()) == [path]


def test_a_tuned_bundle_runs_as_tuned(proven: Path) -> None:
    assert opened(proven)[0].backend == "onnxruntime"
    write_device_file(Bundle.open(proven), tuned(proven))
    session, spec = opened(proven)
    assert (session.backend, spec.max_batch) == ("openvino", 2)
    assert spec.fingerprint == Bundle.open(proven).spec.fingerprint


@pytest.mark.parametrize(
    "said", [{"precision": "fp32"}, {"backend": "onnxruntime"}, {"options": SessionOptions()}]
)
def test_what_the_caller_says_stands_alone(proven: Path, said: dict[str, Any]) -> None:
    write_device_file(Bundle.open(proven), tuned(proven))
    session, spec = opened(proven, **said)
    assert (session.backend, spec.max_batch) == ("onnxruntime", None)


def test_for_several_workers_only_its_threads_are_put_aside(proven: Path) -> None:
    write_device_file(Bundle.open(proven), tuned(proven))
    session, _ = open_model(proven, workers=2)
    assert (session.backend, parallel_limit(session)) == ("openvino", 2)
    session, _ = open_model(proven, SessionOptions(), backend="openvino", workers=1)
    assert parallel_limit(session) == 1


def test_what_workers_are_given() -> None:
    plain = SessionOptions()
    assert side_by_side(plain, 1) is plain
    assert side_by_side(plain, 3) == SessionOptions(threads=1, parallel_runs=3)
    assert side_by_side(SessionOptions(threads=2), 3) == SessionOptions(threads=2, parallel_runs=3)


def test_a_file_of_another_device_changes_nothing(proven: Path) -> None:
    write_device_file(Bundle.open(proven), tuned(proven, device="another"))
    assert opened(proven)[0].backend == "onnxruntime"
    assert [file.device for file in device_files(Bundle.open(proven))] == ["another"]


def test_pipelines_and_embedders_follow_it(proven: Path) -> None:
    write_device_file(Bundle.open(proven), tuned(proven))
    with Pipeline.load("stub", proven) as pipeline:
        assert pipeline.embedder.provider == "openvino/cpu"
        assert isinstance(pipeline.embedder, SessionEmbedder)
        assert pipeline.embedder.spec.max_batch == 2
    with Pipeline.load("stub", proven, precision="fp32") as pipeline:
        assert pipeline.embedder.provider == "onnxruntime/cpu"
    plain = open_embedder(proven, backend="onnxruntime")
    assert plain.fingerprint == open_embedder(proven).fingerprint


def test_a_lone_file_of_a_tuned_bundle_is_not_tuned(proven: Path) -> None:
    write_device_file(Bundle.open(proven), tuned(proven))
    assert opened(proven / "model.onnx")[0].backend == "onnxruntime"


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"artefact": "other.onnx"}])
def test_a_file_of_another_artefact_is_an_error(proven: Path, change: dict[str, Any]) -> None:
    write_device_file(Bundle.open(proven), tuned(proven, **change))
    with pytest.raises(BundleIntegrityError, match=r"faceport tune .* again, delete .*\.json"):
        opened(proven)
    assert opened(proven, precision="fp32")[0].backend == "onnxruntime"


def test_an_engine_that_is_not_installed_is_an_error(
    proven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_device_file(Bundle.open(proven), tuned(proven))
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(SessionError, match=r"openvino is not installed.*faceport tune .* again"):
        opened(proven)


def test_a_provider_that_is_not_there_is_an_error(proven: Path) -> None:
    file = tuned(proven, options=SessionOptions(("cuda",)), backend="onnxruntime")
    write_device_file(Bundle.open(proven), file)
    with pytest.raises(SessionError, match=r"can't be followed.*faceport tune"):
        opened(proven)


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "nope"},
        {"backend": "torchscript"},
        {"options": SessionOptions(("cuda",), provider_options=OPENVINO_HINT)},
    ],
)
def test_what_was_edited_by_hand_is_an_error_that_names_the_file(
    proven: Path, change: dict[str, Any]
) -> None:
    path = write_device_file(Bundle.open(proven), tuned(proven, **change))
    with pytest.raises(SessionError, match=rf"{path.name} can't be followed.*faceport tune"):
        opened(proven)


def test_an_engine_is_not_asked_for_a_million_threads(proven: Path) -> None:
    path = write_device_file(Bundle.open(proven), tuned(proven))
    path.write_text(path.read_text().replace('"threads": 1', '"threads": 1000000'))
    with pytest.raises(BundleError, match=r"threads; received 1000000; expected 1 to 1024"):
        opened(proven)
    with pytest.raises(InputError, match="parallel_runs; received 5000"):
        SessionOptions(parallel_runs=5000)


def write(bundle: Path, text: str) -> Path:
    path = device_file_path(bundle)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_no_small_file_is_not_read(proven: Path) -> None:
    path = write(proven, " " * 200_000)
    with pytest.raises(BundleError, match="no regular file of at most"):
        opened(proven)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BundleError, match="no regular file of at most"):
        opened(proven)


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", "[" * 100_000])
def test_a_malformed_file_is_an_error(proven: Path, text: str) -> None:
    write(proven, text)
    with pytest.raises(BundleError, match=r"is malformed.*delete"):
        opened(proven)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), 2),
        (("batch",), 0),
        (("options", "threads"), 0),
        (("options", "provider_options"), {"cpu": {"CACHE_DIR": "/tmp/elsewhere"}}),
        (("unknown",), 1),
        (("p50_ms",), "fast"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_values_are_refused(proven: Path, path: tuple[str, ...], value: object) -> None:
    file = write_device_file(Bundle.open(proven), tuned(proven))
    data = json.loads(file.read_text())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file.write_text(json.dumps(data))
    with pytest.raises(BundleError, match="is malformed"):
        opened(proven)


def test_only_what_tuning_sets_may_be_set(proven: Path) -> None:
    with pytest.raises(SpecError, match="PERF"):
        tuned(proven, options=OPENVINO)


@pytest.mark.parametrize("change", [{"device": "another"}, {"fingerprint": "0" * 64}])
def test_a_file_that_was_renamed_or_moved_is_an_error(proven: Path, change: dict[str, Any]) -> None:
    path = write_device_file(Bundle.open(proven), tuned(proven, **change))
    path.rename(device_file_path(proven))
    with pytest.raises(BundleError, match="not of this device and model"):
        opened(proven)


def test_the_folder_may_not_lead_out_of_the_bundle(proven: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (proven / "devices").symlink_to(outside)
    with pytest.raises(BundleIntegrityError, match="leaves the bundle"):
        write_device_file(Bundle.open(proven), tuned(proven))
    with pytest.raises(BundleIntegrityError, match="leaves the bundle"):
        opened(proven)


def test_a_bundle_that_can_not_be_written_is_an_error(proven: Path) -> None:
    (proven / "devices").write_text("in the way")
    with pytest.raises(BundleError, match=r"could not be written.*tune the copy"):
        write_device_file(Bundle.open(proven), tuned(proven))


def test_a_tuned_bundle_may_be_exported_again(tiny: Any, tmp_path: Path) -> None:
    path = tiny().write(tmp_path / "a.bundle")
    write_device_file(Bundle.open(path), tuned(path))
    tiny().write(path)
    assert device_files(Bundle.open(path)) == []
    (path / "devices").mkdir()
    (path / "devices" / "mine.txt").write_text("not a device file")
    with pytest.raises(FaceportError, match="holds more than one"):
        tiny().write(path)


def test_engines_are_built_into_a_tuned_bundle(fake_gpu: Any, proven: Path) -> None:
    write_device_file(Bundle.open(proven), tuned(proven))
    build_engines(Bundle.open(proven), "tensorrt")
    assert len(Bundle.open(proven).manifest.artefacts) == 2
    assert read_device_file(Bundle.open(proven)) is not None


def test_a_bundle_is_tried_for_writing_without_touching_what_is_there(
    proven: Path, tmp_path: Path
) -> None:
    mine, folder = tmp_path / "mine.txt", proven / "devices"
    mine.write_text("kept")
    folder.mkdir()
    (folder / ".probe").symlink_to(mine)
    check_writable(Bundle.open(proven))
    assert mine.read_text() == "kept"
    assert [path.name for path in folder.iterdir()] == [".probe"]
