from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxslim
import pytest
from onnx import helper, numpy_helper

from faceport.bundle import Bundle
from faceport.exporters import Exportable, ExportOptions
from faceport.exporters import onnx as exporter
from faceport.exporters.onnx_simplify import simplified
from faceport.spec import ModelSpec

pytestmark = pytest.mark.xdist_group("exports")


@pytest.fixture(scope="module")
def plain(tiny_model: Exportable, tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """The tiny network, not simplified."""
    folder = tmp_path_factory.mktemp("plain")
    options = ExportOptions(simplify=False)
    exported = exporter.export(tiny_model.module, tiny_model.spec, folder, options)
    assert exported.notes == ()
    assert "onnxslim" not in exported.tools
    return onnx.load(folder / exported.file)


def padded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with two nodes that do nothing before its outputs' producers."""
    longer = onnx.ModelProto()
    longer.CopyFrom(model)
    first = longer.graph.node[0]
    for step in range(2):
        node = helper.make_node("Identity", [first.input[0]], [f"same_{step}"])
        longer.graph.node.insert(step, node)
    first = next(node for node in longer.graph.node if node.op_type == "Conv")
    first.input[0] = "same_1"
    return longer


def test_what_onnxslim_removes_is_gone_and_the_input_is_left_alone(
    plain: onnx.ModelProto, tiny_model: Exportable, tmp_path: Path
) -> None:
    longer = padded(plain)
    before = longer.SerializeToString()
    result, note = simplified(longer, tiny_model.spec, tmp_path)
    assert len(result.graph.node) <= len(plain.graph.node)
    counts = f"{len(longer.graph.node)} nodes became {len(result.graph.node)}"
    assert note == f"simplified with onnxslim: {counts}"
    assert longer.SerializeToString() == before
    assert list(tmp_path.iterdir()) == []


def perturbed(model: onnx.ModelProto) -> onnx.ModelProto:
    weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.5
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return model


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    return model


def fixed(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 2
    return model


def broken(model: onnx.ModelProto) -> onnx.ModelProto:
    del model.graph.node[0]
    return model


def upgraded(model: onnx.ModelProto) -> onnx.ModelProto:
    model.opset_import[0].version += 1
    return model


def not_finite(model: onnx.ModelProto) -> onnx.ModelProto:
    weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
    values = np.full_like(numpy_helper.to_array(weight), np.nan)
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return model


def crashing(_: onnx.ModelProto) -> onnx.ModelProto:
    raise KeyError("a pass stumbled")


@pytest.mark.parametrize(
    "case",
    [
        (perturbed, "the simplified graph does not compute"),
        (renamed, "inputs are not the spec's"),
        (fixed, "outputs are not the spec's"),
        (broken, "invalid ONNX graph"),
        (upgraded, "onnxslim changed the opset"),
        (not_finite, "not finite"),
        (crashing, "onnxslim failed: KeyError"),
    ],
)
def test_a_simplification_that_changes_anything_is_dropped_and_noted(
    plain: onnx.ModelProto,
    tiny_model: Exportable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[Callable[[onnx.ModelProto], onnx.ModelProto], str],
) -> None:
    slim, reason = case
    monkeypatch.setattr(onnxslim, "slim", slim)
    before = plain.SerializeToString()
    result, note = simplified(plain, tiny_model.spec, tmp_path)
    assert note.startswith("not simplified: ")
    assert reason in note
    assert result.SerializeToString() == before
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_says_what_became_of_it(tiny_bundle: Bundle) -> None:
    note = tiny_bundle.artefact("onnx").notes[0]
    assert note.startswith("simplified with onnxslim: ")
    assert "onnxslim" in tiny_bundle.artefact("onnx").tools


def test_the_files_spec_survives_a_dropped_simplification(
    tiny_model: Exportable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxslim, "slim", crashing)
    exported = exporter.export(tiny_model.module, tiny_model.spec, tmp_path, ExportOptions())
    (note,) = exported.notes
    assert note.startswith("not simplified")
    (entry,) = onnx.load(tmp_path / exported.file).metadata_props
    assert ModelSpec.from_json(entry.value) == tiny_model.spec
