"""Opening a detector: from a bundle, from a lone file, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from faceport.bundle import Bundle
from faceport.errors import (
    BundleError,
    BundleIntegrityError,
    InputError,
    ProviderUnavailableError,
    SessionError,
    SpecError,
)
from faceport.images import load_image
from faceport.runtime.detectors import DetectionLimits, opening
from faceport.runtime.detectors.opening import open_detector
from faceport.runtime.sessions import SessionOptions


def test_a_bundle_opens_with_its_own_limits(detectors: dict[str, Path]) -> None:
    detector = open_detector(str(detectors["scrfd"]))
    assert detector.limits == DetectionLimits(0.5, 0.4, 0, 0.0)
    assert detector.provider == "onnxruntime/cpu"
    assert detector.spec == Bundle.open(detectors["scrfd"]).spec


def test_a_lone_file_explains_itself(
    detectors: dict[str, Path], tmp_path: Path, photos: Path
) -> None:
    alone = tmp_path / "anything.onnx"
    shutil.copy(detectors["yunet"] / "model.onnx", alone)
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    detector = open_detector(alone)
    assert detector.spec == Bundle.open(detectors["yunet"]).spec
    assert len(detector.detect([image])[0]) == 6


def test_limits_overrule_the_spec(detectors: dict[str, Path], photos: Path) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    source = detectors["yunet"]
    plain = open_detector(source).detect([image])[0]
    assert len(open_detector(source, score_threshold=0.05).detect([image])[0]) > 6
    assert len(open_detector(source, nms_threshold=1.0).detect([image])[0]) > 6
    (best,) = open_detector(source, max_faces=1).detect([image])[0]
    assert best.score == plain[0].score
    sides = sorted(float(min(f.bbox[2] - f.bbox[0], f.bbox[3] - f.bbox[1])) for f in plain)
    large = open_detector(source, min_size=sides[2]).detect([image])[0]
    assert len(large) == 4


def test_a_changed_byte_is_found(detectors: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.bundle"
    shutil.copytree(detectors["scrfd"], copy)
    model = copy / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleIntegrityError, match="was changed after the export"):
        open_detector(copy)


def test_an_onnx_file_without_a_spec_is_refused(weights: Path) -> None:
    with pytest.raises(SpecError, match="faceport import-onnx"):
        open_detector(weights / "scrfd_500m_kps.onnx")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        open_detector(tmp_path / "nothing.bundle")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(SessionError):
        open_detector(tmp_path / "empty.onnx")


def test_a_provider_that_is_not_there_is_an_error(detectors: dict[str, Path]) -> None:
    with pytest.raises(ProviderUnavailableError):
        open_detector(detectors["scrfd"], SessionOptions(providers=("warp-drive",)))


@pytest.mark.parametrize("what", ["an embedder", "a limit out of range"])
def test_the_session_is_closed_where_opening_fails(
    what: str,
    detectors: dict[str, Path],
    session_double: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = Bundle.open(detectors["scrfd"]).spec
    embedder = replace(spec, task="embedder", detector=None, embedding_dim=512)
    double = session_double(dict, spec=embedder if what == "an embedder" else spec)
    monkeypatch.setattr(opening, "open_model", lambda *_, **__: (double, double.spec))
    source = detectors["scrfd"] / "model.onnx"
    with pytest.raises(InputError) as caught:
        open_detector(source, score_threshold=2.0)
    expected = "is no detector; received task embedder" if "embedder" in what else "0 to 1"
    assert expected in str(caught.value)
    assert double.closed == 1
