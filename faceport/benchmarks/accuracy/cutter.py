"""How the pictures of a set become crops: which detector, which face, which size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from faceport.benchmarks.accuracy.cache import CropCache, Entry, Pixels
from faceport.benchmarks.accuracy.choosing import Rule, chosen_face
from faceport.codec import encode
from faceport.errors import InputError
from faceport.images import MAX_PIXELS, Image
from faceport.runtime.align import align_faces
from faceport.runtime.detectors import FaceDetector, open_detector
from faceport.runtime.sessions import SessionOptions
from faceport.runtime.stub import STUB, StubDetector
from faceport.runtime.types import Detector
from faceport.spec import PreprocessSpec, canonical_json


@dataclass(frozen=True)
class DetectorChoice:
    """Which detector finds the faces, and with which settings.

    Attributes:
        source: a bundle, a lone artefact with its spec, or `stub`.
        options: providers and threads.
        backend: None takes the first one that the bundle has an artefact for.
        precision: of the bundle's artefact.
        score_threshold: overrules the spec's; likewise the three below.
        nms_threshold: overlap that merges two boxes.
        max_faces: most faces a picture; 0 is no limit.
        min_size: least side of a face, pixels of the picture.
    """

    source: str | Path
    options: SessionOptions = field(default_factory=SessionOptions)
    backend: str | None = None
    precision: str = "fp32"
    score_threshold: float | None = None
    nms_threshold: float | None = None
    max_faces: int | None = None
    min_size: float | None = None

    def open(self) -> Detector:
        """Load it; raises as `open_detector` does."""
        if self.source == STUB:
            return StubDetector()
        return open_detector(
            self.source,
            self.options,
            backend=self.backend,
            precision=self.precision,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_faces=self.max_faces,
            min_size=self.min_size,
        )


def detector_identity(detector: Detector, precision: str) -> str:
    """Return what decides the faces that a detector finds, as text for the key of a crop."""
    if not isinstance(detector, FaceDetector):
        return detector.provider
    return canonical_json(
        {
            "fingerprint": detector.spec.fingerprint,
            "decoder": encode(detector.spec.detector),
            "limits": encode(detector.limits),
            "provider": detector.provider,
            "precision": precision,
        }
    )


@dataclass(frozen=True, eq=False)
class Cutter:
    """Cuts the face out of one picture.

    Attributes:
        preprocess: size, geometry and colour order of the crops.
        detector: finds the faces; None where every picture is a crop already.
        identity: of the detector, for the cache; see `detector_identity`.
        rule: which face of several.
        cache: where crops are kept; None keeps none.
        max_pixels: pictures of more pixels are not read.
    """

    preprocess: PreprocessSpec
    detector: Detector | None = None
    identity: str = ""
    rule: Rule = "central"
    cache: CropCache | None = None
    max_pixels: int = MAX_PIXELS

    def cut(self, image: Image) -> Entry:
        """Find the faces of a picture, choose one and cut it out.

        Raises:
            InputError: there is no detector, or no crop can be made of the face's landmarks.
            SessionError: the detector did not run.
        """
        if self.detector is None:
            raise InputError(
                f"{image.name} is a photograph, and there is no detector to find its face",
                fix="give --detector BUNDLE, or --aligned if the pictures are crops",
            )
        (found,) = self.detector.detect([image])
        if not found:
            return Entry(None, 0)
        face = chosen_face(found, image, self.rule)
        return Entry(align_faces([(image, face)], self.preprocess)[0], len(found))

    def as_crop(self, image: Image) -> Pixels:
        """Take a whole picture for the crop that it is.

        Raises:
            InputError: it has another size than the model's input.
        """
        wanted = self.preprocess
        if (image.height, image.width) != (wanted.height, wanted.width):
            raise InputError(
                f"{image.name} is no crop of the model's size",
                received=f"{image.height} high, {image.width} wide",
                expected=f"{wanted.height} high, {wanted.width} wide",
                fix="give the photographs and a detector, or a model of the crops' size",
            )
        return image.in_order(wanted.color_order)
