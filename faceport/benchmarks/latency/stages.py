"""Where a picture's time goes in the pipeline, by stage, and what it costs beyond the two models.

python -m faceport.benchmarks.latency.stages < job.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.processes import ProcessFailure, run_module, speak_json
from faceport.benchmarks.overhead import interleaved_medians
from faceport.codec import decode, encode
from faceport.errors import FaceportError, InputError, SpecError
from faceport.gallery.indexes.exact import ExactIndex
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces
from faceport.runtime.detectors import FaceDetector, open_detector
from faceport.runtime.detectors.selection import faces_of
from faceport.runtime.embedder import SessionEmbedder, open_embedder
from faceport.runtime.features import features_of
from faceport.runtime.letterbox import letterbox
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.types import Detection

MODULE = "faceport.benchmarks.latency.stages"
PEOPLE = 1000
"""Identities of the gallery that is searched, drawn: their values don't change the time."""
TOP_K = 5
SECONDS = 600.0

Call = Callable[[], object]


@dataclass(frozen=True)
class StageJob:
    """Both models, the session and threads that run them, and a photograph."""

    detector: Path
    embedder: Path
    photo: Path
    session: SessionChoice
    threads: int | None
    rounds: int


@dataclass(frozen=True)
class Stage:
    """A stage's median time."""

    name: str
    median_ms: float


@dataclass(frozen=True)
class Stages:
    """The pipeline with one session, or why there are no figures.

    Attributes:
        session: label.
        threads: inside one operator; None: the engine's own.
        faces: on the photograph.
        stages: in the order in which they run, for all faces together.
        pipeline_ms: median of detect + align + embed on the decoded picture, taken in turn with
            the bare runs.
        bare_ms: medians of the two bare model runs together.
        problem: empty where there are figures.
    """

    session: str
    threads: int | None
    faces: int = 0
    stages: tuple[Stage, ...] = ()
    pipeline_ms: float = 0.0
    bare_ms: float = 0.0
    problem: str = ""

    @property
    def overhead(self) -> float | None:
        """The pipeline's time over that of the two bare model runs; 1.0 is no overhead."""
        return self.pipeline_ms / self.bare_ms if self.bare_ms else None


DETECT = "detect: bare run"
EMBED = "embed: bare run"


def measure_stages(job: StageJob) -> Stages:
    """Measure in a fresh process; what goes wrong is in `problem`."""
    try:
        return decode(Stages, run_module(MODULE, json.dumps(encode(job)), SECONDS))
    except (ProcessFailure, SpecError) as error:
        return Stages(job.session.label, job.threads, problem=str(error))


def measure_here(job: StageJob) -> Stages:
    """Measure in this process: every round takes all stages in turn.

    Raises:
        FaceportError: a model does not load or run, or there is no face.
    """
    options, backend = job.session.options(job.threads), job.session.backend
    with closing(open_detector(job.detector, options, backend=backend)) as detector:
        embedder = open_embedder(job.embedder, options, backend=backend)
        if not isinstance(embedder, SessionEmbedder):
            raise InputError("stages are measured of a model", received=job.embedder)
        with closing(embedder):
            image = load_image(job.photo)
            (found,) = detector.detect([image])
            if not found:
                raise InputError(f"no face was found in {job.photo}", fix="use another photograph")
            return _measured(job, Pipeline(detector, embedder), image, found)


def _measured(job: StageJob, pipeline: Pipeline, image: Image, found: list[Detection]) -> Stages:
    detector, embedder = pipeline.detector, pipeline.embedder
    if not isinstance(detector, FaceDetector) or not isinstance(embedder, SessionEmbedder):
        raise InputError("stages are measured of models", received="a stub or a custom part")
    calls: dict[str, Call] = {f"decode {job.photo.suffix[1:]}": lambda: load_image(job.photo)}
    calls |= _detector_stages(detector, image) | _embedder_stages(embedder, image, found)
    medians = interleaved_medians([*calls.values()], job.rounds)
    whole, *bare = interleaved_medians(
        [lambda: pipeline(image), calls[DETECT], calls[EMBED]], job.rounds
    )
    # By itself, and last: the threads of numpy's matrix product stay awake and slow what follows.
    (match,) = interleaved_medians([_match(embedder, image, found)], job.rounds)
    stages = (*map(Stage, calls, medians), Stage(f"match, 1 of {PEOPLE}", match))
    return Stages(job.session.label, job.threads, len(found), stages, whole, sum(bare))


def _detector_stages(detector: FaceDetector, image: Image) -> dict[str, Call]:
    wanted = detector.spec.preprocess
    name = detector.spec.inputs[0].name
    pixels, place = letterbox(image, wanted)
    feeds = {name: to_tensor(pixels[None], image.color_order, wanted)}
    outputs = detector.session.run(feeds)

    def boxes() -> object:
        least = detector.limits.score_threshold
        candidates = detector.decoder.decode(outputs, place.height, place.width, least)
        return faces_of(candidates, place, detector.limits)

    return {
        "preprocess: letterbox, to tensor": lambda: to_tensor(
            letterbox(image, wanted)[0][None], image.color_order, wanted
        ),
        DETECT: lambda: detector.session.run(feeds),
        "decode boxes, NMS": boxes,
    }


def _embedder_stages(
    embedder: SessionEmbedder, image: Image, found: list[Detection]
) -> dict[str, Call]:
    wanted, name = embedder.spec.preprocess, embedder.spec.inputs[0].name
    faces = [(image, face) for face in found]
    crops = align_faces(faces, wanted)
    limit = embedder.batch
    parts = [crops[start : start + limit] for start in range(0, len(crops), limit)]
    feeds = [{name: to_tensor(part, wanted.color_order, wanted)} for part in parts]
    outputs = [embedder.session.run(feed) for feed in feeds]
    return {
        "align": lambda: align_faces(faces, wanted),
        "to tensor": lambda: [to_tensor(part, wanted.color_order, wanted) for part in parts],
        EMBED: lambda: [embedder.session.run(feed) for feed in feeds],
        "features": lambda: [
            features_of(output, embedder.spec, len(part))
            for output, part in zip(outputs, parts, strict=True)
        ],
    }


def _match(embedder: SessionEmbedder, image: Image, found: list[Detection]) -> Call:
    crops = align_faces([(image, face) for face in found], embedder.spec.preprocess)
    index, queries = _gallery(embedder.dim), embedder.features(crops).vectors
    return lambda: index.search(queries, TOP_K)


def _gallery(dim: int) -> ExactIndex:
    drawn = np.random.default_rng(0).standard_normal((PEOPLE, dim))
    matrix: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(
        np.float32
    )
    index = ExactIndex()
    index.build(matrix)
    return index


def main() -> None:
    """Answer the job on stdin with stages on stdout."""
    with speak_json() as answer:
        job = decode(StageJob, json.load(sys.stdin))
        try:
            found = measure_here(job)
        except FaceportError as error:
            found = Stages(job.session.label, job.threads, problem=str(error))
        answer(encode(found))


if __name__ == "__main__":
    main()
