"""Large JPEGs decoded only as large as they are needed (docs/adr/0081).

The detector gets the smallest decoding that its letterbox still shrinks, or leaves as it is. Crops
are cut from that too where no face would be enlarged, else from the smallest decoding of which that
is true, which may be the whole picture. A picture without faces is never decoded whole. Boxes and
landmarks are in pixels of the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceport.errors import InputError
from faceport.images import Image
from faceport.runtime.align import fit_similarity, template_points
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.detectors.limits import DetectionLimits
from faceport.runtime.embedder import SessionEmbedder
from faceport.runtime.letterbox import fit
from faceport.runtime.sessions.base import Session
from faceport.runtime.types import Detection, Detector, Embedder, Embedding
from faceport.spec import ModelSpec, PreprocessSpec

Place = tuple[Image, Detection]


@dataclass(frozen=True, eq=False)
class ReducingDetector:
    """A detector (see `faceport.runtime.types.Detector`) of pictures decoded smaller.

    Attributes:
        detector: finds the faces; its limits on size and number are not used.
        limits: thresholds in force; sizes are in pixels of the whole picture.
    """

    detector: FaceDetector
    limits: DetectionLimits

    @property
    def spec(self) -> ModelSpec:
        """Of the detector."""
        return self.detector.spec

    @property
    def session(self) -> Session:
        """That runs it: streams ask how many runs it takes side by side."""
        return self.detector.session

    @property
    def provider(self) -> str:
        """What runs, as `backend/provider`."""
        return self.detector.provider

    def decode_divisor(self, height: int, width: int) -> int:
        """Return by how much a picture of a size may be divided: the detector sees no less."""
        place = fit(height, width, self.detector.spec.preprocess)
        return max(min(height // place.scaled_height, width // place.scaled_width), 1)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find the faces of every picture, in pixels of the whole ones; best score first."""
        found = self.detector.detect(images)
        return [self._whole(image, own) for image, own in zip(images, found, strict=True)]

    def close(self) -> None:
        """Free the session."""
        self.detector.close()

    def _whole(self, image: Image, found: Sequence[Detection]) -> list[Detection]:
        if image.whole is not None:
            by = image.whole.divisor
            # The last row and column of a smaller decoding may reach beyond the picture.
            frame = np.array([image.whole.width, image.whole.height] * 2, np.float32)
            found = [
                replace(
                    one,
                    bbox=np.minimum(one.bbox * by, frame).astype(np.float32),
                    landmarks=None if one.landmarks is None else one.landmarks * np.float32(by),
                )
                for one in found
            ]
        sides = [float(min(one.bbox[2:] - one.bbox[:2])) for one in found]
        large = [
            one
            for one, side in zip(found, sides, strict=True)
            if side > 0 and side >= self.limits.min_size
        ]
        return large[: self.limits.max_faces] if self.limits.max_faces else large


@dataclass(frozen=True, eq=False)
class ReducingEmbedder:
    """An embedder (see `faceport.runtime.types.Embedder`) of faces in pictures decoded smaller.

    Attributes:
        embedder: embeds the crops.
    """

    embedder: SessionEmbedder

    is_stub = False

    @property
    def session(self) -> Session:
        """That runs it: streams ask how many runs it takes side by side."""
        return self.embedder.session

    @property
    def batch(self) -> int:
        """Most crops a run."""
        return self.embedder.batch

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space."""
        return self.embedder.fingerprint

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.embedder.dim

    @property
    def provider(self) -> str:
        """What runs, as `backend/provider`."""
        return self.embedder.provider

    def embed(self, faces: Sequence[Place], *, flip: bool = False) -> list[Embedding]:
        """Embed faces, each given as its picture and where it is in the whole of it.

        Raises:
            ImageDecodeError: a picture that has to be decoded again can't be any more.
            InputError: landmarks or a box from which no crop can be made.
            SessionError: the model did not run.
        """
        spec = self.embedder.spec.preprocess
        by_picture: dict[int, list[Detection]] = {}
        for image, face in faces:
            by_picture.setdefault(id(image), []).append(face)
        pictures = {id(image): image for image, _ in faces}
        cut = {key: _enough(image, by_picture[key], spec) for key, image in pictures.items()}
        places = [(cut[id(image)], _inside(cut[id(image)], face)) for image, face in faces]
        return self.embedder.embed(places, flip=flip)

    def close(self) -> None:
        """Free the session."""
        self.embedder.close()


def reducing(detector: Detector, embedder: Embedder) -> tuple[ReducingDetector, ReducingEmbedder]:
    """Return both parts for pictures that are decoded smaller.

    Raises:
        InputError: they are no models of bundles or artefacts.
    """
    if not isinstance(detector, FaceDetector) or not isinstance(embedder, SessionEmbedder):
        raise InputError(
            "reduced decoding needs to know what the models take",
            received=f"{type(detector).__name__} and {type(embedder).__name__}",
            expected="a detector and an embedder of bundles or artefacts",
        )
    unlimited = replace(detector.limits, max_faces=0, min_size=0.0)
    finder = ReducingDetector(replace(detector, limits=unlimited), detector.limits)
    return finder, ReducingEmbedder(embedder)


def _enough(image: Image, faces: Sequence[Detection], spec: PreprocessSpec) -> Image:
    """Return the picture in a decoding from which no crop of these faces is enlarged."""
    if image.whole is None:
        return image
    most = min(int(_shrinking(face, spec)) for face in faces)
    return image if most >= image.whole.divisor else image.whole.decode(max(most, 1))


def _shrinking(face: Detection, spec: PreprocessSpec) -> float:
    """Return how many pixels of the whole picture one of the crop takes, each way."""
    if spec.geometry == "align" and face.landmarks is not None:
        matrix = fit_similarity(face.landmarks, template_points(spec.height, spec.width))
        return float(1 / np.hypot(*matrix[:, 0]))
    width, height = (float(side) for side in face.bbox[2:] - face.bbox[:2])
    return min(width / spec.width, height / spec.height)


def _inside(image: Image, face: Detection) -> Detection:
    """Return a face of the whole picture where it is in a smaller decoding.

    The warp takes a pixel's middle for its position. The middle of the first pixel of a decoding
    divided by 4 is at 1.5 in the whole picture: so much is taken off.
    """
    if image.whole is None:
        return face
    by = image.whole.divisor
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = ((landmarks - (by - 1) / 2) / by).astype(np.float32)
    return replace(face, bbox=(face.bbox / by).astype(np.float32), landmarks=landmarks)
