"""External data: found wherever it hides, and never outside the file's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from faceport.errors import ExportError
from faceport.exporters.onnx_import.external import external_files


def outside(location: str, name: str = "w") -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def model_with(place: str, tensor: TensorProto) -> ModelProto:
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [], [])
    model = helper.make_model(graph)
    if place == "initializer":
        model.graph.initializer.append(tensor)
    elif place == "sparse initializer":
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    elif place == "attribute":
        constant = helper.make_node("Constant", [], ["c"], value=tensor)
        model.graph.node.append(constant)
    elif place == "subgraph":
        inner = helper.make_graph([], "inner", [], [], initializer=[tensor])
        branch = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
        model.graph.node.append(branch)
    else:
        constant = helper.make_node("Constant", [], ["c"], value=tensor)
        model.functions.add(name="f", domain="d").node.append(constant)
    return model


PLACES = ["initializer", "sparse initializer", "attribute", "subgraph", "function"]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_searched(place: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(8))
    model = model_with(place, outside("weights.bin"))
    assert external_files(model, tmp_path) == (tmp_path / "weights.bin",)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "location",
    ["../weights.bin", "/etc/hostname", "a/../../weights.bin", "..", "", "..\\weights.bin", "a\0b"],
)
def test_a_path_out_of_the_folder_is_refused(place: str, location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(8))
    with pytest.raises(ExportError, match="keeps weights in another file that cannot be used"):
        external_files(model_with(place, outside(location)), folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(8))
    (folder / "weights.bin").symlink_to(tmp_path / "secret")
    with pytest.raises(ExportError, match="not a link out of it"):
        external_files(model_with("initializer", outside("weights.bin")), folder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"received 'weights\.bin'"):
        external_files(model_with("initializer", outside("weights.bin")), tmp_path)


def test_several_tensors_of_one_file_are_one_file(tmp_path: Path) -> None:
    for name in ("b.bin", "a.bin"):
        (tmp_path / name).write_bytes(bytes(8))
    model = model_with("initializer", outside("b.bin", "one"))
    model.graph.initializer.extend([outside("b.bin", "two"), outside("a.bin", "three")])
    assert external_files(model, tmp_path) == (tmp_path / "a.bin", tmp_path / "b.bin")


def test_a_file_of_its_own_has_none(tmp_path: Path) -> None:
    inside = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    assert external_files(model_with("initializer", inside), tmp_path) == ()
