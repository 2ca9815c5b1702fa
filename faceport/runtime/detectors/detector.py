"""The frame around every decoder: letterbox, session, decode, faces in picture pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.images import Image
from faceport.runtime.detectors.candidates import Decoder
from faceport.runtime.detectors.limits import DetectionLimits
from faceport.runtime.detectors.selection import faces_of
from faceport.runtime.letterbox import letterbox
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Session
from faceport.runtime.types import Detection
from faceport.spec import ColorOrder, ModelSpec

BATCH = 8
"""Most pictures a run where the model sets no limit: a picture of 640×640 is a tensor of 5 MB."""


@dataclass(frozen=True, eq=False)
class FaceDetector:
    """A detector (see `faceport.runtime.types.Detector`) on one session.

    Attributes:
        session: what runs the graph.
        spec: of the model; its task is `detector`.
        decoder: made from the spec.
        limits: thresholds in force.
    """

    session: Session
    spec: ModelSpec
    decoder: Decoder
    limits: DetectionLimits

    @property
    def provider(self) -> str:
        """What runs, as `backend/provider`."""
        return f"{self.session.backend}/{self.session.provider}"

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find the faces of every picture: one list a picture, best score first.

        Pictures share a run where the model has a fixed size and a batch axis.

        Raises:
            SessionError: the model did not run, or its outputs do not fit its spec.
        """
        found: list[list[Detection]] = []
        for group in self._groups(images):
            found.extend(self._detect_group(group))
        return found

    def close(self) -> None:
        """Free the session. Closing twice is fine."""
        self.session.close()

    def _groups(self, images: Sequence[Image]) -> Iterator[Sequence[Image]]:
        most = BATCH if self.spec.max_batch is None else min(self.spec.max_batch, BATCH)
        size = 1 if self.spec.preprocess.dynamic_size else most
        for start in range(0, len(images), size):
            yield images[start : start + size]

    def _detect_group(self, images: Sequence[Image]) -> list[list[Detection]]:
        preprocess = self.spec.preprocess
        fitted = [letterbox(image, preprocess) for image in images]
        orders = [image.color_order for image in images]
        pixels, order = _stacked([pixels for pixels, _ in fitted], orders)
        tensor = to_tensor(pixels, order, preprocess)
        outputs = self.session.run({self.spec.inputs[0].name: tensor})
        faces = []
        for index, (_, place) in enumerate(fitted):
            # A single picture's outputs may lack the batch axis; the decoders allow for both.
            own = outputs if len(images) == 1 else {k: v[index] for k, v in outputs.items()}
            candidates = self.decoder.decode(
                own, place.height, place.width, self.limits.score_threshold
            )
            faces.append(faces_of(candidates, place, self.limits))
        return faces


def _stacked(
    pictures: Sequence[NDArray[np.uint8]], orders: Sequence[ColorOrder]
) -> tuple[NDArray[np.uint8], ColorOrder]:
    """Return pictures as one array (N, height, width, 3) in one colour order, the first one's."""
    if len(pictures) == 1:
        return pictures[0][None], orders[0]
    same = [
        picture if order == orders[0] else picture[..., ::-1]
        for picture, order in zip(pictures, orders, strict=True)
    ]
    return np.stack(same), orders[0]
