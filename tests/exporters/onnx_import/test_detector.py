"""What an import finds out about detectors: real ones, and graphs of every published form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.bundle import Bundle
from faceport.errors import ExportError, InputError, SpecError
from faceport.exporters.onnx_import import ImportOptions, import_onnx
from faceport.exporters.onnx_import.detector import probe_pictures
from faceport.exporters.onnx_import.families import DETECTORS
from faceport.images import Image
from faceport.runtime.detectors import open_detector
from faceport.spec import DetectorSpec, ModelSpec


def imported(path: Path, family: str, **options: Any) -> Bundle:
    return import_onnx(path, path.with_suffix(".bundle"), ImportOptions(family, **options))


def notes(bundle: Bundle) -> str:
    return "\n".join(bundle.manifest.artefacts[0].notes)


def detected(bundle: Bundle, height: int, width: int) -> int:
    """Faces in noise, threshold 0: the bundle runs and its outputs can be decoded."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    detector = open_detector(bundle.path, score_threshold=0.0)
    found = detector.detect([Image(pixels, "rgb"), Image(pixels, "rgb")])
    assert len(found[0]) == len(found[1])
    return len(found[0])


def test_the_real_scrfd(detectors: dict[str, Path]) -> None:
    spec = Bundle.open(detectors["scrfd"]).spec
    assert spec.detector == DetectorSpec(
        decoder="scrfd",
        strides=(8, 16, 32),
        outputs={
            "scores": ("out0", "out1", "out2"),
            "boxes": ("out3", "out4", "out5"),
            "landmarks": ("out6", "out7", "out8"),
        },
        anchors_per_cell=2,
        score_threshold=0.5,
        nms_threshold=0.4,
    )
    assert spec.preprocess == DETECTORS["scrfd"].preprocess
    assert spec.max_batch == 1
    assert "the file fixes its batch axis at 1" in notes(Bundle.open(detectors["scrfd"]))
    assert "non-commercial" in spec.source.license


def test_the_real_yunet(detectors: dict[str, Path]) -> None:
    spec = Bundle.open(detectors["yunet"]).spec
    assert spec.detector is not None
    assert spec.detector.outputs["boxes"] == ("bbox_8", "bbox_16", "bbox_32")
    assert spec.detector.outputs["landmarks"] == ("kps_8", "kps_16", "kps_32")
    assert spec.preprocess.dynamic_size
    assert spec.preprocess.size_multiple == 32
    assert (spec.preprocess.color_order, spec.preprocess.std) == ("bgr", (1.0, 1.0, 1.0))
    assert spec.max_batch is None
    assert spec.inputs[0].shape == ("batch", 3, "height", "width")
    assert spec.source.license == "MIT"


def test_the_real_yolov8_face(detectors: dict[str, Path]) -> None:
    spec = Bundle.open(detectors["yolov8-face"]).spec
    assert spec.detector is not None
    assert spec.detector.outputs == {"maps": ("output0", "884", "892")}
    assert spec.preprocess == DETECTORS["yolov8-face"].preprocess
    assert spec.source.license == "AGPL-3.0 https://ultralytics.com/license"


@pytest.mark.parametrize("anchors", [1, 2])
@pytest.mark.parametrize("values", [(1, 4, 10), (1, 4)], ids=["landmarks", "boxes only"])
def test_scrfd_without_a_batch_axis(graphs: Any, anchors: int, values: tuple[int, ...]) -> None:
    bundle = imported(graphs.scrfd(anchors=anchors, values=values, batch_axis=False), "scrfd")
    assert bundle.spec.detector.anchors_per_cell == anchors
    assert bundle.spec.detector.keypoints == (5 if 10 in values else 0)
    assert bundle.spec.max_batch == 1
    assert detected(bundle, 50, 70) > 0


def test_flattened_scrfd_that_takes_any_batch_runs_one_by_one(graphs: Any) -> None:
    # insightface's published files: open axes, outputs (anchors, 1) for all pictures together.
    bundle = imported(graphs.scrfd(size=None, batch="N", batch_axis=False), "scrfd")
    assert bundle.spec.max_batch == 1
    assert "has no batch axis" in notes(bundle)
    assert bundle.spec.preprocess.dynamic_size
    assert detected(bundle, 100, 300) > 0


def test_scrfd_of_one_picture_and_open_size(graphs: Any) -> None:
    bundle = imported(graphs.scrfd(size=None), "scrfd", height=320, width=256)
    assert bundle.spec.preprocess.dynamic_size
    assert (bundle.spec.preprocess.height, bundle.spec.preprocess.width) == (320, 256)
    assert bundle.spec.inputs[0].shape == (1, 3, "height", "width")
    assert detected(bundle, 100, 300) > 0


def test_scrfd_of_five_levels_pads_to_its_largest_stride(graphs: Any) -> None:
    path = graphs.scrfd(size=None, anchors=1, values=(1, 4), strides=(8, 16, 32, 64, 128))
    bundle = imported(path, "scrfd")
    assert bundle.spec.preprocess.size_multiple == 128
    assert detected(bundle, 100, 300) > 0


@pytest.mark.parametrize("size", [None, (96, 64)], ids=["open", "fixed"])
def test_yunet(graphs: Any, size: tuple[int, int] | None) -> None:
    # Raw pixels of 0 to 255 would give these random weights exponents past float32.
    bundle = imported(graphs.yunet(size=size), "yunet", mean=(127.0,) * 3, std=(128.0,) * 3)
    assert bundle.spec.preprocess.dynamic_size == (size is None)
    assert bundle.spec.max_batch is None
    assert detected(bundle, 90, 60) > 0


