from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from faceport.bundle import Bundle
from faceport.errors import ExportError
from faceport.exporters import Exportable, ExportOptions
from faceport.exporters import onnx as exporter
from faceport.runtime import parity
from faceport.runtime.sessions import open_session
from faceport.spec import METADATA_KEY, ModelSpec, TensorSpec

pytestmark = pytest.mark.xdist_group("exports")


@pytest.fixture(scope="module")
def model(tiny_bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(tiny_bundle.path / "model.onnx")


def nested(message: Any) -> list[Any]:
    """All messages in a protobuf message, found through its printed form's own fields."""
    found = [message]
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for child in [value] if hasattr(value, "ListFields") else list(value):
                found += nested(child)
    return found


def test_the_opset_recorded_is_the_files(tiny_bundle: Bundle, model: onnx.ModelProto) -> None:
    versions = {entry.domain: entry.version for entry in model.opset_import}
    assert tiny_bundle.artefact("onnx").opset == versions[""]


def test_an_opset_that_torch_does_not_write_is_recorded_as_what_came(
    tiny_model: Exportable, tmp_path: Path
) -> None:
    options = ExportOptions(opset=16, simplify=False)
    exported = exporter.export(tiny_model.module, tiny_model.spec, tmp_path, options)
    written = onnx.load(tmp_path / "model.onnx").opset_import[0].version
    assert exported.opset == written
    # The newer torch that can write 16 will need no note, and this test another number.
    assert written != 16
    assert exported.notes == (f"opset 16 was asked for, the exporter gave {written}",)


def test_an_opset_asked_for_is_given(tiny_model: Exportable, tmp_path: Path) -> None:
    options = ExportOptions(opset=20, simplify=False)
    exported = exporter.export(tiny_model.module, tiny_model.spec, tmp_path, options)
    assert (exported.opset, exported.notes) == (20, ())
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == 20


def test_the_axes_are_named_and_sized_as_the_spec_says(model: onnx.ModelProto) -> None:
    (entry,) = model.graph.input
    dims = entry.type.tensor_type.shape.dim
    assert entry.name == "input"
    assert dims[0].dim_param == "batch"
    assert [dim.dim_value for dim in dims[1:]] == [3, 32, 24]
    assert [output.name for output in model.graph.output] == ["embedding", "norm"]
    for output in model.graph.output:
        assert output.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_only_metadata_is_the_spec(tiny_bundle: Bundle, model: onnx.ModelProto) -> None:
    assert [entry.key for entry in model.metadata_props] == [METADATA_KEY]
    assert ModelSpec.from_json(model.metadata_props[0].value) == tiny_bundle.spec
    for message in nested(model)[1:]:
        fields = {field.name for field, _ in message.ListFields()}
        assert not fields & {"metadata_props", "doc_string", "value_info"}, message


def test_no_path_of_the_exporting_machine_is_in_the_file(tiny_bundle: Bundle) -> None:
    import faceport

    data = (tiny_bundle.path / "model.onnx").read_bytes()
    assert str(Path(faceport.__file__).parent).encode() not in data
    assert str(Path(torch.__file__).parent).encode() not in data


def test_batch_norms_are_folded_into_the_convolutions(model: onnx.ModelProto) -> None:
    kinds = [node.op_type for node in model.graph.node]
    assert "BatchNormalization" not in kinds
    assert kinds.count("Conv") == 3


@pytest.mark.parametrize("batch", [1, 2, 5, 8])
def test_any_batch_runs_and_rows_do_not_depend_on_it(
    tiny_bundle: Bundle, tiny_model: Exportable, batch: int
) -> None:
    inputs = np.random.default_rng(batch).normal(size=(batch, 3, 32, 24)).astype(np.float32)
    session = open_session(tiny_bundle.path / "model.onnx", "onnxruntime")
    outputs = session.run({"input": inputs})
    session.close()
    with torch.inference_mode():
        wanted = tiny_model.module(torch.from_numpy(inputs))
    assert outputs["embedding"].shape == (batch, 16)
    np.testing.assert_allclose(outputs["embedding"], wanted[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(outputs["norm"], wanted[1].numpy(), rtol=1e-5)


def test_the_same_input_gives_the_same_bytes(tiny_model: Exportable, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        exporter.export(tiny_model.module, tiny_model.spec, tmp_path / name, ExportOptions())
        files.append((tmp_path / name / "model.onnx").read_bytes())
        assert [path.name for path in (tmp_path / name).iterdir()] == ["model.onnx"]
    assert files[0] == files[1]


def test_nothing_is_printed_logged_or_warned(
    tiny_model: Exportable,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter.export(tiny_model.module, tiny_model.spec, tmp_path, ExportOptions(opset=16))
    assert capfd.readouterr() == ("", "")
    # torch's structured trace has no text, and goes nowhere unless a file is set for it.
    assert [record.getMessage() for record in caplog.records if record.getMessage()] == []


class Untraceable(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if pixels.sum() > 0:
            return (pixels.flatten(1),)
        return (pixels.flatten(1) * 2,)


def test_what_torch_cannot_export_is_an_export_error(
    tiny_model: Exportable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match="could not export tiny_16 to ONNX") as caught:
        exporter.export(Untraceable(), tiny_model.spec, tmp_path, ExportOptions())
    assert caught.value.__cause__ is not None
    assert len(str(caught.value)) < 600
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "outputs",
    [
        (
            TensorSpec("embedding", "float32", ("batch", 15)),
            TensorSpec("norm", "float32", ("batch", 1)),
        ),
        (TensorSpec("embedding", "float32", (2, 16)), TensorSpec("norm", "float32", ("batch", 1))),
        (
            TensorSpec("embedding", "float16", ("batch", 16)),
            TensorSpec("norm", "float32", ("batch", 1)),
        ),
    ],
    ids=["width", "fixed batch", "dtype"],
)
def test_a_graph_that_is_not_what_the_spec_says_is_refused(
    tiny_model: Exportable, tmp_path: Path, outputs: tuple[TensorSpec, ...]
) -> None:
    spec = replace(tiny_model.spec, outputs=outputs)
    with pytest.raises(ExportError, match="outputs are not the spec's"):
        exporter.export(tiny_model.module, spec, tmp_path, ExportOptions(simplify=False))


def test_more_than_one_file_can_hold_is_refused_before_the_work(
    tiny_model: Exportable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the exporter ran")

    monkeypatch.setattr(torch.onnx, "export", never)
    with torch.device("meta"):
        large = torch.nn.Linear(2**15, 2**15)
    with pytest.raises(ExportError, match=r"4\.0 GiB of weights.*less than 2 GiB.*torchscript"):
        exporter.export(large, tiny_model.spec, tmp_path, ExportOptions())


def test_a_graph_that_grows_past_one_file_is_refused(
    tiny_model: Exportable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = sum(t.numel() * t.element_size() for t in tiny_model.module.state_dict().values())
    monkeypatch.setattr(exporter, "MAX_BYTES", weights)
    with pytest.raises(ExportError, match="does not fit into one ONNX file"):
        exporter.export(tiny_model.module, tiny_model.spec, tmp_path, ExportOptions(simplify=False))
    assert list(tmp_path.iterdir()) == []


def test_the_parity_recorded_is_within_the_tolerance(tiny_bundle: Bundle) -> None:
    records = tiny_bundle.artefact("onnx").parity
    assert [record.batch for record in records] == [1, 5]
    parity.check(records, parity.TOLERANCES["fp32"], "model.onnx")
