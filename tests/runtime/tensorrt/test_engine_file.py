"""Engines that are damaged or belong elsewhere: each refused, with the command that rebuilds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.bundle import Bundle
from faceport.errors import BundleIntegrityError, ForeignEngineError, InputError, SessionError
from faceport.exporters.tensorrt.bundle_engines import build_engines
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime.artefacts import open_artefact
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.tensorrt.device import Gpu
from faceport.runtime.tensorrt.engine_file import (
    LENGTH_BYTES,
    MAGIC,
    read_engine,
    read_header,
    write_engine,
)
from faceport.runtime.tensorrt.fit import check_fits
from faceport.runtime.verify import verify_bundle

CUDA = SessionOptions(("cuda",))
ORIN = Gpu(0, "Orin", "8.7", 8 << 30)
REBUILD = "faceport build-engine .*--precision fp32 --backend tensorrt"

Build = Callable[..., Path]


def test_what_is_written_is_read(engine: Build, tmp_path: Path) -> None:
    header, plan = read_engine(engine())
    assert (header.gpu, header.compute_capability, header.tensorrt) == ("Orin", "8.7", "10.3.0.30")
    write_engine(tmp_path / "copy.engine", header, plan)
    assert read_engine(tmp_path / "copy.engine") == (header, plan)
    assert read_header(tmp_path / "copy.engine") == header


@pytest.mark.parametrize("kept", [0, 10, len(MAGIC), len(MAGIC) + LENGTH_BYTES + 100, -1000, -1])
def test_an_engine_cut_short(engine: Build, kept: int) -> None:
    path = engine()
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SessionError, match=r"(cut short|not an engine).*build-engine"):
        open_session(path, "tensorrt", CUDA)


def test_an_engine_with_a_changed_byte(engine: Build, fake_gpu: Any) -> None:
    path = engine()
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SessionError, match=f"changed after it was built.*{REBUILD}"):
        open_session(path, "tensorrt", CUDA)
    assert fake_gpu.trt.touched == 0


def test_files_that_are_no_engines(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    with pytest.raises(SessionError, match="could not be read"):
        read_engine(path)
    path.write_bytes(b"ftrt" * 100)
    with pytest.raises(SessionError, match="not an engine of faceport"):
        read_engine(path)
    path.write_bytes(MAGIC + (2).to_bytes(LENGTH_BYTES, "little") + b"[]")
    with pytest.raises(SessionError, match="header of"):
        read_engine(path)
    path.write_bytes(MAGIC + (2**60).to_bytes(LENGTH_BYTES, "little") + b"{}")
    with pytest.raises(SessionError, match="header of"):
        read_engine(path)


def test_an_engine_of_another_version(
    engine: Build, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = engine()
    newer = fake_gpu.replace(monkeypatch, version="10.13.3.9")
    with pytest.raises(
        SessionError, match=rf"another version.*10\.13\.3\.9.*10\.3\.0\.30.*{REBUILD}"
    ):
        open_session(path, "tensorrt", CUDA)
    assert newer.trt.touched == 0


def test_an_engine_of_another_gpu(engine: Build, fake_gpu: Any) -> None:
    path = engine()
    fake_gpu.cuda.name, fake_gpu.cuda.capability = "NVIDIA Thor", (11, 0)
    with pytest.raises(ForeignEngineError, match=f"another GPU.*Thor.*11.0.*Orin.*8.7.*{REBUILD}"):
        open_session(path, "tensorrt", CUDA)
    assert fake_gpu.trt.touched == 0


@pytest.mark.parametrize(
    ("compatibility", "gpu", "fits"),
    [
        ("none", ORIN, True),
        ("none", Gpu(0, "Orin", "8.9", 1), False),
        ("none", Gpu(0, "NVIDIA A2", "8.7", 1), False),
        ("same-compute-capability", Gpu(0, "NVIDIA A2", "8.7", 1), True),
        ("same-compute-capability", Gpu(0, "NVIDIA A2", "8.6", 1), False),
        ("ampere-plus", Gpu(0, "NVIDIA Thor", "11.0", 1), True),
        ("ampere-plus", Gpu(0, "NVIDIA A100", "8.0", 1), True),
        ("ampere-plus", Gpu(0, "NVIDIA T4", "7.5", 1), False),
        ("any", Gpu(0, "NVIDIA T4", "7.5", 1), True),
    ],
)
def test_which_gpus_may_run_an_engine(
    engine: Build, compatibility: Any, gpu: Gpu, fits: bool
) -> None:
    path = engine()
    header = replace(read_header(path), compatibility=compatibility)
    if fits:
        check_fits(path, header, "10.3.0.30", gpu)
        return
    with pytest.raises(SessionError, match="another GPU"):
        check_fits(path, header, "10.3.0.30", gpu)


@pytest.mark.parametrize(
    ("version", "fits"),
    [("10.3.0.30", True), ("10.13.3.9", True), ("11.4.0.106", True), ("10.2.0", False)],
)
def test_which_versions_may_run_a_version_compatible_engine(
    engine: Build, version: str, fits: bool
) -> None:
    path = engine()
    header = replace(read_header(path), version_compatible=True)
    if fits:
        check_fits(path, header, version, ORIN)
        return
    with pytest.raises(SessionError, match="another version"):
        check_fits(path, header, version, ORIN)


def test_a_version_compatible_engine_may_bring_its_code(engine: Build) -> None:
    for asked in (True, False):
        session = open_session(engine(version_compatible=asked), "tensorrt", CUDA)
        assert session._engine.owners[0].engine_host_code_allowed is asked  # type: ignore[attr-defined]


def test_a_bundles_engine_is_opened_by_backend_and_as_a_lone_file(
    engine: Build, proven: Path, tmp_path: Path
) -> None:
    path = engine(max_batch=6)
    session, spec = open_artefact(proven, CUDA, backend="tensorrt")
    assert session.backend == "tensorrt"
    # The embedder feeds no more than that; the embedding space is the same.
    assert spec.max_batch == 6
    assert spec.fingerprint == Bundle.open(proven).spec.fingerprint
    assert open_artefact(proven)[0].backend == "onnxruntime"
    lone = shutil.copy(path, tmp_path / "lone.engine")
    session, spec = open_artefact(lone, CUDA)
    assert (session.backend, spec.max_batch) == ("tensorrt", 6)


def test_an_engine_of_another_onnx_file(engine: Build, proven: Path) -> None:
    import json

    from faceport.bundle import record_of
    from faceport.codec import encode

    path = engine()
    header, plan = read_engine(path)
    write_engine(path, replace(header, onnx_sha256="0" * 64), plan)
    manifest = json.loads((proven / "manifest.json").read_text())
    manifest["artefacts"][1]["file"] = encode(record_of(proven, path.name))
    (proven / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SessionError, match=f"another ONNX file.*{REBUILD}"):
        open_artefact(proven, CUDA, backend="tensorrt")


def test_of_several_engines_the_one_that_fits_is_opened(
    engine: Build, proven: Path, fake_gpu: Any
) -> None:
    first = engine()
    fake_gpu.cuda.name, fake_gpu.cuda.capability = "NVIDIA Thor", (11, 0)
    second = engine()
    assert first != second
    assert {first.name, second.name} <= {p.name for p in proven.iterdir()}
    session, _ = open_artefact(proven, CUDA, backend="tensorrt")
    session.close()
    fake_gpu.cuda.name, fake_gpu.cuda.capability = "Orin", (8, 7)
    session, _ = open_artefact(proven, CUDA, backend="tensorrt")
    session.close()
    # What is wrong with a file is not passed over for the sake of another.
    second.write_bytes(second.read_bytes()[:-1])
    with pytest.raises(BundleIntegrityError):
        open_artefact(proven, CUDA, backend="tensorrt")


def test_verify_runs_engines_and_says_where_it_can_not(
    engine: Build, proven: Path, fake_gpu: Any
) -> None:
    engine(max_batch=3)
    results = verify_bundle(Bundle.open(proven))
    assert [(r.artefact.format, r.status) for r in results] == [
        ("onnx", "passed"),
        ("tensorrt", "passed"),
    ]
    assert [record.batch for record in results[1].parity] == [1, 3]
    fake_gpu.cuda.devices = 0
    without = verify_bundle(Bundle.open(proven))[1]
    assert without.status == "not run"
    assert "0 GPUs" in str(without.problem)
    fake_gpu.cuda.devices, fake_gpu.cuda.name = 1, "NVIDIA Thor"
    elsewhere = verify_bundle(Bundle.open(proven))[1]
    assert elsewhere.status == "not run"
    assert "another GPU" in str(elsewhere.problem)


def test_weights_come_from_the_onnx_file_where_the_engine_has_none(
    proven: Path, fake_gpu: Any, batch: Callable[[int], np.ndarray]
) -> None:
    (made,) = build_engines(
        Bundle.open(proven), "tensorrt", (), BuildOptions(strip_weights=True, refit=True)
    )
    path = proven / made.file.path
    assert made.file.size_bytes < (proven / "model.onnx").stat().st_size + 4000
    reference = open_session(proven / "model.onnx", "onnxruntime").run({"input": batch(2)})
    outputs = open_session(path, "tensorrt", CUDA).run({"input": batch(2)})
    np.testing.assert_allclose(outputs["embedding"], reference["embedding"], atol=1e-6)
    fake_gpu.trt.fails = {"refit_cuda_engine"}
    with pytest.raises(SessionError, match="could not put the weights"):
        open_session(path, "tensorrt", CUDA)
    fake_gpu.trt.fails = set()
    onnx_file = proven / "model.onnx"
    onnx_file.write_bytes(onnx_file.read_bytes() + b"\0")
    with pytest.raises(SessionError, match="another file"):
        open_session(path, "tensorrt", CUDA)
    onnx_file.unlink()
    with pytest.raises(SessionError, match=r"missing.*copy the whole bundle"):
        open_session(path, "tensorrt", CUDA)


def test_an_embedder_keeps_within_the_profile(engine: Build, batch: Any, proven: Path) -> None:
    from faceport.runtime.embedder import open_embedder

    engine(max_batch=2)
    embedder: Any = open_embedder(proven, CUDA, backend="tensorrt")
    crops = np.random.default_rng(0).integers(0, 255, (7, 112, 112, 3)).astype(np.uint8)
    reference: Any = open_embedder(proven)
    np.testing.assert_allclose(
        embedder.features(crops).vectors, reference.features(crops).vectors, atol=1e-5
    )
    with pytest.raises(InputError, match="3 rows"):
        embedder.session.run({"input": batch(3)})
