"""The pipeline that a command's options ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from faceport.commands.output import warn
from faceport.commands.picked import picked

if TYPE_CHECKING:
    from faceport.runtime.pipeline import Pipeline
    from faceport.runtime.sessions import SessionOptions
    from faceport.runtime.types import Detector

STUB_WARNING = (
    "the stub embedder makes vectors from pixels, not from faces: "
    "for wiring and tests only, never for identities"
)
STUB_DETECTOR_WARNING = "the stub detector finds no faces: it takes each whole picture for one"

LIMITS = ("score_threshold", "nms_threshold", "max_faces", "min_size")


def load_pipeline(choices: Mapping[str, Any], *, workers: int = 1) -> Pipeline:
    """Load both models for a number of workers; say on stderr if one of them is the stub."""
    from faceport.runtime.pipeline import Pipeline

    pipeline = Pipeline.load(
        choices["detector"],
        choices["embedder"],
        options=picked_session_options(choices),
        backend=choices["backend"],
        precision=choices["precision"],
        detector_backend=choices["detector_backend"],
        detector_precision=choices["detector_precision"],
        max_pixels=choices["max_pixels"],
        workers=workers,
        reduced_decoding=choices["reduced_decoding"],
        **{name: choices[name] for name in LIMITS},
    )
    warn_of_stubs(is_stub=pipeline.embedder.is_stub, detector=choices["detector"])
    return pipeline


def warn_of_stubs(*, is_stub: bool, detector: str) -> None:
    """Say on stderr if the embedder, or else the detector, is the stub."""
    if is_stub:
        warn(STUB_WARNING)
    elif detector == "stub":
        warn(STUB_DETECTOR_WARNING)


def load_detector(choices: Mapping[str, Any]) -> Detector:
    """Load the detector alone."""
    from faceport.runtime.detectors import open_detector
    from faceport.runtime.stub import STUB, StubDetector

    if choices["detector"] == STUB:
        warn(STUB_DETECTOR_WARNING)
        return StubDetector()
    limits = {name: choices[name] for name in LIMITS}
    return open_detector(
        choices["detector"],
        picked_session_options(choices),
        backend=choices["detector_backend"],
        precision=choices["detector_precision"],
        **limits,
    )


def picked_session_options(choices: Mapping[str, Any]) -> SessionOptions | None:
    """Return what the options say of sessions; None if they say nothing, so that tuning counts."""
    from faceport.runtime.sessions import SessionOptions

    if not any(choices[name] for name in ("providers", "threads", "spinning", "provider_options")):
        return None
    return picked(SessionOptions, choices)


def models_json(pipeline: Pipeline) -> dict[str, Any]:
    """Return what ran, as JSON values."""
    embedder = pipeline.embedder
    return {
        "detector": {"provider": pipeline.detector.provider},
        "embedder": {
            "provider": embedder.provider,
            "fingerprint": embedder.fingerprint,
            "dim": embedder.dim,
            "is_stub": embedder.is_stub,
        },
    }
