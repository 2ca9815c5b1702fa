"""The letterbox: a picture scaled to fit the detector's input, the rest padded.

Coordinates are scaled plainly, `input = image * scale + offset`, as the detectors' authors do:
insightface's `scrfd.py` (anchored top left) and Ultralytics' `LetterBox` (centred).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.images import Image
from faceport.spec import PreprocessSpec

Points = NDArray[np.floating]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies in the detector's input.

    Attributes:
        height: of the input, pixels.
        width: of the input, pixels.
        image_height: of the picture before scaling.
        image_width: of the picture before scaling.
        scaled_height: rows that the picture takes in the input.
        scaled_width: columns that the picture takes in the input.
        top: rows of padding above the picture.
        left: columns of padding left of the picture.
    """

    height: int
    width: int
    image_height: int
    image_width: int
    scaled_height: int
    scaled_width: int
    top: int
    left: int

    @property
    def scale(self) -> Float64:
        """(2,) input pixels a picture pixel, x and y: they differ by the rounding of the size."""
        return np.array(
            [self.scaled_width / self.image_width, self.scaled_height / self.image_height]
        )

    @property
    def offset(self) -> Float64:
        """(2,) padding before the picture, x and y, input pixels."""
        return np.array([self.left, self.top], np.float64)

    def to_input(self, points: Points) -> Float64:
        """Move points (…, 2), x y, from the picture to the input."""
        return np.asarray(points, np.float64) * self.scale + self.offset

    def to_image(self, points: Points) -> Float64:
        """Move points (…, 2), x y, from the input to the picture; the inverse of `to_input`."""
        return (np.asarray(points, np.float64) - self.offset) / self.scale


def letterbox(image: Image, spec: PreprocessSpec) -> tuple[NDArray[np.uint8], Letterbox]:
    """Scale a picture to fit the model's input and pad the rest with `spec.pad_value`.

    Args:
        image: of any size; a smaller one is scaled up.
        spec: with geometry `letterbox`. With `dynamic_size` the input is no larger than the scaled
            picture rounded up to `size_multiple`, and its longer side no larger than the longer of
            `spec.height` and `spec.width`.

    Returns:
        uint8 (height, width, 3) pixels in the picture's own colour order, and the geometry.

    Raises:
        InputError: the spec has another geometry.
    """
    import cv2

    place = fit(image.height, image.width, spec)
    pixels = np.full((place.height, place.width, 3), spec.pad_value, np.uint8)
    rows = slice(place.top, place.top + place.scaled_height)
    columns = slice(place.left, place.left + place.scaled_width)
    # Written in place: half the time of scaling to an array of its own and copying that.
    cv2.resize(
        np.ascontiguousarray(image.pixels),
        (place.scaled_width, place.scaled_height),
        dst=pixels[rows, columns],
        interpolation=cv2.INTER_LINEAR,
    )
    return pixels, place


def fit(image_height: int, image_width: int, spec: PreprocessSpec) -> Letterbox:
    """Place a picture of a size in the model's input.

    Raises:
        InputError: the spec has another geometry.
    """
    if spec.geometry != "letterbox":
        raise InputError(
            "the model does not take letterboxed pictures",
            received=f"geometry {spec.geometry}",
            expected="geometry letterbox",
        )
    room_height, room_width = _room(spec)
    scale = min(room_height / image_height, room_width / image_width)
    scaled_height = _rounded(image_height * scale, room_height)
    scaled_width = _rounded(image_width * scale, room_width)
    height, width = room_height, room_width
    if spec.dynamic_size:
        height = _up(scaled_height, spec.size_multiple)
        width = _up(scaled_width, spec.size_multiple)
    centred = spec.pad_anchor == "center"
    return Letterbox(
        height=height,
        width=width,
        image_height=image_height,
        image_width=image_width,
        scaled_height=scaled_height,
        scaled_width=scaled_width,
        top=(height - scaled_height) // 2 if centred else 0,
        left=(width - scaled_width) // 2 if centred else 0,
    )


def _room(spec: PreprocessSpec) -> tuple[int, int]:
    """Return the height and width that the scaled picture may take."""
    if not spec.dynamic_size:
        return spec.height, spec.width
    multiple = spec.size_multiple
    longest = max(max(spec.height, spec.width) // multiple, 1) * multiple
    return longest, longest


def _rounded(size: float, most: int) -> int:
    return min(max(round(size), 1), most)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
