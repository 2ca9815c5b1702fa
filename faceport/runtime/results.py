"""What a pipeline makes of a group of sources: faces, or each source's own error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faceport.errors import FaceportError
from faceport.images import Image, ImageSource
from faceport.runtime.sources import Loaded
from faceport.runtime.stub import StubEmbedder, whole_of_bytes
from faceport.runtime.types import Detector, Embedder, Face


@dataclass(frozen=True, eq=False)
class Result:
    """What came of one source: its faces, or the error that it met.

    Attributes:
        source: as the caller gave it.
        faces: best score first; empty where there is none, or an error.
        error: why there is no answer.
    """

    source: ImageSource
    faces: tuple[Face, ...] = ()
    error: FaceportError | None = None


def results_of(
    detector: Detector, embedder: Embedder, group: Sequence[Loaded], *, flip: bool
) -> Iterator[Result]:
    """Give one result for each source of the group, in order."""
    images = [one.image for one in group if one.image is not None]
    answers = iter(_answers(detector, embedder, images, flip))
    for one in group:
        if one.image is not None:
            answer = next(answers)
        elif one.data is not None and isinstance(embedder, StubEmbedder):
            answer = (Face(whole_of_bytes(), embedder.embed_bytes(one.data)),)
        else:
            answer = one.error or ()
        if isinstance(answer, FaceportError):
            yield Result(one.source, error=answer)
        else:
            yield Result(one.source, answer)


def faces_of(
    detector: Detector, embedder: Embedder, images: Sequence[Image], *, flip: bool
) -> list[tuple[Face, ...]]:
    """Find the faces of all pictures, embed them together, and deal them out again."""
    if not images:
        return []
    found = detector.detect(images)
    places = [(image, one) for image, own in zip(images, found, strict=True) for one in own]
    embeddings = embedder.embed(places, flip=flip)
    faces = iter([Face(one, own) for (_, one), own in zip(places, embeddings, strict=True)])
    return [tuple(next(faces) for _ in own) for own in found]


def _answers(
    detector: Detector, embedder: Embedder, images: Sequence[Image], flip: bool
) -> list[tuple[Face, ...] | FaceportError]:
    """Run all together; where that fails, each alone, to find whose error it is."""
    try:
        return [*faces_of(detector, embedder, images, flip=flip)]
    except FaceportError as error:
        if len(images) == 1:
            return [error]
        return [a for image in images for a in _answers(detector, embedder, [image], flip)]
