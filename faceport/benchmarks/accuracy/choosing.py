"""Which of a picture's faces is meant, where a list names the picture only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from faceport.images import Image
from faceport.runtime.types import Detection

Rule = Literal["central", "largest", "best"]

RULES: tuple[Rule, ...] = ("central", "largest", "best")

OFF_CENTRE = 2.0
"""Weight of the squared distance to the picture's centre against the area of the box."""


def chosen_face(found: Sequence[Detection], image: Image, rule: Rule = "central") -> Detection:
    """Return the face that a picture is of.

    Lists such as LFW's name one person a picture, who was put into the middle of it, while
    bystanders at the border may be larger or score higher. `central` therefore takes the box with
    the largest `area - 2 d²`, with d the distance of the two centres in pixels
    (deepinsight/insightface `model_zoo/scrfd.py`, metric of `detect` with `max_num`). `largest`
    takes the largest box, `best` the highest score.

    Args:
        found: one or more.
        image: the picture that they are in.
        rule: see above.
    """
    if rule == "best":
        return max(found, key=lambda face: face.score)
    weight = OFF_CENTRE if rule == "central" else 0.0
    return max(found, key=lambda face: _area(face) - weight * _off_centre(face, image))


def _area(face: Detection) -> float:
    x1, y1, x2, y2 = (float(v) for v in face.bbox)
    return (x2 - x1) * (y2 - y1)


def _off_centre(face: Detection, image: Image) -> float:
    """Return the squared distance of the box's centre from the picture's, square pixels."""
    x1, y1, x2, y2 = (float(v) for v in face.bbox)
    return ((x1 + x2 - image.width) / 2) ** 2 + ((y1 + y2 - image.height) / 2) ** 2
