"""A face detector that needs no model file: scikit-image's LBP cascade.

It finds frontal faces only and gives no landmarks, so faces are cut by their boxes. Good enough to
show the path from a photograph to a vector; use SCRFD, YuNet or YOLOv8-face for anything else. It
also shows how a detector of your own joins a `Pipeline`: it needs `detect` and `provider`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage import data
from skimage.feature import Cascade

from faceport.images import Image
from faceport.runtime.types import Detection


class CascadeDetector:
    provider = "scikit-image/cpu"

    def __init__(self) -> None:
        self._cascade = Cascade(data.lbp_frontal_face_cascade_filename())

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [self._detect(image) for image in images]

    def close(self) -> None:
        pass

    def _detect(self, image: Image) -> list[Detection]:
        shortest = min(image.height, image.width)
        boxes = self._cascade.detect_multi_scale(
            img=image.in_order("rgb"),
            scale_factor=1.2,
            step_ratio=1,
            min_size=(shortest // 8, shortest // 8),
            max_size=(shortest, shortest),
        )
        return [
            Detection(
                np.array(
                    [b["c"], b["r"], b["c"] + b["width"], b["r"] + b["height"]], dtype=np.float32
                ),
                1.0,
            )
            for b in boxes
        ]
