"""Reading ONNX files: whole ones, and all the ways a file can be none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from faceport.bundle import sha256_of
from faceport.errors import ExportError, InputError
from faceport.exporters.onnx_import import reading
from faceport.exporters.onnx_import.reading import read_onnx


def test_a_real_file(weights: Path) -> None:
    path = weights / "yolov8_lite_t_face.onnx"
    file = read_onnx(path)
    assert file.sha256 == file.weights_sha256 == sha256_of(path)
    assert file.opset == 11
    assert file.metadata["license"] == "AGPL-3.0 https://ultralytics.com/license"
    assert not file.has_float16


def test_the_name_does_not_choose_the_parser(weights: Path, tmp_path: Path) -> None:
    # onnx.load would take this for its JSON format.
    path = tmp_path / "model.json"
    path.write_bytes((weights / "yunet_n_dynamic.onnx").read_bytes())
    assert read_onnx(path).opset == 11


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(weights: Path, tmp_path: Path, share: float) -> None:
    data = (weights / "yunet_n_dynamic.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ExportError, match=r"cut\.onnx is no usable ONNX file"):
        read_onnx(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 100, b"not a model", json.dumps({"irVersion": "8"}).encode(), b"PK\x03\x04zip"],
    ids=["empty", "zeros", "text", "json", "zip"],
)
def test_a_file_of_something_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(data)
    with pytest.raises(ExportError, match="is no usable ONNX file"):
        read_onnx(path)


def test_checkpoints_and_photographs_are_no_onnx(weights: Path, photos: Path) -> None:
    for path in (
        weights / "mobilefacenet_flat_112x112_512d.pth",
        photos / "groups" / "friends_6_faces.jpg",
    ):
        with pytest.raises(ExportError, match="is no usable ONNX file"):
            read_onnx(path)


def test_a_graph_that_contradicts_itself(weights: Path, tmp_path: Path) -> None:
    model = onnx.load(weights / "yunet_n_dynamic.onnx")
    model.graph.node[3].input[0] = "nowhere"
    path = tmp_path / "broken.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r"broken\.onnx is no usable ONNX file"):
        read_onnx(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.onnx"):
        with pytest.raises(InputError, match="is not there"):
            read_onnx(path)


@pytest.fixture
def split(weights: Path, tmp_path: Path) -> Callable[[float], Path]:
    """Writes the real YuNet with its weights beside it, one of them changed by a number."""

    def write(change: float) -> Path:
        model = onnx.load(weights / "yunet_n_dynamic.onnx")
        tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
        values = numpy_helper.to_array(tensor).copy()
        values.flat[0] += change
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        folder = tmp_path / f"by {change}"
        folder.mkdir()
        onnx.save(
            model,
            folder / "model.onnx",
            save_as_external_data=True,
            location="model.onnx.data",
            size_threshold=1024,
        )
        return folder / "model.onnx"

    return write


def test_external_data_is_read_into_memory(split: Callable[[float], Path], weights: Path) -> None:
    model = read_onnx(split(0.0)).model
    whole = onnx.load(weights / "yunet_n_dynamic.onnx")
    for mine, theirs in zip(model.graph.initializer, whole.graph.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(mine), numpy_helper.to_array(theirs))


def test_external_weights_are_in_the_hash_of_the_weights(split: Callable[[float], Path]) -> None:
    # Two models may share a graph file to the byte: their embeddings must not share a gallery.
    first, second = read_onnx(split(0.0)), read_onnx(split(1.0))
    assert first.sha256 == second.sha256
    assert first.weights_sha256 != second.weights_sha256


def test_external_data_that_is_too_short(split: Callable[[float], Path]) -> None:
    path = split(0.0)
    data = path.with_name("model.onnx.data")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(ExportError, match="its external data"):
        read_onnx(path)


def test_a_model_too_large_for_one_file(
    split: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIMIT", 100_000)
    with pytest.raises(ExportError, match="too large for one ONNX file"):
        read_onnx(split(0.0))
