from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faceport.bundle import Bundle, sha256_of
from faceport.errors import BundleError, BundleIntegrityError, InputError, ParityError
from faceport.exporters import Exportable, ExportOptions, export_bundle
from faceport.runtime.verify import measure_artefact, verify_bundle
from faceport.spec import ModelSpec

pytestmark = pytest.mark.xdist_group("exports")

Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Model:
    module: torch.nn.Module
    spec: ModelSpec


@pytest.fixture(scope="session")
def master(tiny_model: Exportable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("verify")
    options = ExportOptions(formats=("onnx", "torchscript"), simplify=False)
    export_bundle(tiny_model, folder / "m.bundle", options)
    return folder / "m.bundle"


@pytest.fixture
def path(master: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(master, tmp_path / "m.bundle"))


def outcome(path: Path) -> dict[str, str]:
    return {v.artefact.format: v.problem or v.status for v in verify_bundle(Bundle.open(path))}


def edit_manifest(path: Path, edit: Edit) -> None:
    file = path / "manifest.json"
    data = json.loads(file.read_text())
    edit(data)
    file.write_text(json.dumps(data))


def accept_changes(path: Path) -> None:
    """Give every file in the manifest the hash that it has now, as a forger would."""

    def edit(data: dict[str, Any]) -> None:
        for record in (*(a["file"] for a in data["artefacts"]), data["proof"]):
            record["sha256"] = sha256_of(path / record["path"])
            record["size_bytes"] = (path / record["path"]).stat().st_size

    edit_manifest(path, edit)


def test_a_whole_bundle_passes_with_figures(path: Path) -> None:
    records = verify_bundle(Bundle.open(path))
    assert [(r.artefact.format, r.status, r.problem) for r in records] == [
        ("onnx", "passed", None),
        ("torchscript", "passed", None),
    ]
    for record in records:
        for now, then in zip(record.parity, record.artefact.parity, strict=True):
            assert now.batch == then.batch
            assert now.max_abs_diff == pytest.approx(then.max_abs_diff, abs=1e-6)
            assert now.min_cosine >= 0.999999


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.999])
@pytest.mark.parametrize("name", ["model.onnx", "model.torchscript"])
def test_a_flipped_bit_is_found_and_the_other_artefact_is_still_checked(
    path: Path, name: str, where: float
) -> None:
    data = bytearray((path / name).read_bytes())
    data[int(where * len(data))] ^= 1
    (path / name).write_bytes(data)
    found = outcome(path)
    damaged = found.pop("onnx" if name.endswith("onnx") else "torchscript")
    assert "was changed after the export" in damaged
    assert list(found.values()) == ["passed"]


@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_a_flipped_bit_in_the_proof_stops_everything(path: Path, where: float) -> None:
    data = bytearray((path / "proof.npz").read_bytes())
    data[int(where * len(data))] ^= 1
    (path / "proof.npz").write_bytes(data)
    with pytest.raises(BundleIntegrityError, match=r"proof\.npz was changed"):
        verify_bundle(Bundle.open(path))


def test_a_missing_file_is_found(path: Path) -> None:
    (path / "model.onnx").unlink()
    assert "could not be read" in outcome(path)["onnx"]
    (path / "proof.npz").unlink()
    with pytest.raises(BundleIntegrityError, match="could not be read"):
        verify_bundle(Bundle.open(path))


