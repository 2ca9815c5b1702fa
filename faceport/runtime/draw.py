"""Pictures with boxes, landmarks and names, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceport.atomic import atomic_file
from faceport.errors import InputError
from faceport.images import Image
from faceport.runtime.fonts import Font, fitting_font
from faceport.runtime.types import Detection, Face

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""Suffix to the format that `save_image` writes."""

JPEG_QUALITY = 92
BOX_COLOR = (0, 230, 118)
POINT_COLOR = (255, 64, 129)
TEXT_COLOR = (0, 0, 0)
SMALLEST_TEXT = 13
"""Pixels: smaller letters are not readable."""

Box = tuple[float, float, float, float]


def draw_faces(
    image: Image, faces: Sequence[Detection | Face], labels: Sequence[str] | None = None
) -> Image:
    """Return a copy of the picture with the faces drawn in.

    Lines and letters grow with the picture. A label is put above its box, or where there is room;
    letters that no font here has are replaced.

    Args:
        image: left as it is.
        faces: detections, or faces that have one.
        labels: one text a face; an empty one is not drawn.

    Raises:
        InputError: another number of labels than of faces.
    """
    from PIL import Image as PilImage
    from PIL import ImageDraw

    texts = [""] * len(faces) if labels is None else list(labels)
    if len(texts) != len(faces):
        raise InputError("labels do not fit the faces", received=len(texts), expected=len(faces))
    picture = PilImage.fromarray(np.ascontiguousarray(image.in_order("rgb")))
    canvas = ImageDraw.Draw(picture)
    found = [face.detection if isinstance(face, Face) else face for face in faces]
    line = max(1, round(min(image.height, image.width) / 300))
    for detection in found:
        _mark(canvas, detection, line)
    # Labels come last, so that no box crosses a name.
    taken: list[Box] = []
    for detection, text in zip(found, texts, strict=True):
        if text.strip():
            taken.append(_label(canvas, detection, " ".join(text.split()), taken))
    return Image(np.asarray(picture), "rgb", image.name)


def save_image(image: Image, path: str | Path) -> None:
    """Write a picture; the file is there whole or not at all.

    Raises:
        InputError: the suffix is no format we write, or the file can't be written.
    """
    from PIL import Image as PilImage

    target = Path(path)
    written = FORMATS.get(target.suffix.lower())
    if written is None:
        raise InputError(
            f"{target} has no picture format",
            received=f"suffix {target.suffix!r}",
            expected=" ".join(FORMATS),
        )
    picture = PilImage.fromarray(np.ascontiguousarray(image.in_order("rgb")))
    options: dict[str, Any] = {"quality": JPEG_QUALITY} if written in ("JPEG", "WEBP") else {}
    with atomic_file(target, InputError) as partial:
        try:
            picture.save(partial, format=written, **options)
        except ValueError as error:
            # Formats have limits of their own: WebP ends at 16,383 pixels a side.
            raise InputError(f"{target} could not be written as {written}: {error}") from error


def _mark(canvas: ImageDraw, detection: Detection, line: int) -> None:
    x1, y1, x2, y2 = (float(v) for v in detection.bbox)
    canvas.rectangle(
        (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), outline=BOX_COLOR, width=line
    )
    if detection.landmarks is None:
        return
    radius = max(1.0, min(line * 1.5, abs(x2 - x1) / 25))
    for x, y in detection.landmarks.tolist():
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=POINT_COLOR)


def _label(canvas: ImageDraw, detection: Detection, text: str, taken: Sequence[Box]) -> Box:
    """Draw a text on a plate and return where."""
    width, height = canvas.im.size
    font, shown = _readable(text, height, width)
    left, top, right, bottom = font.getbbox(shown)
    pad = max(2, round((bottom - top) / 5))
    size = (right - left + 2 * pad, bottom - top + 2 * pad)
    plate = _free_place(detection, size, (width, height), taken)
    canvas.rectangle(plate, fill=BOX_COLOR)
    canvas.text((plate[0] + pad - left, plate[1] + pad - top), shown, fill=TEXT_COLOR, font=font)
    return plate


def _readable(text: str, height: int, width: int) -> tuple[Font, str]:
    """Choose letters that grow with the picture, and shorten a text that is wider than it."""
    size = max(SMALLEST_TEXT, round(min(height, width) / 40))
    font, shown = fitting_font(text, size)
    room = max(width - size, size)
    if font.getlength(shown) > room:
        while shown and font.getlength(shown + "...") > room:
            shown = shown[:-1]
        shown += "..."
    return font, shown


def _free_place(
    detection: Detection,
    size: tuple[float, float],
    frame: tuple[int, int],
    taken: Sequence[Box],
) -> Box:
    """Return the first place in the frame that meets no other: above, below, then inside the box.

    `size` and `frame` are width and height. Where none is free, the place that meets the fewest.
    """
    (wide, tall), (width, height) = size, frame
    x1, y1, _, y2 = (float(v) for v in detection.bbox)
    x = min(max(x1, 0), max(width - wide, 0))
    places = []
    for top in (y1 - tall, y2, y1, y2 - tall):
        y = min(max(top, 0), max(height - tall, 0))
        place = (x, y, x + wide, y + tall)
        places.append((sum(_meet(place, other) for other in taken), place))
    return min(places, key=lambda scored: scored[0])[1]


def _meet(first: Box, second: Box) -> bool:
    across = first[0] < second[2] and second[0] < first[2]
    return across and first[1] < second[3] and second[1] < first[3]
