"""fp16 and int8: of the real recognisers on real faces, and of a small network in all ways."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from faceport import Pipeline
from faceport.bundle import Bundle
from faceport.converters import convert
from faceport.errors import ParityError
from faceport.exporters import Exportable, ExportOptions, export_bundle
from faceport.runtime.verify import verify_bundle

pytestmark = pytest.mark.xdist_group("reduced")

WEIGHTS = {
    "flat": "mobilefacenet_flat_112x112_512d.pth",
    "blocks": "mobilefacenet_blocks_112x96_128d.ckpt",
}
ALL = ("fp32", "fp16", "int8")
# Pictures of one person each; adaface_1 and adaface_2 show the same one.
OTHERS = {
    "adaface_1.jpeg": "adaface-a",
    "adaface_2.jpeg": "adaface-a",
    "adaface_3.jpeg": "adaface-b",
    "adams.jpg": "adams",
    "carell.jpg": "carell",
}
TESTS = {"alex_lacamoire1.jpg": "alex_lacamoire", "johnsnow_test1.jpg": "kit_harington"}


@pytest.fixture(scope="module", params=WEIGHTS)
def reduced(
    request: pytest.FixtureRequest,
    weights: Path,
    photos: Path,
    detectors: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    options = ExportOptions(
        formats=("onnx",),
        precisions=ALL,
        calibration=photos,
        calibration_detector=detectors["scrfd"],
    )
    model = convert(weights / WEIGHTS[request.param])
    return export_bundle(model, tmp_path_factory.mktemp("reduced") / "m.bundle", options)


def people(pipeline: Pipeline, photos: Path) -> list[tuple[str, np.ndarray]]:  # type: ignore[type-arg]
    """The photographs that show one known person each."""
    paths = sorted((photos / "identities" / "train").glob("*/*"))
    named = [(path.parent.name, path) for path in paths]
    pairs = sorted((photos / "pairs").glob("*-[12].jpg"))
    named += [(path.name.rsplit("-", 1)[0], path) for path in pairs]
    named += [(person, photos / "pairs" / name) for name, person in OTHERS.items()]
    named += [(person, photos / "identities" / "test" / name) for name, person in TESTS.items()]
    return [(name, pipeline(path)[0].embedding.vector.astype(np.float64)) for name, path in named]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_same_and_different_people_do_not_overlap(
    reduced: Bundle, precision: str, photos: Path, detectors: dict[str, Path]
) -> None:
    with Pipeline.load(detectors["scrfd"], reduced.path, precision=precision) as pipeline:
        known = people(pipeline, photos)
    pairs = [(a == b, float(one @ two)) for (a, one), (b, two) in combinations(known, 2)]
    same = [cosine for is_same, cosine in pairs if is_same]
    different = [cosine for is_same, cosine in pairs if not is_same]
    assert len(same) >= 10
    assert len(different) >= 150
    assert min(same) > max(different)


def test_tolerances_hold_on_real_faces_and_files_shrink(reduced: Bundle) -> None:
    size = reduced.artefact("onnx").file.size_bytes
    half, eight = reduced.artefact("onnx", "fp16"), reduced.artefact("onnx", "int8")
    assert [record.batch for record in eight.faces] == [1, 5]
    for record in half.faces:
        assert record.min_cosine >= 0.9999
    for record in eight.faces:
        assert record.min_cosine >= 0.97
        assert record.mean_cosine is not None
        assert record.mean_cosine >= 0.99
    assert half.file.size_bytes <= 0.55 * size
    assert eight.file.size_bytes <= 0.35 * size


def test_the_manifest_says_what_was_decided_and_survives_being_read(reduced: Bundle) -> None:
    details = reduced.artefact("onnx", "int8").details
    assert details["calibrator"] == "minmax"
    assert details["calibration.faces"] == 30
    assert details["calibration.faces_held_out"] == 9
    assert details["kept_fp32.by_measurement"] == ()
    assert details["activations"] == "uint8"
    assert Bundle.open(reduced.path) == reduced
    assert reduced.artefact("onnx", "fp16").details["kept_fp32.norm_or_tiny"]


def test_verify_repeats_all_of_it(reduced: Bundle) -> None:
    assert [(v.artefact.precision, v.status) for v in verify_bundle(reduced)] == [
        (precision, "passed") for precision in ALL
    ]


def test_no_face_travels_in_the_bundle(reduced: Bundle) -> None:
    assert len(reduced.proof()["input"]) == 5


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty smooth pictures of the tiny network's size."""
    folder: Path = tmp_path_factory.mktemp("crops")
    small = np.random.default_rng(4).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    for number, one in enumerate(small):
        Image.fromarray(one).resize((24, 32)).save(folder / f"{number:03}.png")
    return folder


def tiny_options(crops: Path) -> ExportOptions:
    return ExportOptions(formats=("onnx",), precisions=("int8",), calibration=crops)


@pytest.mark.parametrize("calibrator", ["minmax", "entropy", "percentile"])
@pytest.mark.parametrize("target", ["onnxruntime", "tensorrt"])
def test_every_calibrator_and_target(
    tiny_model: Exportable, crops: Path, tmp_path: Path, calibrator: str, target: str
) -> None:
    options = replace(tiny_options(crops), calibrator=calibrator, target=target)
    bundle = export_bundle(tiny_model, tmp_path / "m.bundle", options)
    artefact = bundle.artefact("onnx", "int8")
    assert artefact.details["calibrator"] == calibrator
    model = onnx.load(bundle.path / artefact.file.path)
    types = {c.name: onnx.TensorProto.DataType.Name(c.data_type) for c in model.graph.initializer}
    zeros = {types[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    wanted = {"onnxruntime": {"UINT8"}, "tensorrt": {"INT8"}}[target]
    assert zeros == wanted
    assert ("INT32" in types.values()) == (target == "onnxruntime")
    assert (target == "tensorrt") == any(node.op_type == "PRelu" for node in model.graph.node)


def test_layers_that_were_named_stay_fp32(
    tiny_model: Exportable, crops: Path, tmp_path: Path
) -> None:
    options = replace(tiny_options(crops), keep_fp32=("Conv",))
    bundle = export_bundle(tiny_model, tmp_path / "m.bundle", options)
    details = bundle.artefact("onnx", "int8").details
    assert details["layers"] == 1
    assert len(details["kept_fp32.asked"]) == 3  # type: ignore[arg-type]


def test_past_the_tolerance_the_export_fails_with_the_figures_and_leaves_nothing(
    tiny_model: Exportable, crops: Path, tmp_path: Path
) -> None:
    options = replace(tiny_options(crops), min_mean_cosine=1.0)
    with pytest.raises(ParityError, match=r"on real faces, model\.int8\.onnx.*mean cosine 0\.9"):
        export_bundle(tiny_model, tmp_path / "m.bundle", options)
    assert list(tmp_path.iterdir()) == []


def test_another_tolerance_is_recorded(tiny_model: Exportable, crops: Path, tmp_path: Path) -> None:
    options = replace(tiny_options(crops), min_cosine=0.5, min_mean_cosine=0.5)
    bundle = export_bundle(tiny_model, tmp_path / "m.bundle", options)
    artefact = bundle.artefact("onnx", "int8")
    assert artefact.tolerance is not None
    assert artefact.tolerance.min_cosine == 0.5
    assert verify_bundle(bundle)[0].status == "passed"
