"""Open a detector from a bundle, or from a lone artefact that carries its spec."""

from __future__ import annotations

from pathlib import Path

from faceport.errors import InputError
from faceport.runtime.detectors.detector import FaceDetector
from faceport.runtime.detectors.limits import limits_of
from faceport.runtime.detectors.registry import make_decoder
from faceport.runtime.opening import open_model
from faceport.runtime.sessions import SessionOptions
from faceport.spec import DetectorSpec, ModelSpec


def open_detector(
    source: str | Path,
    options: SessionOptions | None = None,
    *,
    backend: str | None = None,
    precision: str | None = None,
    workers: int = 1,
    score_threshold: float | None = None,
    nms_threshold: float | None = None,
    max_faces: int | None = None,
    min_size: float | None = None,
) -> FaceDetector:
    """Open a detector.

    Args:
        source: a bundle's folder (its hashes are checked), or a lone artefact with its spec.
        options: providers and threads.
        backend: as `open_model` takes it, with `options` and `precision`: where none of the three
            is given, a bundle that was tuned for this device runs as its device file says.
        precision: of the bundle's artefact; None is fp32.
        workers: threads that will use it side by side.
        score_threshold: overrules the spec's, 0 to 1.
        nms_threshold: overrules the spec's, 0 to 1.
        max_faces: overrules the spec's; 0 is no limit.
        min_size: overrules the spec's; shortest side of a face, pixels of the picture.

    Raises:
        InputError: the model is no detector, or a limit is out of range.
        BundleError: the bundle is damaged.
        SpecError: a lone file carries no spec.
        SessionError: the file did not load.
    """
    session, spec = open_model(
        source, options, backend=backend, precision=precision, workers=workers
    )
    try:
        detector = _detector_spec(spec, source)
        limits = limits_of(
            detector,
            score_threshold=score_threshold,
            nms_threshold=nms_threshold,
            max_faces=max_faces,
            min_size=min_size,
        )
        return FaceDetector(session, spec, make_decoder(detector), limits)
    except BaseException:
        session.close()
        raise


def _detector_spec(spec: ModelSpec, source: str | Path) -> DetectorSpec:
    if spec.detector is None:
        raise InputError(
            f"{source} is no detector",
            received=f"task {spec.task} ({spec.family})",
            expected="task detector (scrfd, yunet, yolov8-face)",
            fix="pass it as the embedder, or give a detector's bundle",
        )
    return spec.detector
