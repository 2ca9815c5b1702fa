"""What the pipeline costs beyond the bare model runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from faceport.errors import InputError
from faceport.images import Image
from faceport.runtime.align import align_faces
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.embedder import SessionEmbedder
from faceport.runtime.letterbox import letterbox
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.preprocess import to_tensor

WARM_UP = 5


@dataclass(frozen=True)
class Overhead:
    """Median times in milliseconds: the pipeline on one decoded picture, and its two model runs."""

    faces: int
    pipeline_ms: float
    detector_ms: float
    embedder_ms: float

    @property
    def ratio(self) -> float:
        """Pipeline time over the sum of the bare model runs; 1.0 is no overhead."""
        return self.pipeline_ms / (self.detector_ms + self.embedder_ms)


def measure_overhead(pipeline: Pipeline, image: Image, rounds: int = 40) -> Overhead:
    """Time detect + align + embed against the same sessions' bare runs, in one process.

    The three are taken in turn in every round, so that a busy machine slows all of them alike. The
    bare runs get the very tensors that the pipeline makes.

    Raises:
        InputError: the pipeline is not of models, or the picture has no face.
    """
    detector, embedder = pipeline.detector, pipeline.embedder
    if not isinstance(detector, FaceDetector) or not isinstance(embedder, SessionEmbedder):
        raise InputError("overhead is measured of models", received="a stub or a custom part")
    (found,) = detector.detect([image])
    if not found:
        raise InputError(f"no face was found in {image.name}")
    wanted = detector.spec.preprocess
    pixels, _ = letterbox(image, wanted)
    whole = {detector.spec.inputs[0].name: to_tensor(pixels[None], image.color_order, wanted)}
    aligned = embedder.spec.preprocess
    crops = align_faces([(image, face) for face in found], aligned)
    batch = {embedder.spec.inputs[0].name: to_tensor(crops, aligned.color_order, aligned)}
    pipeline_ms, detector_ms, embedder_ms = interleaved_medians(
        [
            lambda: pipeline(image),
            lambda: detector.session.run(whole),
            lambda: embedder.session.run(batch),
        ],
        rounds,
    )
    return Overhead(len(found), pipeline_ms, detector_ms, embedder_ms)


def interleaved_medians(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return each call's median time in milliseconds over `rounds` rounds, taken in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(WARM_UP + rounds):
        for call, kept in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if number >= WARM_UP:
                kept.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(kept) for kept in times]
