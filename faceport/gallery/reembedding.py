"""A gallery's samples through another embedder: from kept crops, or from the pictures themselves.

A picture is taken only where its bytes are those that were enrolled, by their hash. Nothing is
written here: what can't be embedded is listed, and `migration` writes all or nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from faceport.errors import FaceportError
from faceport.gallery.crops import face_of
from faceport.gallery.enrolment import preprocess_of
from faceport.gallery.pictures import Looked, Picture, look_at, one_face, read_picture
from faceport.gallery.protocol import GalleryProtocol
from faceport.images import Image
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.types import Detection, Embedding

CROPS_TOGETHER = 64


@dataclass(frozen=True)
class Wanted:
    """A sample that needs another vector."""

    sample_id: int
    name: str
    source: str
    image_hash: str
    has_crop: bool


@dataclass(frozen=True)
class Missing:
    """A sample that has no other vector, and why."""

    sample: Wanted
    reason: str


@dataclass(frozen=True)
class ReembeddingOptions:
    """How samples are embedded again.

    Attributes:
        largest: of several faces in a picture take the largest, not none.
        flip: fuse the mirror image in.
        trust_paths: take the picture at a sample's path where no hash was kept of it.
        root: folder that relative paths count from.
        workers: pictures side by side.
    """

    largest: bool = False
    flip: bool = False
    trust_paths: bool = False
    root: Path = Path()
    workers: int = 1


@dataclass(frozen=True, eq=False)
class Reembedded:
    """New embeddings by sample id, and the samples that have none."""

    embeddings: dict[int, Embedding]
    missing: tuple[Missing, ...]
    from_crops: int


def reembed(
    gallery: GalleryProtocol,
    pipeline: Pipeline,
    samples: Sequence[Wanted],
    options: ReembeddingOptions,
    *,
    on_sample: Callable[[], None] = lambda: None,
) -> Reembedded:
    """Embed samples again; see the module.

    A crop goes before the picture: it is the very face that was enrolled. It is used where the
    embedder wants that cut.

    Raises:
        SessionError: the model did not run.
    """
    embeddings: dict[int, Embedding] = {}
    missing: dict[int, Missing] = {}
    reasons: dict[int, str] = {}
    for group in _groups(_crops(gallery, pipeline, samples, reasons), CROPS_TOGETHER):
        made = pipeline.embedder.embed([place for _, place in group], flip=options.flip)
        for (sample, _), embedding in zip(group, made, strict=True):
            embeddings[sample.sample_id] = embedding
            on_sample()
    from_crops = len(embeddings)
    left = [sample for sample in samples if sample.sample_id not in embeddings]

    def choose(sample: Wanted) -> Picture | str:
        return _picture(sample, options)

    with closing(
        look_at(pipeline, left, choose, workers=options.workers, flip=options.flip)
    ) as answers:
        for looked in answers:
            sample, found = looked.item, _embedding(looked, options.largest)
            if isinstance(found, str):
                both = [reasons[sample.sample_id]] if sample.sample_id in reasons else []
                missing[sample.sample_id] = Missing(sample, "; ".join([*both, found]))
            else:
                embeddings[sample.sample_id] = found
            on_sample()
    return Reembedded(embeddings, tuple(missing.values()), from_crops)


def _crops(
    gallery: GalleryProtocol,
    pipeline: Pipeline,
    samples: Sequence[Wanted],
    reasons: dict[int, str],
) -> Iterator[tuple[Wanted, tuple[Image, Detection]]]:
    """Give the samples whose crop the embedder takes; why not of the others goes to `reasons`."""
    spec = preprocess_of(pipeline)
    for sample in samples:
        crop = gallery.crop(sample.sample_id) if sample.has_crop else None
        if crop is None:
            continue
        try:
            place = face_of(crop, spec)
        except FaceportError as error:
            reasons[sample.sample_id] = str(error)
            continue
        yield sample, place


def _groups(
    places: Iterator[tuple[Wanted, tuple[Image, Detection]]], size: int
) -> Iterator[list[tuple[Wanted, tuple[Image, Detection]]]]:
    while group := list(itertools.islice(places, size)):
        yield group


def _picture(sample: Wanted, options: ReembeddingOptions) -> Picture | str:
    if not sample.source:
        return "neither a crop nor a path was kept"
    if not sample.image_hash and not options.trust_paths:
        return "no hash of its picture was kept; --trust-paths takes the file as it is"
    picture = read_picture(options.root / sample.source)
    if sample.image_hash and picture.image_hash != sample.image_hash:
        return "the picture at its path is another than was enrolled"
    return picture


def _embedding(looked: Looked[Wanted], largest: bool) -> Embedding | str:
    if looked.error is not None:
        return str(looked.error)
    if looked.picture is None:
        return looked.reason
    face = one_face(looked.faces, largest=largest)
    return face if isinstance(face, str) else face.embedding
