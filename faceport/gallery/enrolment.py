"""Many people's pictures into a gallery: resumable, checked against each other.

An identity is written when all of its pictures were looked at; of one with very many, what is there
is written every `CHUNK` pictures, unless the consensus of all of them decides. What was reported is
in the gallery, whatever happens after.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from faceport.errors import FaceportError, GalleryError
from faceport.gallery.consensus import consensus
from faceport.gallery.crops import crop_of
from faceport.gallery.pictures import Looked, Picture, look_at, one_face, read_picture
from faceport.gallery.protocol import GalleryProtocol
from faceport.gallery.types import DEFAULT_THRESHOLD, Float, Json, Sample
from faceport.images import load_image
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.types import Face
from faceport.spec import ModelSpec, PreprocessSpec

CHUNK = 100
ALREADY = "enrolled already"

Kind = Literal["face", "consensus", "elsewhere", "error"]
"""No one face; not the others' face; the same picture is another identity's; not readable."""


@dataclass(frozen=True)
class Person:
    """Who is to be enrolled, and from which pictures."""

    name: str
    pictures: tuple[Path, ...]
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class EnrolmentOptions:
    """How pictures are enrolled.

    Attributes:
        largest: of several faces take the largest, not none.
        flip: fuse the mirror image in.
        leave_out: leave out pictures that disagree with the identity's others; else name them.
        threshold: cosine from which two pictures agree; None: the gallery's.
        workers: pictures side by side.
    """

    largest: bool = False
    flip: bool = False
    leave_out: bool = False
    threshold: float | None = None
    workers: int = 1


@dataclass(frozen=True)
class Remark:
    """A picture of which something is to be said, and what."""

    path: Path
    kind: Kind
    reason: str


@dataclass(frozen=True)
class Enrolled:
    """What came of a person, as it is in the gallery now.

    Attributes:
        name: of the identity.
        added: new samples.
        already_there: pictures that it had before.
        left_out: pictures that gave no sample, and why.
        flagged: pictures that were enrolled and disagree with the others.
    """

    name: str
    added: int
    already_there: int
    left_out: tuple[Remark, ...]
    flagged: tuple[Remark, ...]


def enroll_people(
    gallery: GalleryProtocol,
    pipeline: Pipeline,
    people: Iterable[Person],
    options: EnrolmentOptions,
    *,
    on_picture: Callable[[], None] = lambda: None,
) -> Generator[Enrolled, None, None]:
    """Enroll people: one answer each, in order, once it is written.

    A picture that the identity has (by the hash of its bytes) is left out before any model runs.

    Args:
        gallery: checked to be of the pipeline's embedder.
        pipeline: loaded for `options.workers`.
        people: any number, each name once.
        options: how.
        on_picture: called after each picture.

    Raises:
        GalleryError: the gallery could not be written.
    """
    wanted = list(people)

    def choose(item: tuple[int, Path]) -> Picture | str:
        picture = read_picture(item[1])
        return _known(gallery, picture, wanted[item[0]].name) or picture

    items = ((i, path) for i, person in enumerate(wanted) for path in person.pictures)
    done = 0
    with closing(
        look_at(pipeline, items, choose, workers=options.workers, flip=options.flip)
    ) as answers:
        for place, own in itertools.groupby(answers, key=lambda looked: looked.item[0]):
            for person in wanted[done:place]:
                yield _Enrolment(gallery, pipeline, person, options).finished()
            enrolment = _Enrolment(gallery, pipeline, wanted[place], options)
            for looked in own:
                enrolment.take(looked)
                on_picture()
            yield enrolment.finished()
            done = place + 1
    for person in wanted[done:]:
        yield _Enrolment(gallery, pipeline, person, options).finished()


class _Enrolment:
    """One person on the way into the gallery."""

    def __init__(
        self,
        gallery: GalleryProtocol,
        pipeline: Pipeline,
        person: Person,
        options: EnrolmentOptions,
    ) -> None:
        self._gallery, self._pipeline = gallery, pipeline
        self._person, self._options = person, options
        self._keep_crops = gallery.settings.keep_crops
        self._known = _vectors_of(gallery, person.name)
        self._samples: list[tuple[Path, Sample]] = []
        self._written = self._added = self._there = 0
        self._left_out: list[Remark] = []

    def take(self, looked: Looked[tuple[int, Path]]) -> None:
        """Look at a picture, and write what is there if that is much."""
        path, reason = looked.item[1], looked.reason
        if looked.picture is not None:
            # Asked again in order: the reader is ahead of what was written.
            reason = _known(self._gallery, looked.picture, self._person.name)
        if looked.error is not None:
            self._left_out.append(Remark(path, "error", str(looked.error)))
        elif reason == ALREADY:
            self._there += 1
        elif reason:
            self._left_out.append(Remark(path, "elsewhere", reason))
        elif looked.picture is not None:
            self._take_faces(path, looked.picture, looked.faces)

    def finished(self) -> Enrolled:
        """Write the rest and tell what was done."""
        doubted = self._doubted()
        kept = self._samples
        if self._options.leave_out:
            doubtful = {remark.path for remark in doubted}
            kept = [one for one in self._samples if one[0] not in doubtful]
            self._left_out += doubted
        self._write([sample for _, sample in kept[self._written :]])
        self._keep_metadata()
        flagged = () if self._options.leave_out else tuple(doubted)
        # The same face or bytes twice: the gallery took it once.
        there = self._there + len(kept) - self._added
        return Enrolled(self._person.name, self._added, there, tuple(self._left_out), flagged)

    def _take_faces(self, path: Path, picture: Picture, faces: tuple[Face, ...]) -> None:
        face = one_face(faces, largest=self._options.largest)
        if isinstance(face, str):
            self._left_out.append(Remark(path, "face", face))
            return
        try:
            crop = self._crop(picture, face) if self._keep_crops else None
        except FaceportError as error:
            self._left_out.append(Remark(path, "error", str(error)))
            return
        sample = Sample(face.embedding, str(path), picture.image_hash, crop)
        self._samples.append((path, sample))
        if not self._options.leave_out and len(self._samples) - self._written >= CHUNK:
            self._write([sample for _, sample in self._samples[self._written :]])
            # What is written is needed for its vector only.
            self._samples = [(path, replace(one, crop=None)) for path, one in self._samples]

    def _write(self, samples: Sequence[Sample]) -> None:
        if samples:
            metadata = dict(self._person.metadata) or None
            self._added += self._gallery.enroll(self._person.name, samples, metadata=metadata)
        self._written += len(samples)

    def _keep_metadata(self) -> None:
        """Keep metadata that changed since all of the pictures were enrolled."""
        name, metadata = self._person.name, dict(self._person.metadata)
        if not metadata or not self._there or self._written:
            return
        if dict(self._gallery.identity(name).metadata) != metadata:
            self._gallery.set_metadata(name, metadata)

    def _doubted(self) -> list[Remark]:
        """Name the pictures that are not of the person that the others are of."""
        if not self._samples:
            return []
        vectors = np.stack([sample.embedding.vector for _, sample in self._samples])
        own = self._options.threshold
        own = self._gallery.settings.threshold if own is None else own
        threshold = DEFAULT_THRESHOLD if own is None else own
        found = consensus(vectors, threshold, self._known)
        texts = {
            "outlier": "not the face of the others",
            "undecided": "the pictures disagree, and none of them has a majority",
        }
        return [
            Remark(path, "consensus", f"{texts[verdict]} (median cosine {median:.2f})")
            for (path, _), verdict, median in zip(
                self._samples, found.verdicts, found.medians.tolist(), strict=True
            )
            if verdict != "agrees"
        ]

    def _crop(self, picture: Picture, face: Face) -> bytes:
        image = load_image(picture.opened(), max_pixels=self._pipeline.max_pixels)
        return crop_of(image, face.detection, preprocess_of(self._pipeline))


def preprocess_of(pipeline: Pipeline) -> PreprocessSpec | None:
    """Return how a pipeline's embedder wants its faces; None of a stub."""
    embedder = pipeline.embedder
    # A reducing embedder has the one that it wraps.
    spec = getattr(getattr(embedder, "embedder", embedder), "spec", None)
    return spec.preprocess if isinstance(spec, ModelSpec) else None


def _known(gallery: GalleryProtocol, picture: Picture, name: str) -> str:
    """Say whether a picture is enrolled, for that name or another; "" if it is not."""
    owner = gallery.has_image(picture.image_hash)
    if owner is None:
        return ""
    return ALREADY if owner == name else f"the same picture is of {owner!r}"


def _vectors_of(gallery: GalleryProtocol, name: str) -> Float | None:
    """Return the vectors (K, D) that an identity has already."""
    try:
        vectors = [sample.vector for sample in gallery.samples(name)]
    except GalleryError:
        # There is nobody of that name yet.
        return None
    return np.stack(vectors) if vectors else None
