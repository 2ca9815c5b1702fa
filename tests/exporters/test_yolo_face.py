"""An Ultralytics checkpoint as a bundle, and its faces against Ultralytics' own prediction code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceport.bundle import Bundle
from faceport.commands import run
from faceport.converters import ConvertOptions, convert
from faceport.converters.ultralytics_package import import_ultralytics
from faceport.exporters import ExportOptions, export_bundle
from faceport.images import load_image
from faceport.runtime.detectors import FaceDetector, open_detector
from faceport.runtime.letterbox import fit, letterbox
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.verify import verify_bundle

SIZE = {"input_height": 192, "input_width": 160}
SCORE, IOU = 0.1, 0.6

pytestmark = pytest.mark.xdist_group("yolo_face")


@pytest.fixture(scope="module")
def bundle(
    yolo_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    options = ConvertOptions(family="yolo-face", trust_checkpoint=True, **SIZE)
    conversion = convert(yolo_checkpoint("yolov8n-pose", keypoints=(5, 3)), options)
    target = tmp_path_factory.mktemp("yolo") / "yolo.bundle"
    return export_bundle(conversion, target, ExportOptions(formats=("onnx", "torchscript")))


@pytest.fixture(scope="module")
def detector(bundle: Bundle) -> FaceDetector:
    return open_detector(bundle.path, score_threshold=SCORE, nms_threshold=IOU)


def test_every_artefact_is_proven(bundle: Bundle) -> None:
    assert [item.format for item in bundle.manifest.artefacts] == ["onnx", "torchscript"]
    for artefact in bundle.manifest.artefacts:
        assert [record.batch for record in artefact.parity] == [1, 5]
        assert all(record.max_abs_diff < 1e-4 for record in artefact.parity)
    assert {record.status for record in verify_bundle(bundle)} == {"passed"}
    assert "AGPL-3.0" in bundle.spec.source.license


@pytest.mark.parametrize(
    "photo", ["groups/friends_6_faces.jpg", "groups/friends_6_faces.jpg turned"]
)
def test_faces_are_those_of_ultralytics_from_the_same_tensor(
    detector: FaceDetector, photos: Path, photo: str
) -> None:
    image = load_image(photos / photo.removesuffix(" turned"))
    if photo.endswith("turned"):
        turned = np.ascontiguousarray(np.rot90(image.pixels))
        image = load_image(turned, color_order=image.color_order)
    pixels, _ = letterbox(image, detector.spec.preprocess)
    tensor = to_tensor(pixels[None], image.color_order, detector.spec.preprocess)
    output = detector.session.run({"input": tensor})["predictions"]
    boxes, scores, points = ultralytics_faces(output, (image.height, image.width))
    (found,) = detector.detect([image])
    assert len(found) == len(scores) > 20
    np.testing.assert_allclose([face.score for face in found], scores, atol=1e-6)
    np.testing.assert_allclose([face.bbox for face in found], boxes, atol=0.01)
    most = [image.width, image.height]
    clipped = [np.clip(face.landmarks, 0, most) for face in found]
    np.testing.assert_allclose(clipped, points, atol=0.01)


def ultralytics_faces(
    output: NDArray[np.float32], picture: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Boxes, scores and points in picture pixels, as Ultralytics' pose predictor computes them."""
    import_ultralytics()
    from ultralytics.utils import nms, ops

    size = (SIZE["input_height"], SIZE["input_width"])
    raw = torch.from_numpy(output.copy())
    (faces,) = nms.non_max_suppression(raw, SCORE, IOU, nc=1, max_det=1000, max_time_img=60)
    boxes = ops.scale_boxes(size, faces[:, :4].clone(), picture)
    points = ops.scale_coords(size, faces[:, 6:].reshape(-1, 5, 3).clone(), picture)
    return boxes.numpy(), faces[:, 4].numpy(), points[..., :2].numpy()


@pytest.mark.parametrize(("height", "width"), [(480, 640), (641, 333), (97, 1000), (192, 160)])
def test_a_picture_lies_where_ultralytics_puts_it(
    detector: FaceDetector, height: int, width: int
) -> None:
    import_ultralytics()
    from ultralytics.utils import ops

    place = fit(height, width, detector.spec.preprocess)
    corners = torch.tensor([[20.0, 30.0, 120.0, 150.0]])
    size = (SIZE["input_height"], SIZE["input_width"])
    theirs = ops.scale_boxes(size, corners.clone(), (height, width)).numpy().reshape(-1, 2)
    ours = place.to_image(corners.numpy().reshape(-1, 2)).clip(0, [width, height])
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_the_command_says_the_licence_on_the_screen(
    yolo_checkpoint: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = yolo_checkpoint("yolov8n")
    words = ["export", "--checkpoint", str(file), "--family", "yolo-face", "--trust-checkpoint"]
    size = ["--input-height", "64", "--input-width", "96", "--formats", "torchscript"]
    assert run([*words, *size, "--output", str(tmp_path / "d.bundle")]) == 0
    assert "AGPL-3.0" in capfd.readouterr().err
    spec = Bundle.open(tmp_path / "d.bundle").spec
    assert (spec.preprocess.height, spec.preprocess.width) == (64, 96)
    assert run(["inspect", str(tmp_path / "d.bundle")]) == 0
    assert "AGPL-3.0" in capfd.readouterr().out
