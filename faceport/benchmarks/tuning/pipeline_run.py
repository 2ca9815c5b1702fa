"""A detector and an embedder in a process of their own: time of a picture, and the embeddings.

python -m faceport.benchmarks.tuning.pipeline_run < job.json
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from faceport.benchmarks.latency.processes import ProcessFailure, run_module, speak_json
from faceport.benchmarks.tuning.setups import Setup
from faceport.bundle import Bundle
from faceport.codec import decode, encode
from faceport.errors import FaceportError, InputError, SpecError
from faceport.images import load_image
from faceport.runtime.artefacts import open_in_bundle
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.detectors.limits import limits_of
from faceport.runtime.detectors.registry import make_decoder
from faceport.runtime.embedder import SessionEmbedder
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.sessions.base import Session, limited
from faceport.spec import ModelSpec

MODULE = "faceport.benchmarks.tuning.pipeline_run"
SECONDS = 600.0
WARM_UP = 5
TIMED_PHOTOS = 8
"""Most photographs of a timed run; all are compared."""


@dataclass(frozen=True)
class PipelineJob:
    """What to run.

    Attributes:
        detector: how the detector runs.
        embedder: how the embedder runs.
        batch: most faces a run of the embedder; None is the pipeline's own limit.
        photos: paths.
        runs: timed runs over the photographs; 0 times nothing.
        compare: whether to give the embeddings back.
    """

    detector: Setup
    embedder: Setup
    batch: int | None
    photos: tuple[str, ...]
    runs: int
    compare: bool


@dataclass(frozen=True)
class FoundFace:
    """A face and its embedding: box as x1, y1, x2, y2 in pixels of the photograph."""

    bbox: tuple[float, ...]
    vector: tuple[float, ...]


@dataclass(frozen=True)
class PipelineAnswer:
    """What came of it: the median time of a picture, faces by photograph, or a problem."""

    p50_ms: float | None = None
    faces: tuple[tuple[FoundFace, ...], ...] = ()
    problem: str = ""


def run_pipeline(job: PipelineJob) -> PipelineAnswer:
    """Run in a fresh process; what goes wrong is in `problem`."""
    try:
        return decode(PipelineAnswer, run_module(MODULE, json.dumps(encode(job)), SECONDS))
    except (ProcessFailure, SpecError) as error:
        return PipelineAnswer(problem=str(error))


def run_here(job: PipelineJob) -> PipelineAnswer:
    """Run in this process.

    Raises:
        FaceportError: a model does not load or run, or a photograph can't be read.
    """
    images = [load_image(path) for path in job.photos]
    session, spec = open_setup(job.detector, None)
    with closing(session):
        if spec.detector is None:
            raise InputError(f"{job.detector.bundle} is no detector", received=spec.task)
        limits = limits_of(spec.detector)
        detector = FaceDetector(session, spec, make_decoder(spec.detector), limits)
        with closing(SessionEmbedder(*open_setup(job.embedder, job.batch))) as embedder:
            pipeline = Pipeline(detector, embedder)
            faces = pipeline.process(images) if job.compare else []
            some = images[:TIMED_PHOTOS]
            times = _times(lambda: [pipeline(image) for image in some], job.runs)
    return PipelineAnswer(
        statistics.median(times) / len(some) if times else None,
        tuple(
            tuple(
                FoundFace(tuple(f.detection.bbox.tolist()), tuple(f.embedding.vector.tolist()))
                for f in found
            )
            for found in faces
        ),
    )


def open_setup(setup: Setup, batch: int | None) -> tuple[Session, ModelSpec]:
    """Load a bundle's artefact as a setup says, in batches up to a limit."""
    bundle = Bundle.open(setup.bundle)
    (artefact,) = [a for a in bundle.manifest.artefacts if a.file.path == setup.artefact]
    options = setup.session.options(setup.threads)
    session, spec = open_in_bundle(bundle, artefact, setup.session.backend, options)
    return session, limited(spec, batch)


def _times(call: Callable[[], object], runs: int) -> list[float]:
    times = []
    for number in range(WARM_UP + runs if runs else 0):
        start = time.perf_counter()
        call()
        if number >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
    return times


def main() -> None:
    """Answer the job on stdin on stdout."""
    with speak_json() as answer:
        job = decode(PipelineJob, json.load(sys.stdin))
        try:
            given = run_here(job)
        except FaceportError as error:
            given = PipelineAnswer(problem=str(error))
        answer(encode(given))


if __name__ == "__main__":
    main()
