"""Detectors whose file fixes a size that the graph does not need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceport.bundle import Bundle
from faceport.errors import ExportError, InputError
from faceport.exporters.onnx_import import Family, ImportOptions, import_onnx, opening
from faceport.images import load_image
from faceport.runtime.detectors import open_detector
from faceport.runtime.detectors.detector import FaceDetector
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.verify import verify_bundle

SCRFD = ImportOptions("scrfd", open_size=True)


@pytest.fixture(scope="module")
def opened(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    output = tmp_path_factory.mktemp("opened") / "scrfd.bundle"
    return import_onnx(weights / "scrfd_500m_kps.onnx", output, SCRFD)


def test_the_input_follows_the_picture(opened: Bundle) -> None:
    wanted = opened.spec.preprocess
    assert (wanted.dynamic_size, wanted.size_multiple) == (True, 32)
    assert (wanted.height, wanted.width) == (640, 640)
    assert "fixes its input at 640×640" in "\n".join(opened.manifest.artefacts[0].notes)
    (verified,) = verify_bundle(opened)
    assert verified.status == "passed"


def test_it_computes_what_the_file_does_at_the_files_size(opened: Bundle, weights: Path) -> None:
    picture = np.random.default_rng(3).normal(0, 1, (1, 3, 640, 640)).astype(np.float32)
    files = (weights / "scrfd_500m_kps.onnx", opened.path / "model.onnx")
    runs = [
        open_session(f, "onnxruntime", SessionOptions()).run({"images": picture}) for f in files
    ]
    for name, values in runs[0].items():
        np.testing.assert_allclose(runs[1][name], values, rtol=1e-4, atol=1e-5)


def test_the_same_faces_are_found(opened: Bundle, detectors: dict[str, Path], photos: Path) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    free, fixed = open_detector(opened.path), open_detector(detectors["scrfd"])
    (mine,), (theirs,) = free.detect([image]), fixed.detect([image])
    assert len(mine) == len(theirs) == 6
    order = [np.argsort([face.bbox[0] for face in faces]) for faces in (mine, theirs)]
    for i, j in zip(*order, strict=True):
        eyes = theirs[j].landmarks
        assert eyes is not None
        reach = np.linalg.norm(eyes[0] - eyes[1])
        # The frame ends in zeros where it ended in black: landmarks move by a few hundredths.
        assert np.abs(mine[i].bbox - theirs[j].bbox).max() < 0.2 * reach
    assert isinstance(free, FaceDetector)


@pytest.mark.parametrize(
    ("file", "family", "kind", "reason"),
    [
        ("yolov8_lite_t_face.onnx", "yolov8-face", ExportError, "built into its operators"),
        ("yunet_n_dynamic.onnx", "yunet", InputError, "open already"),
        ("scrfd_500m_kps.onnx", "recogniser", InputError, "one size"),
    ],
)
def test_what_can_not_be_opened_is_refused(
    weights: Path, tmp_path: Path, file: str, family: Family, kind: type[Exception], reason: str
) -> None:
    output = tmp_path / "x.bundle"
    with pytest.raises(kind, match=reason):
        import_onnx(weights / file, output, ImportOptions(family, open_size=True))
    assert not output.exists()


def test_a_graph_that_computes_something_else_is_refused(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is below zero, so that equal outputs count as different.
    monkeypatch.setattr(opening, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="differs when the size"):
        import_onnx(weights / "scrfd_500m_kps.onnx", tmp_path / "x.bundle", SCRFD)
