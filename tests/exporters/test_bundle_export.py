from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image

import faceport.exporters.bundle_export as subject
from faceport.bundle import Bundle
from faceport.errors import BundleError, ExportError, InputError, ParityError
from faceport.exporters import (
    Exportable,
    Exported,
    Exporter,
    ExportOptions,
    export_bundle,
    graph_artefacts,
)
from faceport.exporters.probe import drawn_pictures
from faceport.exporters.registry import exporter_of
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions import open_session
from faceport.spec import ModelSpec

pytestmark = pytest.mark.xdist_group("exports")

SCRIPT = ExportOptions(formats=("torchscript",))
ONNX = ExportOptions(formats=("onnx",), simplify=False)


@dataclass(frozen=True)
class Model:
    module: torch.nn.Module
    spec: ModelSpec


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Whatever happens inside, the folder ends as it was."""
    before = contents(folder)
    yield
    assert contents(folder) == before
    assert {p.name for p in folder.iterdir()} == {name.split("/")[0] for name in before}


@pytest.fixture
def old(tmp_path: Path, tiny_model: Exportable) -> Path:
    """A folder with a bundle that is to be replaced, or not."""
    export_bundle(tiny_model, tmp_path / "m.bundle", SCRIPT)
    return tmp_path


def test_a_bundle_holds_its_artefacts_its_proof_and_nothing_else(tiny_bundle: Bundle) -> None:
    assert sorted(contents(tiny_bundle.path)) == [
        "manifest.json",
        "model.onnx",
        "model.pt2",
        "model.torchscript",
        "proof.npz",
    ]
    assert [a.format for a in tiny_bundle.manifest.artefacts] == ["onnx", "torchscript", "pt2"]
    for record in tiny_bundle.files():
        tiny_bundle.checked_file(record)
    assert Bundle.open(tiny_bundle.path) == tiny_bundle


def test_the_manifest_says_what_was_measured_and_with_what(
    tiny_bundle: Bundle, tiny_model: Exportable
) -> None:
    assert tiny_bundle.spec == tiny_model.spec
    assert tiny_bundle.manifest.fingerprint == tiny_model.spec.fingerprint
    for artefact in tiny_bundle.manifest.artefacts:
        assert artefact.precision == "fp32"
        assert artefact.reference == "checkpoint"
        assert artefact.tools["torch"] == torch.__version__
        assert [record.batch for record in artefact.parity] == [1, 5]
        for record in artefact.parity:
            assert record.min_cosine >= 0.999999
            assert 0 <= record.max_abs_diff <= 1e-4
    assert [a.opset is None for a in tiny_bundle.manifest.artefacts] == [False, True, True]


def test_the_proof_is_what_the_module_computes(tiny_bundle: Bundle, tiny_model: Exportable) -> None:
    proof = tiny_bundle.proof()
    assert sorted(proof) == ["input", "output.embedding", "output.norm"]
    pixels = drawn_pictures(32, 24)
    np.testing.assert_array_equal(
        proof["input"], to_tensor(pixels, "rgb", tiny_model.spec.preprocess)
    )
    with torch.inference_mode():
        embedding, norm = tiny_model.module(torch.from_numpy(proof["input"]))
    np.testing.assert_allclose(proof["output.embedding"], embedding.numpy(), atol=1e-6)
    np.testing.assert_allclose(proof["output.norm"], norm.numpy(), rtol=1e-6)


def test_steps_are_told_in_order(tiny_model: Exportable, tmp_path: Path) -> None:
    steps: list[str] = []
    export_bundle(tiny_model, tmp_path / "m.bundle", SCRIPT, steps.append)
    assert steps == [
        "checkpoint: computing the reference",
        "torchscript: exporting",
        "torchscript: measuring parity",
        "bundle: writing",
    ]


def test_a_fused_bundle_takes_raw_pixels_and_gives_the_same_embeddings(
    tiny_model: Exportable, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    options = ExportOptions(formats=("onnx", "torchscript", "pt2"), fuse_preprocess=True)
    fused = export_bundle(tiny_model, tmp_path / "m.bundle", options)
    assert fused.manifest.fingerprint == tiny_bundle.manifest.fingerprint
    proof, plain = fused.proof(), tiny_bundle.proof()
    np.testing.assert_array_equal(proof["input"], drawn_pictures(32, 24))
    np.testing.assert_array_equal(proof["output.embedding"], plain["output.embedding"])
    for artefact, backend in (
        ("onnx", "onnxruntime"),
        ("torchscript", "torchscript"),
        ("pt2", "pt2"),
    ):
        session = open_session(fused.path / fused.artefact(artefact).file.path, backend)
        assert session.inputs[0].dtype == "uint8"
        outputs = session.run({"input": proof["input"]})
        session.close()
        np.testing.assert_allclose(outputs["embedding"], plain["output.embedding"], atol=1e-5)


def test_parity_is_measured_on_the_photographs_given(
    tiny_model: Exportable, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(3).integers(0, 256, (7, 32, 24, 3), dtype=np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(photos / f"{number}.png")
    options = replace(SCRIPT, parity_images=photos)
    bundle = export_bundle(tiny_model, tmp_path / "m.bundle", options)
    wanted = to_tensor(pixels, "rgb", tiny_model.spec.preprocess)
    np.testing.assert_array_equal(bundle.proof()["input"], wanted)


def test_a_model_without_a_dynamic_batch_is_measured_alone(
    tiny_model: Exportable, tmp_path: Path
) -> None:
    model = Model(tiny_model.module, replace(tiny_model.spec, max_batch=1))
    bundle = export_bundle(model, tmp_path / "m.bundle", SCRIPT)
    assert [r.batch for r in bundle.artefact("torchscript").parity] == [1]


def test_raw_features_keep_their_length(tiny_model: Exportable, tmp_path: Path) -> None:
    class Raw(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            embedding, norm = network(pixels)
            return (embedding * norm,)

    network = tiny_model.module
    spec = replace(
        tiny_model.spec, outputs=tiny_model.spec.outputs[:1], norm_output=None, normalized=False
    )
    options = ExportOptions(formats=("onnx", "torchscript"), simplify=False)
    bundle = export_bundle(Model(Raw().eval(), spec), tmp_path / "m.bundle", options)
    lengths = np.linalg.norm(bundle.proof()["output.embedding"], axis=1)
    assert np.abs(lengths - 1).min() > 0.01
    assert [a.parity[1].batch for a in bundle.manifest.artefacts] == [5, 5]


def with_perturbed_weight(exporter: Exporter) -> Exporter:
    def export(module, spec, folder, options) -> Exported:  # type: ignore[no-untyped-def]
        exported = exporter(module, spec, folder, options)
        model = onnx.load(folder / exported.file)
        weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
        values = numpy_helper.to_array(weight) * np.float32(1.01)
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        onnx.save(model, folder / exported.file)
        return exported

    return export


def with_swapped_spec(exporter: Exporter) -> Exporter:
    def export(module, spec, folder, options) -> Exported:  # type: ignore[no-untyped-def]
        other = replace(spec, preprocess=replace(spec.preprocess, color_order="rgb"))
        return exporter(module, other, folder, options)

    return export


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (with_perturbed_weight, r"model\.onnx does not compute.*batch 1.*cosine.*max \|Δ\|"),
        (with_swapped_spec, r"model\.onnx carries another spec"),
    ],
)
def test_a_wrong_artefact_fails_the_export_and_leaves_the_old_bundle(
    old: Path,
    tiny_model: Exportable,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Exporter], Exporter],
    message: str,
) -> None:
    monkeypatch.setattr(graph_artefacts, "exporter_of", lambda name: spoil(exporter_of(name)))
    with nothing_left(old), pytest.raises(ParityError, match=message):
        export_bundle(tiny_model, old / "m.bundle", ONNX)
    with nothing_left(old), pytest.raises(ParityError, match=message):
        export_bundle(tiny_model, old / "new.bundle", ONNX)


class NotFinite(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        flat = pixels.flatten(1)[:, :17]
        return flat[:, :16] / 0, flat[:, 16:]


class OneOutput(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (pixels.flatten(1)[:, :16],)


class WrongSize(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (pixels.reshape(7, 7),)


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (NotFinite().eval(), ParityError, "reference of output 'embedding' is not finite"),
        (OneOutput().eval(), ExportError, "1 outputs; expected embedding, norm"),
        (WrongSize().eval(), ExportError, "does not run on its own input"),
        (OneOutput().train(), ExportError, "training mode"),
    ],
)
def test_a_module_that_is_not_what_its_spec_says_is_refused(
    tiny_model: Exportable,
    tmp_path: Path,
    module: torch.nn.Module,
    error: type[Exception],
    message: str,
) -> None:
    model = Model(module, tiny_model.spec)
    with nothing_left(tmp_path), pytest.raises(error, match=message):
        export_bundle(model, tmp_path / "m.bundle", SCRIPT)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse longer files, as a full disk does, in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("options", [ONNX, SCRIPT, ExportOptions(formats=("pt2",))])
def test_a_disk_that_fills_up_leaves_the_old_bundle(
    old: Path, tiny_model: Exportable, options: ExportOptions
) -> None:
    export_bundle(tiny_model, old / "m.bundle", options)
    size = Bundle.open(old / "m.bundle").manifest.artefacts[0].file.size_bytes
    for target in ("m.bundle", "new.bundle"):
        with nothing_left(old), no_file_larger_than(size - 1), pytest.raises(BundleError) as caught:
            export_bundle(tiny_model, old / target, options)
        assert "could not be written: File too large" in str(caught.value)


@pytest.mark.parametrize("step", ["write_proof", "write_manifest", "record_of"])
def test_a_disk_full_at_any_later_step_leaves_the_old_bundle(
    old: Path, tiny_model: Exportable, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(subject, step, full)
    with nothing_left(old), pytest.raises(BundleError, match="No space left on device"):
        export_bundle(tiny_model, old / "m.bundle", SCRIPT)


@pytest.mark.parametrize(
    ("options", "function"),
    [
        (SCRIPT, "torch.jit.save"),
        (ExportOptions(formats=("pt2",)), "torch.export.save"),
        (ONNX, "torch.onnx.export"),
    ],
)
def test_torchs_own_write_errors_are_export_errors(
    old: Path,
    tiny_model: Exportable,
    monkeypatch: pytest.MonkeyPatch,
    options: ExportOptions,
    function: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")

    monkeypatch.setattr(function, fail)
    with nothing_left(old), pytest.raises(ExportError, match=r"inline_container\.cc"):
        export_bundle(tiny_model, old / "m.bundle", options)


@pytest.mark.parametrize("at", range(4))
def test_ctrl_c_at_any_step_leaves_the_old_bundle(
    old: Path, tiny_model: Exportable, at: int
) -> None:
    steps: list[str] = []

    def interrupt(step: str) -> None:
        steps.append(step)
        if len(steps) > at:
            raise KeyboardInterrupt

    with nothing_left(old), pytest.raises(KeyboardInterrupt):
        export_bundle(tiny_model, old / "m.bundle", SCRIPT, interrupt)
    assert len(steps) == at + 1


def test_a_bundle_is_replaced_whole(old: Path, tiny_model: Exportable) -> None:
    export_bundle(tiny_model, old / "m.bundle", ExportOptions(formats=("pt2",)))
    assert sorted(contents(old / "m.bundle")) == ["manifest.json", "model.pt2", "proof.npz"]
    assert [p.name for p in old.iterdir()] == ["m.bundle"]


def test_a_folder_that_is_no_bundle_is_left_alone(tiny_model: Exportable, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    steps: list[str] = []
    with nothing_left(tmp_path), pytest.raises(BundleError, match="is not a bundle"):
        export_bundle(tiny_model, tmp_path / "photos", SCRIPT, steps.append)
    assert steps == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions(formats=("tflite",)), "tflite; expected onnx, torchscript, pt2"),
        (ExportOptions(formats=()), "formats are not a list"),
        (ExportOptions(formats=("onnx", "onnx")), "formats are not a list of different"),
        (ExportOptions(precisions=("int3",)), "int3; expected fp32"),
        (ExportOptions(precisions=()), "precisions are not a list"),
        (ExportOptions(parity_images=Path("/nowhere")), "no folder"),
    ],
)
def test_options_are_checked_before_anything_is_done(
    tiny_model: Exportable, tmp_path: Path, options: ExportOptions, message: str
) -> None:
    with nothing_left(tmp_path), pytest.raises(InputError, match=message):
        export_bundle(tiny_model, tmp_path / "m.bundle", options)
