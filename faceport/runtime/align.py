"""From a face in a picture to a crop of the model's size.

With landmarks: the similarity (turn, scale, shift) that brings the 5 points onto the alignment
template with the least squared error, and one warp straight from the whole picture. Without: the
box, widened and clamped to the frame.

A warp interpolates bilinearly, as insightface's `norm_crop` does, because that is what recognisers
were trained on. A face that shrinks more than twice is therefore sampled, not averaged. A box is
scaled as the spec's `resample` says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.images import Image
from faceport.runtime.resize import resize_into
from faceport.runtime.types import Detection
from faceport.spec import PreprocessSpec

Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]
Complex = NDArray[np.complex128]

ARCFACE_112: tuple[tuple[float, float], ...] = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""x y of the 5 landmarks in a 112×112 crop (deepinsight/insightface `utils/face_align.py`)."""

TEMPLATE_SIZE = 112


def template_points(height: int, width: int) -> Points:
    """Return the `arcface_112` template for a crop of this size: (5, 2), x y in pixels.

    It is scaled with the height and centred in the width, so 112×96 is the template minus 8 in x.
    """
    points: Points = np.array(ARCFACE_112) * (height / TEMPLATE_SIZE)
    points[:, 0] += (width - height) / 2
    return points


def fit_similarity(points: NDArray[np.floating[Any]], template: Points) -> Points:
    """Return the similarity that maps `points` onto `template` with the least squared error.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, without reflection. In two dimensions, with points as complex numbers about their
    means, its solution is one division: turn and scale are `sum(conj(p) * q) / sum(|p|^2)`.

    Args:
        points: (..., K, 2) with K of 2 or more; leading axes are fitted separately.
        template: (K, 2).

    Returns:
        (..., 2, 3): `x' = a x - b y + c`, `y' = b x + a y + d`.

    Raises:
        InputError: the shapes differ, a value is not finite, all points are one, or they are so
            mirrored that no turn fits better than a single point.
    """
    source = np.asarray(points, dtype=np.float64)
    if source.ndim < 2 or source.shape[-2:] != template.shape:
        raise InputError(
            "the landmarks do not fit the template",
            received=f"shape {source.shape}",
            expected=f"(..., {template.shape[0]}, 2)",
        )
    if not np.isfinite(source).all():
        raise _no_fit(source, np.isfinite(source).all(axis=(-2, -1)))
    p, p_mean = _centred(source)
    q, q_mean = _centred(template)
    power = (np.abs(p) ** 2).sum(axis=-1)
    overlap = (p.conj() * q).sum(axis=-1)
    # Relative limits: far below any face, far above rounding.
    spread = power > 1e-12 * (1 + np.abs(p_mean) ** 2)
    turned = np.abs(overlap) ** 2 > 1e-12 * power * (np.abs(q) ** 2).sum()
    if not np.all(spread & turned):
        raise _no_fit(source, spread & turned)
    turn = overlap / power
    shift = q_mean - turn * p_mean
    rows = [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def align_faces(faces: Sequence[tuple[Image, Detection]], spec: PreprocessSpec) -> Pixels:
    """Cut faces out of their pictures.

    Args:
        faces: each with the picture that it is in.
        spec: with geometry `align`, faces that have landmarks are warped to the template; all
            others are cut out by their box.

    Returns:
        (N, height, width, 3) uint8 in the spec's colour order; black where a crop leaves the frame.

    Raises:
        InputError: landmarks or a box from which no crop can be made.
    """
    crops = np.empty((len(faces), spec.height, spec.width, 3), np.uint8)
    matrices = iter(_matrices(faces, spec))
    for crop, (image, detection) in zip(crops, faces, strict=True):
        # The cut is written in place; only another colour order needs a second step.
        same = image.color_order == spec.color_order
        target = crop if same else np.empty_like(crop)
        if spec.geometry == "align" and detection.landmarks is not None:
            _warp(image.pixels, next(matrices), target)
        else:
            left, top, right, bottom = _padded_box(detection, image, spec.box_padding)
            resize_into(image.pixels[top:bottom, left:right], target, spec.resample)
        if not same:
            _swap(target, crop)
    return crops


def _matrices(faces: Sequence[tuple[Image, Detection]], spec: PreprocessSpec) -> Sequence[Points]:
    """Return the similarities of the faces that are warped: fitted together, much faster."""
    if spec.geometry != "align":
        return []
    found = [face.landmarks for _, face in faces if face.landmarks is not None]
    template = template_points(spec.height, spec.width)
    if len({points.shape for points in found}) == 1:
        return list(fit_similarity(np.stack(found), template))
    # At most one of them fits; which one does not, its own error says.
    return [fit_similarity(points, template) for points in found]


def _warp(pixels: Pixels, matrix: Points, target: Pixels) -> None:
    import cv2

    height, width = target.shape[:2]
    try:
        cv2.warpAffine(pixels, matrix, (width, height), dst=target, flags=cv2.INTER_LINEAR)
    except cv2.error as error:
        # OpenCV 4 warps no picture with a side of 32,767 pixels or more.
        raise InputError(
            "OpenCV could not warp the face", received=f"a picture of {pixels.shape[:2]}: {error}"
        ) from error


def _swap(pixels: Pixels, target: Pixels) -> None:
    import cv2

    cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=target)


def _padded_box(detection: Detection, image: Image, padding: float) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom in whole pixels, inside the frame, at least one pixel."""
    x1, y1, x2, y2 = (float(v) for v in detection.bbox)
    wider, taller = padding * (x2 - x1), padding * (y2 - y1)
    edges = (x1 - wider, y1 - taller, x2 + wider, y2 + taller)
    if all(math.isfinite(edge) for edge in edges):
        left, top = max(0, math.floor(edges[0])), max(0, math.floor(edges[1]))
        right = min(image.width, math.ceil(edges[2]))
        bottom = min(image.height, math.ceil(edges[3]))
        if left < right and top < bottom and x1 < x2 and y1 < y2:
            return left, top, right, bottom
    raise InputError(
        f"the box of a face has no pixels of {image.name}",
        received=f"x1 {x1:g}, y1 {y1:g}, x2 {x2:g}, y2 {y2:g}",
        expected=f"a box that meets the picture, height {image.height}, width {image.width}",
    )


def _centred(points: Points) -> tuple[Complex, Complex]:
    numbers = points[..., 0] + 1j * points[..., 1]
    mean = numbers.mean(axis=-1)
    return numbers - mean[..., None], mean


def _no_fit(source: Points, fits: object) -> InputError:
    first = source.reshape(-1, *source.shape[-2:])[int(np.argmin(np.asarray(fits).ravel()))]
    return InputError(
        "no similarity fits the landmarks of a face",
        received=np.array2string(first, precision=1, separator=", "),
        expected="finite points that are apart: left eye, right eye, nose, mouth corners",
    )
