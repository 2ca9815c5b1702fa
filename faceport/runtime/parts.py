"""The parts of a pipeline, from what a caller may give for them."""

from __future__ import annotations

import os
from pathlib import Path

from faceport.errors import InputError
from faceport.runtime.detectors import open_detector
from faceport.runtime.embedder import open_embedder
from faceport.runtime.sessions.base import SessionOptions
from faceport.runtime.stub import STUB, StubDetector
from faceport.runtime.types import Detector, Embedder


def detector_from(
    given: str | os.PathLike[str] | Detector,
    options: SessionOptions | None,
    *,
    backend: str | None = None,
    precision: str | None = None,
    workers: int = 1,
    score_threshold: float | None = None,
    nms_threshold: float | None = None,
    max_faces: int | None = None,
    min_size: float | None = None,
) -> Detector:
    """Return a detector: from a path, the stub by its name, or the object itself.

    The stub's one face a picture passes any limit. An object has limits of its own.

    Raises:
        InputError: neither a path nor a detector, or limits for an object.
        FaceportError: as `open_detector` raises.
    """
    if isinstance(given, str) and given == STUB:
        return StubDetector()
    if isinstance(given, str | os.PathLike):
        return open_detector(
            Path(given),
            options,
            backend=backend,
            precision=precision,
            workers=workers,
            score_threshold=score_threshold,
            nms_threshold=nms_threshold,
            max_faces=max_faces,
            min_size=min_size,
        )
    if not hasattr(given, "detect"):
        raise _no_part("detector", given)
    if any(limit is not None for limit in (score_threshold, nms_threshold, max_faces, min_size)):
        raise InputError(
            "limits were given for a detector that is loaded already",
            received=type(given).__name__,
            fix="give the limits where the detector is made",
        )
    return given


def embedder_from(
    given: str | os.PathLike[str] | Embedder,
    options: SessionOptions | None,
    *,
    backend: str | None = None,
    precision: str | None = None,
    workers: int = 1,
) -> Embedder:
    """Return an embedder: from a path, the stub by its name, or the object itself.

    Raises:
        InputError: neither a path nor an embedder.
        FaceportError: as `open_embedder` raises.
    """
    if isinstance(given, str | os.PathLike):
        source = given if isinstance(given, str) else Path(given)
        return open_embedder(source, options, backend=backend, precision=precision, workers=workers)
    if not hasattr(given, "embed"):
        raise _no_part("embedder", given)
    return given


def close_part(part: object) -> None:
    """Close what can be closed: the protocols do not ask for it."""
    close = getattr(part, "close", None)
    if callable(close):
        close()


def _no_part(role: str, given: object) -> InputError:
    return InputError(
        f"not a {role}",
        received=type(given).__name__,
        expected=f"a bundle's path, 'stub', or a {role.title()} of faceport.runtime.types",
    )
