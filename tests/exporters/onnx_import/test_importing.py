"""The whole import: what lies in the bundle, and that a failure leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from faceport.bundle import Bundle, sha256_of
from faceport.errors import BundleError, ExportError, InputError, ParityError, SessionError
from faceport.exporters.onnx_import import ImportOptions, import_onnx, writing
from faceport.runtime.verify import verify_bundle
from faceport.spec import METADATA_KEY

SCRFD = ImportOptions("scrfd")


def test_what_the_manifest_says(detectors: dict[str, Path], weights: Path) -> None:
    bundle = Bundle.open(detectors["scrfd"])
    original = weights / "scrfd_500m_kps.onnx"
    (artefact,) = bundle.manifest.artefacts
    assert (artefact.format, artefact.precision, artefact.opset) == ("onnx", "fp32", 12)
    assert artefact.reference == "imported file"
    assert set(artefact.tools) == {"onnx", "onnxruntime"}
    assert artefact.notes[0] == f"imported from {original.name}, sha256 {sha256_of(original)}"
    (record,) = artefact.parity
    assert (record.batch, record.max_abs_diff) == (1, 0.0)
    assert bundle.spec.source.file == original.name
    assert bundle.spec.source.sha256 == bundle.spec.weights_sha256 == sha256_of(original)
    assert bundle.manifest.created.endswith("+00:00")


@pytest.mark.parametrize("family", ["scrfd", "yunet", "yolov8-face"])
def test_the_graph_is_untouched_but_for_its_metadata(
    detectors: dict[str, Path], weights: Path, family: str
) -> None:
    bundle = Bundle.open(detectors[family])
    mine = onnx.load(bundle.path / "model.onnx")
    theirs = onnx.load(weights / bundle.spec.source.file)
    added = [entry for entry in mine.metadata_props if entry.key == METADATA_KEY]
    assert len(added) == 1
    assert len(mine.metadata_props) == len(theirs.metadata_props) + 1
    del mine.metadata_props[:], theirs.metadata_props[:]
    assert mine == theirs


@pytest.mark.parametrize("family", ["scrfd", "yunet", "yolov8-face"])
def test_the_bundle_can_be_verified(detectors: dict[str, Path], family: str) -> None:
    (verified,) = verify_bundle(Bundle.open(detectors[family]))
    assert verified.status == "passed"
    assert verified.parity[0].max_abs_diff <= 1e-6


@pytest.mark.parametrize("head", ["plain", "fold", "unit", "two", "with norm"])
def test_recognisers_can_be_verified(graphs: Any, tmp_path: Path, head: str) -> None:
    path = graphs.recogniser(head=head)
    name = onnx.load(path).graph.output[-1].name
    options = ImportOptions(
        "recogniser",
        color_order="bgr",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        embedding_output=name,
    )
    (verified,) = verify_bundle(import_onnx(path, tmp_path / "rec.bundle", options))
    assert verified.status == "passed", verified.problem


def test_a_proof_tells_changed_weights(detectors: dict[str, Path], tmp_path: Path) -> None:
    """The outputs in the proof move with the weights: it is no proof of nothing."""
    bundle = Bundle.open(detectors["scrfd"])
    model = onnx.load(bundle.path / "model.onnx")
    tensor = next(t for t in model.graph.initializer if t.name.endswith("stride_cls.(8, 8).bias"))
    values = numpy_helper.to_array(tensor).copy()
    tensor.CopyFrom(numpy_helper.from_array(values + 0.01, tensor.name))
    changed = tmp_path / "model.onnx"
    onnx.save(model, changed)
    arrays = bundle.proof()
    outputs = {k.removeprefix("output."): v for k, v in arrays.items() if k != "input"}
    figures = writing.measure_artefact(changed, "onnx", bundle.spec, arrays["input"], outputs)
    with pytest.raises(ParityError, match="does not compute"):
        writing.check(figures, writing.tolerance_for("fp32"), "model.onnx")


def test_an_import_of_an_import_is_the_same_model(
    detectors: dict[str, Path], tmp_path: Path
) -> None:
    again = import_onnx(detectors["yunet"] / "model.onnx", tmp_path / "b", ImportOptions("yunet"))
    first = Bundle.open(detectors["yunet"])
    assert again.spec.detector == first.spec.detector
    carried = onnx.load(again.path / "model.onnx").metadata_props
    assert [entry.key for entry in carried].count(METADATA_KEY) == 1


def test_external_data_ends_in_the_one_file(weights: Path, tmp_path: Path) -> None:
    model = onnx.load(weights / "yunet_n_dynamic.onnx")
    source = tmp_path / "split.onnx"
    onnx.save(model, source, save_as_external_data=True, location="split.data", size_threshold=1024)
    bundle = import_onnx(source, tmp_path / "det.bundle", ImportOptions("yunet"))
    assert sorted(p.name for p in bundle.path.iterdir()) == [
        "manifest.json",
        "model.onnx",
        "proof.npz",
    ]
    shutil.move(tmp_path / "split.data", tmp_path / "elsewhere")
    (verified,) = verify_bundle(bundle)
    assert verified.status == "passed"


def test_external_data_outside_the_folder(weights: Path, tmp_path: Path) -> None:
    model = onnx.load(weights / "yunet_n_dynamic.onnx")
    folder = tmp_path / "in"
    folder.mkdir()
    source = folder / "split.onnx"
    onnx.save(model, source, save_as_external_data=True, location="split.data", size_threshold=1024)
    shutil.move(folder / "split.data", tmp_path / "split.data")
    data = source.read_bytes().replace(b"split.data", b"../s.data.")
    source.write_bytes(data)
    (tmp_path / "s.data.").write_bytes((tmp_path / "split.data").read_bytes())
    with pytest.raises(ExportError, match=r"received '\.\./s\.data\.'"):
        import_onnx(source, tmp_path / "det.bundle", ImportOptions("yunet"))


def test_steps_are_told_in_order(weights: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    import_onnx(
        weights / "yunet_n_dynamic.onnx", tmp_path / "b", ImportOptions("yunet"), steps.append
    )
    assert [step.split(":")[0] for step in steps] == ["read", "run", "write", "parity"]


@pytest.mark.parametrize("data", [b"", b"not a model"])
def test_bad_files_leave_nothing(tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "bad.onnx"
    source.write_bytes(data)
    with pytest.raises(ExportError, match="is no usable ONNX file"):
        import_onnx(source, tmp_path / "det.bundle", SCRFD)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.onnx"]


def test_an_operator_that_onnxruntime_lacks(graphs: Any, tmp_path: Path) -> None:
    path = graphs.recogniser()
    model = onnx.load(path)
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    onnx.save(model, path)
    with pytest.raises(SessionError, match="could not be loaded by onnxruntime"):
        import_onnx(path, tmp_path / "det.bundle", SCRFD)
    assert not (tmp_path / "det.bundle").exists()


def test_a_failure_keeps_the_old_bundle(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "det.bundle"
    old = import_onnx(weights / "yunet_n_dynamic.onnx", target, ImportOptions("yunet"))

    def differing(*_: object) -> None:
        raise ParityError("the file differs")

    monkeypatch.setattr(writing, "check", differing)
    with pytest.raises(ParityError):
        import_onnx(weights / "scrfd_500m_kps.onnx", target, SCRFD)
    assert Bundle.open(target).manifest == old.manifest
    assert [p.name for p in tmp_path.iterdir()] == ["det.bundle"]


def test_a_target_that_is_no_bundle_is_left_alone(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        import_onnx(weights / "yunet_n_dynamic.onnx", tmp_path, ImportOptions("yunet"))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        import_onnx(tmp_path / "none.onnx", tmp_path / "det.bundle", SCRFD)


def test_the_proof_is_what_the_file_gives(detectors: dict[str, Path], weights: Path) -> None:
    """Against onnxruntime itself, without anything of faceport's in between."""
    import onnxruntime

    proof = Bundle.open(detectors["scrfd"]).proof()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(weights / "scrfd_500m_kps.onnx"), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {"images": proof["input"]})
    for name, value in zip(names, values, strict=True):
        np.testing.assert_allclose(proof[f"output.{name}"], value, atol=1e-5)
        assert np.ptp(value) > 0.01
