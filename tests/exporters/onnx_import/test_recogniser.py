"""What an import finds out about recognisers, measured on graphs made by hand and a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from faceport.bundle import Bundle
from faceport.errors import ExportError, InputError
from faceport.exporters.onnx_import import ImportOptions, import_onnx
from faceport.images import Image
from faceport.runtime.embedder import open_embedder
from faceport.runtime.types import Detection, Embedding

SAID: dict[str, Any] = {
    "color_order": "rgb",
    "mean": (127.5, 127.5, 127.5),
    "std": (128.0, 128.0, 128.0),
}
LANDMARKS = np.array([[30, 40], [60, 38], [46, 58], [34, 76], [58, 75]], np.float32)


def imported(path: Path, **options: Any) -> Bundle:
    chosen = ImportOptions("recogniser", **{**SAID, **options})
    return import_onnx(path, path.with_suffix(".bundle"), chosen)


def notes(bundle: Bundle) -> str:
    return "\n".join(bundle.manifest.artefacts[0].notes)


def embedded(bundle: Bundle, count: int = 6) -> list[Embedding]:
    rng = np.random.default_rng(1)
    box = np.array([10, 10, 90, 100], np.float32)
    faces = []
    for _ in range(count):
        pixels = rng.integers(0, 256, (120, 110, 3), dtype=np.uint8)
        faces.append((Image(pixels, "rgb"), Detection(box, 0.9, LANDMARKS)))
    return open_embedder(bundle.path).embed(faces)


def test_a_plain_recogniser(graphs: Any) -> None:
    bundle = imported(graphs.recogniser())
    spec = bundle.spec
    assert (spec.task, spec.family, spec.embedding_dim) == ("embedder", "recogniser", 32)
    assert not spec.normalized
    assert spec.max_batch is None
    assert spec.inputs[0].shape == ("batch", 3, 112, 112)
    assert [record.batch for record in bundle.manifest.artefacts[0].parity] == [1, 5]
    assert len(embedded(bundle)) == 6


def test_whether_it_normalises_is_measured(graphs: Any) -> None:
    assert imported(graphs.recogniser(head="unit")).spec.normalized


def test_a_graph_that_folds_the_batch_runs_one_face_at_a_time(graphs: Any) -> None:
    """Six faces would come out as one row of 192 numbers."""
    bundle = imported(graphs.recogniser(head="fold", name="fold.onnx"))
    assert bundle.spec.max_batch == 1
    assert "folds the batch: two pictures give shape (1, 64) instead of (2, 32)" in notes(bundle)
    # The same weights without the fold give the same faces.
    plain = imported(graphs.recogniser(name="plain.onnx"))
    for one, other in zip(embedded(bundle), embedded(plain), strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)
    vectors = np.stack([one.vector for one in embedded(bundle)])
    assert vectors.shape == (6, 32)


def test_a_graph_that_mixes_the_batch_runs_one_face_at_a_time(graphs: Any) -> None:
    bundle = imported(graphs.recogniser(head="centred on the batch"))
    assert bundle.spec.max_batch == 1
    assert "together differs from two runs of one" in notes(bundle)


def test_a_fixed_batch_of_one(graphs: Any) -> None:
    bundle = imported(graphs.recogniser(batch=1))
    assert bundle.spec.max_batch == 1
    assert "fixes its batch axis at 1" in notes(bundle)
    assert len(embedded(bundle)) == 6


def test_a_fixed_batch_of_four_is_refused(graphs: Any) -> None:
    with pytest.raises(ExportError, match="takes 4 pictures at a time"):
        imported(graphs.recogniser(batch=4))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_the_layout_is_read_from_the_shape(graphs: Any, layout: str) -> None:
    bundle = imported(graphs.recogniser(layout=layout, name=f"{layout}.onnx"))
    assert bundle.spec.preprocess.layout == layout
    other = imported(graphs.recogniser(name="reference.onnx"))
    for one, two in zip(embedded(bundle), embedded(other), strict=True):
        np.testing.assert_allclose(one.vector, two.vector, atol=1e-6)


def test_raw_pixels(graphs: Any) -> None:
    path = graphs.recogniser(layout="nhwc", dtype=TensorProto.UINT8)
    bundle = imported(path, mean=None, std=None)
    assert bundle.spec.preprocess.dtype == "uint8"
    assert len(embedded(bundle)) == 6


@pytest.mark.parametrize("dtype", ["FLOAT16", "INT64", "INT32", "DOUBLE"])
def test_other_inputs_are_refused(graphs: Any, dtype: str) -> None:
    path = graphs.recogniser(dtype=getattr(TensorProto, dtype))
    with pytest.raises(ExportError, match="expected float32, or uint8 for raw pixels"):
        imported(path)


def test_outputs_that_are_not_numbers_are_refused(graphs: Any) -> None:
    with pytest.raises(ExportError, match="is not finite on a test picture"):
        imported(graphs.recogniser(head="nan"))


def test_half_precision_weights_are_noted(graphs: Any) -> None:
    path = graphs.recogniser()
    model = onnx.load(path)
    weight = model.graph.initializer[0]
    half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), "half")
    model.graph.initializer.append(half)
    cast = onnx.helper.make_node("Cast", ["half"], [weight.name], to=TensorProto.FLOAT)
    model.graph.initializer.remove(weight)
    model.graph.node.insert(0, cast)
    onnx.save(model, path)
    assert "weights are float16" in notes(imported(path))


def test_open_sizes_need_the_callers_word(graphs: Any) -> None:
    path = graphs.recogniser(size=None)
    with pytest.raises(InputError, match="give --height, --width, --geometry"):
        imported(path)
    bundle = imported(path, height=112, width=96)
    assert (bundle.spec.preprocess.height, bundle.spec.preprocess.width) == (112, 96)
    assert len(embedded(bundle)) == 6


def test_an_output_beside_the_embedding_passes_through(graphs: Any) -> None:
    bundle = imported(graphs.recogniser(head="with norm"))
    assert bundle.spec.embedding_dim == 32
    # The embedding goes first, whatever the graph's order; it is not guessed that (N, 1) is a norm.
    assert len(bundle.spec.outputs) == 2
    assert bundle.spec.norm_output is None
    (extra,) = embedded(bundle, 1)[0].extras.values()
    assert np.size(extra) == 1


def test_two_possible_embeddings_need_a_name(graphs: Any) -> None:
    path = graphs.recogniser(head="two")
    with pytest.raises(InputError, match="several outputs could be the embedding") as caught:
        imported(path)
    names = [output.name for output in onnx.load(path).graph.output]
    assert all(name in str(caught.value) for name in names)
    bundle = imported(path, embedding_output=names[1])
    assert bundle.spec.output_names == (names[1], names[0])
    # Two outputs are two embedding spaces: a gallery must be able to tell them apart.
    first = imported(path, embedding_output=names[0]).spec.fingerprint
    assert bundle.spec.fingerprint != first
    assert imported(path, embedding_output=names[0]).spec.fingerprint == first
    with pytest.raises(InputError, match="no such embedding among the outputs"):
        imported(path, embedding_output="nothing")


def test_a_detector_is_no_recogniser(weights: Path, tmp_path: Path) -> None:
    for name in ("scrfd_500m_kps", "yolov8_lite_t_face"):
        with pytest.raises(ExportError, match="no output is an embedding"):
            import_onnx(
                weights / f"{name}.onnx",
                tmp_path / "rec.bundle",
                ImportOptions("recogniser", **SAID, geometry="crop"),
            )
    assert list(tmp_path.iterdir()) == []


def test_preprocessing_is_never_guessed(graphs: Any) -> None:
    path = graphs.recogniser()
    with pytest.raises(InputError, match="--color-order, --mean, --std"):
        import_onnx(path, path.with_suffix(".bundle"), ImportOptions("recogniser"))
    assert not path.with_suffix(".bundle").exists()


def test_preprocessing_is_in_the_fingerprint(graphs: Any) -> None:
    path = graphs.recogniser()
    fingerprints = {
        imported(path).manifest.fingerprint,
        imported(path, color_order="bgr").manifest.fingerprint,
        imported(graphs.recogniser(seed=1)).manifest.fingerprint,
    }
    assert len(fingerprints) == 3


def test_an_exported_recogniser_comes_back_the_same(tiny_bundle: Bundle, tmp_path: Path) -> None:
    """A network exported by faceport and imported as a stranger's file."""
    original = tiny_bundle
    spec_file = tmp_path / "spec.json"
    spec_file.write_text(original.spec.to_json())
    bundle = import_onnx(
        original.path / "model.onnx",
        tmp_path / "again.bundle",
        ImportOptions("recogniser", spec_file=spec_file),
    )
    assert bundle.spec.preprocess == original.spec.preprocess
    assert bundle.spec.embedding_dim == original.spec.embedding_dim
    assert bundle.spec.normalized == original.spec.normalized
    assert bundle.spec.max_batch is None
    for one, other in zip(embedded(bundle), embedded(original), strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)