@pytest.mark.parametrize("channels", [65, 75, 80])
@pytest.mark.parametrize("batch", [1, "N"])
def test_yolov8_maps(graphs: Any, channels: int, batch: int | str) -> None:
    bundle = imported(graphs.yolo_maps(channels=channels, batch=batch), "yolov8-face")
    assert bundle.spec.detector.keypoints == (0 if channels == 65 else 5)
    assert bundle.spec.max_batch == (1 if batch == 1 else None)
    assert bundle.spec.source.license == "MIT-0"  # The file's own word.
    assert detected(bundle, 90, 60) > 0


@pytest.mark.parametrize("channels", [5, 15, 20])
@pytest.mark.parametrize("size", [None, (64, 96)], ids=["open", "fixed"])
def test_yolov8_rows(graphs: Any, channels: int, size: tuple[int, int] | None) -> None:
    bundle = imported(graphs.yolo_rows(channels=channels, size=size, batch="N"), "yolov8-face")
    assert bundle.spec.detector.keypoints == (0 if channels == 5 else 5)
    assert bundle.spec.max_batch is None
    assert "AGPL" in bundle.spec.source.license
    assert detected(bundle, 90, 60) > 0


@pytest.mark.parametrize("family", ["scrfd", "yunet", "yolov8-face"])
def test_a_real_file_of_another_family_is_refused(
    weights: Path, tmp_path: Path, family: str
) -> None:
    files = {
        "scrfd_500m_kps": "scrfd",
        "yunet_n_dynamic": "yunet",
        "yolov8_lite_t_face": "yolov8-face",
    }
    for name, own in files.items():
        if own == family:
            continue
        with pytest.raises(ExportError, match=f"not those of the {family} family"):
            import_onnx(weights / f"{name}.onnx", tmp_path / "det.bundle", ImportOptions(family))
    assert list(tmp_path.iterdir()) == []


def test_a_recogniser_is_no_detector(graphs: Any) -> None:
    with pytest.raises(ExportError, match=r"received t\d+ \(1, 32\)"):
        imported(graphs.recogniser(), "scrfd")


def test_a_graph_without_its_sigmoid_is_refused(graphs: Any) -> None:
    with pytest.raises(ExportError, match="are no probabilities"):
        imported(graphs.scrfd(sigmoid=False), "scrfd")
    with pytest.raises(ExportError, match="are no probabilities"):
        imported(graphs.yolo_rows(sigmoid=False), "yolov8-face")


def test_fractions_of_the_input_are_refused(graphs: Any) -> None:
    with pytest.raises(ExportError, match="fractions of the input's size"):
        imported(graphs.yolo_rows(scale=1.0), "yolov8-face")


def test_a_size_that_the_graph_fixes(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fixes the height of its input; received 320"):
        import_onnx(
            weights / "scrfd_500m_kps.onnx",
            tmp_path / "det.bundle",
            ImportOptions("scrfd", height=320),
        )


def test_thresholds_become_the_bundles_defaults(graphs: Any) -> None:
    bundle = imported(
        graphs.scrfd(),
        "scrfd",
        score_threshold=0.0,
        nms_threshold=0.9,
        max_faces=3,
        min_size=7.0,
    )
    limits = open_detector(bundle.path).limits
    assert (limits.score_threshold, limits.nms_threshold) == (0.0, 0.9)
    assert (limits.max_faces, limits.min_size) == (3, 7.0)
    with pytest.raises(SpecError, match="score_threshold"):
        imported(graphs.scrfd(), "scrfd", score_threshold=1.5)


def test_preprocessing_may_be_overruled(graphs: Any) -> None:
    given = replace(DETECTORS["scrfd"].preprocess, height=64, width=96, pad_value=3)
    bundle = imported(graphs.scrfd(), "scrfd", preprocess=given, mean=(1.0, 2.0, 3.0))
    assert bundle.spec.preprocess == replace(given, mean=(1.0, 2.0, 3.0))


def test_what_the_file_carries_is_the_bundles_spec(detectors: dict[str, Path]) -> None:
    import onnx

    bundle = Bundle.open(detectors["scrfd"])
    model = onnx.load(bundle.path / "model.onnx")
    carried = {entry.key: entry.value for entry in model.metadata_props}["faceport.spec"]
    assert ModelSpec.from_json(carried) == bundle.spec


@pytest.mark.parametrize("size", [(640, 640), (64, 96), (33, 50), (1, 1)])
def test_probe_pictures(size: tuple[int, int]) -> None:
    pixels = probe_pictures(*size)
    assert pixels.shape == (2, *size, 3)
    assert pixels.dtype == np.uint8
    if min(size) > 1:
        assert (pixels[0] != pixels[1]).mean() > 0.5
        # Structure in every corner, not one grey.
        halves = [pixels[0][:: size[0] - 1, :: size[1] - 1].reshape(-1, 3)]
        assert len(np.unique(np.concatenate(halves), axis=0)) > 1


def test_a_proof_stays_small(detectors: dict[str, Path]) -> None:
    sizes = {name: (path / "proof.npz").stat().st_size for name, path in detectors.items()}
    assert sizes["yunet"] < 300_000
    assert max(sizes.values()) < 3_000_000
