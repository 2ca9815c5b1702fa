"""Ultralytics' checkpoints: what is read, what is refused, and that the output is theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceport.converters import ConvertOptions, convert
from faceport.converters.checkpoint import read_checkpoint
from faceport.errors import (
    CheckpointError,
    InputError,
    KeyMismatchError,
    UnknownArchitectureError,
    UntrustedCheckpointError,
)
from faceport.exporters.onnx_import.families import DETECTORS
from faceport.models.yolo_face import YoloFace

Checkpoint = Callable[..., Path]
TRUSTED = ConvertOptions(
    family="yolo-face", trust_checkpoint=True, input_height=96, input_width=160
)
ANCHORS = 12 * 20 + 6 * 10 + 3 * 5


@pytest.mark.parametrize(
    ("config", "keypoints", "channels"),
    [
        ("yolov8n-pose", (5, 3), 20),
        ("yolo11n-pose", (5, 2), 15),
        ("yolov8n", None, 5),
        ("yolo11n", None, 5),
    ],
)
def test_it_computes_what_ultralytics_computes(
    yolo_checkpoint: Checkpoint, config: str, keypoints: tuple[int, int] | None, channels: int
) -> None:
    file = yolo_checkpoint(config, keypoints=keypoints)
    conversion = convert(file, TRUSTED)
    content = read_checkpoint(file, trust=True, ultralytics=True)
    theirs = content["model"].float().eval()  # type: ignore[index]
    pixels = torch.rand(3, 3, 96, 160, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        (ours,), (expected, _) = conversion.module(pixels), theirs(pixels)
    assert ours.shape == (3, channels, ANCHORS)
    assert 0.02 < float(expected[:, 4].std()) < 0.5
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    spec = conversion.spec
    assert (spec.task, spec.family, spec.arch) == ("detector", "yolo-face", config)
    assert spec.outputs[0].shape == ("batch", channels, ANCHORS)
    assert spec.detector is not None
    assert spec.detector.keypoints == (5 if keypoints else 0)


def test_the_spec_is_that_of_an_imported_graph_of_the_family(yolo_checkpoint: Checkpoint) -> None:
    spec = convert(yolo_checkpoint("yolov8n-pose", keypoints=(5, 3)), TRUSTED).spec
    defaults = DETECTORS["yolov8-face"]
    assert spec.detector is not None
    assert spec.detector.strides == (8, 16, 32)
    assert spec.detector.score_threshold == defaults.score_threshold
    assert spec.detector.nms_threshold == defaults.nms_threshold
    expected = (defaults.preprocess.mean, defaults.preprocess.std, defaults.preprocess.pad_value)
    assert (spec.preprocess.mean, spec.preprocess.std, spec.preprocess.pad_value) == expected
    assert spec.preprocess.pad_anchor == defaults.preprocess.pad_anchor
    assert spec.preprocess.color_order == defaults.preprocess.color_order
    assert (spec.preprocess.height, spec.preprocess.width) == (96, 160)


def test_the_licence_is_in_the_spec_and_among_the_warnings(yolo_checkpoint: Checkpoint) -> None:
    spec = convert(yolo_checkpoint("yolov8n-pose", keypoints=(5, 3)), TRUSTED).spec
    assert "AGPL-3.0" in spec.source.license
    assert any("AGPL-3.0" in warning for warning in spec.warnings)


def test_a_head_without_nms_is_left_out_and_named(yolo_checkpoint: Checkpoint) -> None:
    spec = convert(yolo_checkpoint("yolo26n"), TRUSTED).spec
    assert spec.dropped_keys
    assert all(".one2one_" in key for key in spec.dropped_keys)


@pytest.mark.parametrize("trust", [False, True])
def test_without_the_family_it_is_named_and_refused(
    yolo_checkpoint: Checkpoint, trust: bool
) -> None:
    file = yolo_checkpoint("yolov8n-pose", keypoints=(5, 3))
    with pytest.raises(UntrustedCheckpointError) as caught:
        convert(file, ConvertOptions(trust_checkpoint=trust))
    assert "reference to ultralytics." in str(caught.value)
    assert "--family yolo-face --trust-checkpoint" in str(caught.value)
    assert "faceport[yolo]" in str(caught.value)


def test_without_trust_it_is_refused(yolo_checkpoint: Checkpoint) -> None:
    with pytest.raises(UntrustedCheckpointError, match="--trust-checkpoint"):
        convert(yolo_checkpoint("yolov8n"), ConvertOptions(family="yolo-face"))


@pytest.mark.parametrize(("keypoints", "classes"), [((17, 3), 1), (None, 3)])
def test_what_finds_no_faces_is_refused(
    yolo_checkpoint: Checkpoint, keypoints: tuple[int, int] | None, classes: int
) -> None:
    config = "yolov8n" if keypoints is None else "yolov8n-pose"
    file = yolo_checkpoint(config, keypoints=keypoints, classes=classes)
    expected = r"kpt_shape \(17, 3\)" if keypoints else "3 classes face, person, cat"
    with pytest.raises(UnknownArchitectureError, match=expected):
        convert(file, TRUSTED)


@pytest.mark.parametrize(
    "options",
    [
        {"input_height": 100},
        {"input_width": 16},
        {"arch": "yolov8n"},
        {"head": "features"},
        {"pool": "cls"},
    ],
)
def test_options_that_do_not_fit_are_refused(
    yolo_checkpoint: Checkpoint, options: dict[str, object]
) -> None:
    chosen = ConvertOptions(family="yolo-face", trust_checkpoint=True, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--input-height|[Ll]eave it out"):
        convert(yolo_checkpoint("yolov8n"), chosen)


@pytest.mark.parametrize("content", [{"state_dict": {"w": torch.ones(2)}}, {}, [1, 2]])
def test_a_file_of_something_else_is_refused(content: object, save: Callable[..., Path]) -> None:
    with pytest.raises(UnknownArchitectureError, match="no Ultralytics detector"):
        convert(save(content), TRUSTED)


def test_damaged_files_are_refused(yolo_checkpoint: Checkpoint, tmp_path: Path) -> None:
    whole = yolo_checkpoint("yolov8n").read_bytes()
    for share in (0, 1, 50, 99):
        (tmp_path / "cut.pt").write_bytes(whole[: len(whole) * share // 100])
        with pytest.raises(CheckpointError):
            convert(tmp_path / "cut.pt", TRUSTED)


def test_another_formula_in_the_package_is_noticed(
    yolo_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = YoloFace.forward
    monkeypatch.setattr(YoloFace, "forward", lambda self, pixels: forward(self, pixels) * 1.001)
    with pytest.raises(KeyMismatchError, match="another output"):
        convert(yolo_checkpoint("yolov8n"), TRUSTED)
