from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.bundle import (
    MANIFEST,
    Artefact,
    Bundle,
    Manifest,
    Parity,
    record_of,
    safe_path,
    write_bundle,
    write_manifest,
    write_proof,
)
from faceport.errors import BundleError, BundleIntegrityError
from faceport.spec import ModelSpec, PreprocessSpec, Source, TensorSpec


def make_spec() -> ModelSpec:
    return ModelSpec(
        task="embedder",
        family="adaface",
        arch="ir_18",
        preprocess=PreprocessSpec(
            height=112,
            width=112,
            color_order="bgr",
            mean=(127.5,) * 3,
            std=(127.5,) * 3,
            geometry="align",
            alignment_template="arcface_112",
        ),
        inputs=(TensorSpec("input", "float32", ("batch", 3, 112, 112)),),
        outputs=(TensorSpec("embedding", "float32", ("batch", 512)),),
        source=Source("a.ckpt", "0" * 64),
        weights_sha256="1" * 64,
        embedding_dim=512,
    )


def make_bundle(target: Path, content: bytes = b"model") -> Path:
    with write_bundle(target) as folder:
        (folder / "model.onnx").write_bytes(content)
        spec = make_spec()
        artefact = Artefact(
            "onnx", "fp32", record_of(folder, "model.onnx"), (Parity(1, 1e-7, 1.0),), opset=18
        )
        proof = write_proof(folder, {"input": np.zeros((1, 3), np.float32)})
        write_manifest(
            folder,
            Manifest(spec, spec.fingerprint, (artefact,), proof, "0.1.0", "2026-01-01T00:00:00Z"),
        )
    return target


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "m.bundle")


def _edit(bundle: Path, **changes: Any) -> None:
    path = bundle / MANIFEST
    data = json.loads(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = data
        for parent in parents:
            place = place[int(parent) if parent.isdigit() else parent]
        place[last] = value
    path.write_text(json.dumps(data))


def test_what_is_written_is_read(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    assert opened.spec == make_spec()
    artefact = opened.artefact("onnx")
    assert artefact.parity == (Parity(1, 1e-7, 1.0),)
    assert opened.checked_file(artefact.file).read_bytes() == b"model"
    assert opened.proof()["input"].shape == (1, 3)
    assert sorted(p.name for p in bundle.iterdir()) == [MANIFEST, "model.onnx", "proof.npz"]


def test_an_older_bundle_is_replaced_and_nothing_else_is(bundle: Path, tmp_path: Path) -> None:
    make_bundle(bundle, b"other")
    assert (bundle / "model.onnx").read_bytes() == b"other"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("mine", "file"):
        with pytest.raises(BundleError, match="not a bundle"):
            make_bundle(tmp_path / name)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_folder_with_a_manifest_of_something_else_is_left_alone(tmp_path: Path) -> None:
    app = tmp_path / "webapp"
    app.mkdir()
    (app / MANIFEST).write_text('{"name": "My web app"}')
    (app / "app.js").write_text("x")
    with pytest.raises(BundleError, match="not a bundle"):
        make_bundle(app)
    assert (app / "app.js").exists()


def test_a_bundle_with_files_of_the_users_is_left_alone(bundle: Path) -> None:
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="more than one"):
        make_bundle(bundle)
    assert (bundle / "notes.txt").read_text() == "mine"


def test_a_link_to_a_bundle_is_followed(bundle: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(bundle)
    make_bundle(link, b"other")
    assert link.is_symlink()
    assert (bundle / "model.onnx").read_bytes() == b"other"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["current", "m.bundle"]


def test_the_working_folder_is_no_output(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)
    with pytest.raises(BundleError, match="not a bundle"):
        make_bundle(Path())
    assert (bundle / MANIFEST).exists()


def test_a_missing_format_says_what_is_there(bundle: Path) -> None:
    with pytest.raises(BundleError, match="onnx fp32"):
        Bundle.open(bundle).artefact("torchscript")


@pytest.mark.parametrize("name", ["model.onnx", "proof.npz"])
def test_one_changed_byte_is_found(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[-1] ^= 1
    (bundle / name).write_bytes(data)
    opened = Bundle.open(bundle)
    (record,) = (r for r in opened.files() if r.path == name)
    with pytest.raises(BundleIntegrityError, match="changed after the export"):
        opened.checked_file(record)


def test_a_missing_file_is_found(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    opened = Bundle.open(bundle)
    with pytest.raises(BundleIntegrityError, match="could not be read"):
        opened.checked_file(opened.artefact("onnx").file)


@pytest.mark.parametrize(
    "path",
    ["../outside", "/etc/passwd", "a/../../outside", "", "..\\outside", "a\0b", "link/x", "\udcff"],
)
def test_a_path_that_leaves_the_bundle_is_refused(bundle: Path, path: str) -> None:
    (bundle / "link").symlink_to(bundle.parent)
    _edit(bundle, artefacts__0__file__path=path)
    with pytest.raises(BundleIntegrityError, match="leaves the bundle"):
        Bundle.open(bundle)


def test_a_plain_path_stays(bundle: Path) -> None:
    assert safe_path(bundle, "a/b.onnx") == bundle / "a" / "b.onnx"


def test_changed_preprocessing_is_found(bundle: Path) -> None:
    _edit(bundle, spec__preprocess__color_order="rgb")
    with pytest.raises(BundleIntegrityError, match="fingerprint"):
        Bundle.open(bundle)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 9}', "\xff", "[" * 100_000])
def test_a_malformed_manifest(bundle: Path, text: str) -> None:
    (bundle / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match="malformed"):
        Bundle.open(bundle)


def test_another_schema_is_refused(bundle: Path) -> None:
    _edit(bundle, schema_version=2)
    with pytest.raises(BundleError, match="schema version"):
        Bundle.open(bundle)


def test_a_manifest_without_artefacts_or_with_one_twice(bundle: Path) -> None:
    artefacts = json.loads((bundle / MANIFEST).read_text())["artefacts"]
    for wrong in ([], artefacts * 2):
        _edit(bundle, artefacts=wrong)
        with pytest.raises(BundleError, match="artefact"):
            Bundle.open(bundle)


@pytest.mark.parametrize("name", ["", "nothing", MANIFEST])
def test_no_bundle(bundle: Path, tmp_path: Path, name: str) -> None:
    path = {"": tmp_path, MANIFEST: bundle / MANIFEST}.get(name, tmp_path / name)
    with pytest.raises(BundleError):
        Bundle.open(path)