def test_an_artefact_of_other_weights_is_found_though_its_hash_is_right(
    path: Path, tiny_model: Exportable, tmp_path: Path
) -> None:
    class Turned(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            embedding, norm = tiny_model.module(pixels)
            return embedding.roll(1, 1), norm

    other = export_bundle(
        Model(Turned().eval(), tiny_model.spec),
        tmp_path / "other.bundle",
        ExportOptions(formats=("onnx", "torchscript"), simplify=False),
    )
    for name in ("model.onnx", "model.torchscript"):
        shutil.copy(other.path / name, path / name)
    accept_changes(path)
    for problem in outcome(path).values():
        assert "does not compute what the checkpoint computes" in problem
    for record in verify_bundle(Bundle.open(path)):
        assert record.status == "failed"
        assert record.parity[0].min_cosine < 0.999


def test_an_artefact_of_another_spec_is_found(path: Path, tiny_model: Exportable) -> None:
    spec = replace(
        tiny_model.spec, preprocess=replace(tiny_model.spec.preprocess, mean=(1.0, 2.0, 3.0))
    )
    other = path.with_name("other.bundle")
    options = ExportOptions(formats=("torchscript",))
    export_bundle(Model(tiny_model.module, spec), other, options)
    shutil.copy(other / "model.torchscript", path / "model.torchscript")
    accept_changes(path)
    found = outcome(path)
    assert "carries another spec than its manifest" in found["torchscript"]
    assert found["onnx"] == "passed"


def test_artefacts_that_changed_places_are_found(path: Path) -> None:
    names = (path / "model.onnx", path / "model.torchscript")
    data = [name.read_bytes() for name in names]
    for name, other in zip(names, reversed(data), strict=True):
        name.write_bytes(other)
    accept_changes(path)
    found = outcome(path)
    assert "could not be loaded by onnxruntime" in found["onnx"]
    assert "could not be loaded as TorchScript" in found["torchscript"]


def set_cosine(data: dict[str, Any]) -> None:
    data["artefacts"][0]["parity"][0]["min_cosine"] = 0.99


def set_difference(data: dict[str, Any]) -> None:
    data["artefacts"][0]["parity"][1]["max_abs_diff"] = 0.5


def drop_a_batch(data: dict[str, Any]) -> None:
    del data["artefacts"][0]["parity"][1]


def drop_all_figures(data: dict[str, Any]) -> None:
    data["artefacts"][0]["parity"] = []


def set_size(data: dict[str, Any]) -> None:
    data["artefacts"][0]["file"]["size_bytes"] -= 1


def set_precision(data: dict[str, Any]) -> None:
    data["artefacts"][0]["precision"] = "int3"


def set_license(data: dict[str, Any]) -> None:
    data["spec"]["source"]["license"] = "MIT"


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (set_cosine, "by its manifest, model.onnx does not compute"),
        (set_difference, "by its manifest, model.onnx does not compute"),
        (drop_a_batch, "record of model.onnx was changed"),
        (drop_all_figures, "record of model.onnx was changed"),
        (set_size, "record of model.onnx was changed"),
        (set_precision, "no such precision; received int3"),
        (set_license, "carries another spec than its manifest"),
    ],
)
def test_a_changed_figure_in_the_manifest_is_found(path: Path, edit: Edit, problem: str) -> None:
    edit_manifest(path, edit)
    assert problem in outcome(path)["onnx"]


def test_a_changed_mean_is_not_even_opened(path: Path) -> None:
    edit_manifest(path, lambda data: data["spec"]["preprocess"].update(mean=[0.0, 0.0, 0.0]))
    with pytest.raises(BundleError, match="fingerprint"):
        Bundle.open(path)


def rewrite_proof(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    with np.load(path / "proof.npz") as data:
        arrays = dict(data)
    edit(arrays)
    np.savez_compressed(path / "proof.npz", **arrays)
    accept_changes(path)


def test_a_proof_without_an_output_is_refused(path: Path) -> None:
    rewrite_proof(path, lambda arrays: arrays.pop("output.norm"))
    with pytest.raises(
        BundleIntegrityError, match=r"expected input, output\.embedding, output\.norm"
    ):
        verify_bundle(Bundle.open(path))


def test_a_proof_that_is_not_finite_is_refused(path: Path) -> None:
    rewrite_proof(path, lambda arrays: arrays["output.embedding"].fill(np.nan))
    with pytest.raises(BundleIntegrityError, match=r"unusable.*not finite"):
        verify_bundle(Bundle.open(path))


def test_a_proof_of_other_numbers_fails_the_artefacts(path: Path) -> None:
    def turn(arrays: dict[str, Any]) -> None:
        arrays["output.embedding"] = arrays["output.embedding"][:, ::-1].copy()

    rewrite_proof(path, turn)
    assert all("does not compute" in problem for problem in outcome(path).values())


def test_an_engine_that_is_not_installed_is_named_and_not_passed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    onnx, script = verify_bundle(Bundle.open(path))
    assert onnx.status == "passed"
    assert script.status == "not run"
    assert script.parity == ()
    assert "torch is not installed" in str(script.problem)
    data = (path / "model.torchscript").read_bytes()
    (path / "model.torchscript").write_bytes(data[:-1])
    assert "was changed after the export" in outcome(path)["torchscript"]


def test_an_onnx_artefact_is_verified_without_torch_or_onnx(path: Path) -> None:
    code = f"""
import sys
for name in ("torch", "onnx", "cv2", "PIL"):
    sys.modules[name] = None
from faceport.bundle import Bundle
from faceport.runtime.verify import verify_bundle
for record in verify_bundle(Bundle.open({str(path)!r})):
    print(record.artefact.format, record.status)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["onnx passed", "torchscript not run"], done.stderr


def test_a_format_that_nothing_runs_is_an_error(master: Path, tiny_model: Exportable) -> None:
    with pytest.raises(InputError, match="no backend runs this format; received tflite"):
        measure_artefact(master / "model.onnx", "tflite", tiny_model.spec, np.ones((1, 2)), {})


def test_the_session_is_closed_when_the_comparison_fails(
    master: Path, tiny_model: Exportable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceport.runtime.sessions.onnxruntime import OnnxRuntimeSession

    closed: list[bool] = []
    monkeypatch.setattr(OnnxRuntimeSession, "close", lambda self: closed.append(True))
    inputs = np.ones((1, 3, 32, 24), np.float32)
    with pytest.raises(ParityError):
        measure_artefact(master / "model.onnx", "onnx", tiny_model.spec, inputs, {})
    assert closed == [True]
