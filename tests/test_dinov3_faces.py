"""The face path with DINOv3: box, crop widened by a fifth, antialiased resize, class token.

The artefacts against the golden outputs, and the whole pipeline against torch alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceport import Pipeline
from faceport.bundle import Bundle
from faceport.converters import ConvertOptions, convert
from faceport.exporters import ExportOptions, export_bundle
from faceport.images import load_image
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions import FORMAT_BACKENDS, open_session
from faceport.runtime.types import Detection, Face

DIMS = {"dinov3_vits16": 384, "dinov3_convnext_tiny": 768}
# A worker of pytest-xdist gets all tests of a layout, so that it is exported once.
LAYOUTS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in DIMS]
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

Exported = Callable[..., Bundle]
Float64 = NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def exported(
    synthetic_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    @cache
    def export(layout: str, side: int = 256) -> Bundle:
        options = ConvertOptions(input_height=side, input_width=side)
        model = convert(synthetic_checkpoint(layout), options)
        formats = ("onnx", "torchscript") if side == 256 else ("torchscript",)
        target = tmp_path_factory.mktemp(layout) / "m.bundle"
        return export_bundle(model, target, ExportOptions(formats=formats))

    return export


def check_golden(bundle: Bundle, format: str, reference: Path, layout: str, side: int) -> None:
    with np.load(reference / "golden" / f"{layout}.npz") as data:
        pixels, wanted = data[f"image_rgb_{side}x{side}"], data[f"embedding_{side}x{side}"]
    session = open_session(bundle.path / bundle.artefact(format).file.path, FORMAT_BACKENDS[format])
    outputs = session.run({"input": to_tensor(pixels, "rgb", bundle.spec.preprocess)})
    session.close()
    unit, wanted = outputs["embedding"].astype(np.float64), wanted.astype(np.float64)
    length = np.linalg.norm(wanted, axis=1, keepdims=True)
    assert len(wanted) >= 2
    assert np.einsum("nd,nd->n", unit, wanted / length).min() >= 0.99999
    np.testing.assert_allclose(unit * outputs["norm"], wanted, atol=2e-5)


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_artefact_computes_what_the_original_code_computed(
    layout: str, format: str, exported: Exported, reference: Path
) -> None:
    check_golden(exported(layout), format, reference, layout, 256)


@pytest.mark.xdist_group("dinov3_vits16")
def test_so_does_one_for_pictures_of_another_size(exported: Exported, reference: Path) -> None:
    check_golden(exported("dinov3_vits16", 224), "torchscript", reference, "dinov3_vits16", 224)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_random_weights_pass_the_ordinary_tolerance_by_far(layout: str, exported: Exported) -> None:
    for artefact in exported(layout).manifest.artefacts:
        assert max(record.max_abs_diff for record in artefact.parity) <= 1e-5
        assert min(record.min_cosine for record in artefact.parity) >= 0.999999


@pytest.mark.xdist_group("dinov3_vits16")
def test_the_graph_has_positions_as_constants_and_one_normalisation_each(
    exported: Exported,
) -> None:
    import onnx

    model = onnx.load(exported("dinov3_vits16").path / "model.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert not {"Sin", "Cos", "Range", "ReduceMean", "Pow"} & set(kinds)
    assert kinds.count("LayerNormalization") == 2 * 12 + 1
    assert kinds.count("Softmax") == kinds.count("Erf") == 12


def by_torch(
    model: torch.nn.Module, pixels: NDArray[np.uint8], detections: list[Detection]
) -> NDArray[np.float32]:
    """Cut, resize, normalise and embed without any of the runtime."""
    height, width = pixels.shape[:2]
    crops = []
    for detection in detections:
        x1, y1, x2, y2 = (float(v) for v in detection.bbox)
        wider, taller = 0.2 * (x2 - x1), 0.2 * (y2 - y1)
        left, top = max(0, math.floor(x1 - wider)), max(0, math.floor(y1 - taller))
        right, bottom = min(width, math.ceil(x2 + wider)), min(height, math.ceil(y2 + taller))
        crop = torch.from_numpy(pixels[top:bottom, left:right].copy()).permute(2, 0, 1).float()
        resized = torch.nn.functional.interpolate(
            crop[None].contiguous(), (256, 256), mode="bilinear", antialias=True
        )
        crops.append((resized[0] / 255 - MEAN) / STD)
    with torch.inference_mode():
        features = model(torch.stack(crops))
    return torch.nn.functional.normalize(features).numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_face_path_is_what_torch_alone_computes(
    layout: str,
    exported: Exported,
    synthetic_checkpoint: Callable[[str], Path],
    detectors: dict[str, Path],
    photos: Path,
) -> None:
    raw = convert(synthetic_checkpoint(layout), ConvertOptions(normalize=False)).module
    paths = [photos / "groups" / "friends_6_faces.jpg", photos / "pairs" / "clapton-1.jpg"]
    bundle = exported(layout).path
    with Pipeline.load(detectors["yolov8-face"], bundle) as pipeline:
        found = pipeline.process(paths)
        alone = pipeline(paths[1])
    assert [len(faces) for faces in found] == [6, 1]
    for path, faces in zip(paths, found, strict=True):
        pixels = load_image(path).in_order("rgb")
        detections = [face.detection for face in faces]
        wanted = by_torch(lambda x: raw(x)[0], pixels, detections)  # type: ignore[arg-type]
        vectors = np.stack([face.embedding.vector for face in faces])
        assert vectors.shape == (len(faces), DIMS[layout])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        cosines = np.einsum("nd,nd->n", vectors.astype(np.float64), wanted)
        # Half a level of rounding, which torch does not do, is all that differs.
        assert cosines.min() >= 0.9999
        assert np.abs(vectors - wanted).max() <= 5e-3
    check_same(alone, found[1])


def check_same(faces: list[Face], others: list[Face]) -> None:
    for face, other in zip(faces, others, strict=True):
        np.testing.assert_allclose(face.embedding.vector, other.embedding.vector, atol=1e-5)


@pytest.mark.xdist_group("dinov3_convnext_tiny")
def test_the_command_embeds_what_the_library_embeds(
    exported: Exported,
    detectors: dict[str, Path],
    photos: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from faceport.commands import run

    photo = photos / "pairs" / "clapton-1.jpg"
    bundle = str(exported("dinov3_convnext_tiny").path)
    detector = str(detectors["yolov8-face"])
    models = ["--detector", detector, "--embedder", bundle]
    assert run(["embed", *models, str(photo), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["images"]
    with Pipeline.load(detector, bundle) as pipeline:
        (face,) = pipeline(photo)
    (printed,) = record["faces"]
    vector = np.array(printed["embedding"]["vector"])
    np.testing.assert_allclose(vector, face.embedding.vector, atol=1e-5)
