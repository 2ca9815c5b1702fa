"""The picture of an enrolled face, as the embedder saw it: kept to embed it again.

It is a PNG, so nothing is lost, and says in a text chunk named `faceport` how it was cut. A later
embedder that wants the same cut gets the very pixels; one that wants another size of the same cut
gets them scaled; one that wants another cut needs the photograph, since what lies around the face
is gone.
"""

from __future__ import annotations

import io
import json
from typing import Any, Literal

import numpy as np

from faceport.errors import InputError
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces, template_points
from faceport.runtime.types import Detection
from faceport.spec import PreprocessSpec

TEXT_KEY = "faceport"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Cut = Literal["arcface_112", "box"]
"""Warped by landmarks onto that template, or cut out by the box, widened by `padding`."""


def crop_of(image: Image, detection: Detection, spec: PreprocessSpec | None) -> bytes:
    """Return the face as a PNG, cut as an embedder's preprocessing says.

    Args:
        image: the picture that the face is in.
        detection: where.
        spec: of the embedder; None (the stub has none) cuts out the box as it is.

    Raises:
        InputError: landmarks or a box from which no crop can be made.
    """
    if spec is None:
        x1, y1, x2, y2 = (round(float(v)) for v in detection.bbox)
        pixels = image.in_order("rgb")[max(y1, 0) : y2, max(x1, 0) : x2]
        if not pixels.size:
            raise InputError("the box of a face has no pixels", received=detection.bbox.tolist())
        return _png(pixels, "box", 0.0)
    aligned = spec.geometry == "align" and detection.landmarks is not None
    pixels = align_faces([(image, detection)], spec)[0]
    rgb = pixels if spec.color_order == "rgb" else pixels[..., ::-1]
    return _png(rgb, "arcface_112" if aligned else "box", spec.box_padding)


def face_of(crop: bytes, spec: PreprocessSpec | None) -> tuple[Image, Detection]:
    """Return a kept crop as a picture and where the face is in it, for an embedder.

    Args:
        crop: from `crop_of`.
        spec: of the embedder; None takes the crop as it is.

    Raises:
        ImageDecodeError: it is no picture.
        InputError: it was cut in another way than the embedder wants.
    """
    image = load_image(crop)
    cut, padding = _cut(crop)
    height, width = image.height, image.width
    whole = np.array([0, 0, width, height], np.float32)
    if spec is None:
        return image, Detection(whole, 1.0)
    wanted: Cut = "arcface_112" if spec.geometry == "align" else "box"
    if cut != wanted or (cut == "box" and padding != spec.box_padding):
        raise InputError(
            "a kept crop was cut in another way than the embedder wants",
            received=_text(cut, padding),
            expected=_text(wanted, spec.box_padding),
            fix="embed the photograph again",
        )
    if cut == "arcface_112":
        marks = template_points(height, width).astype(np.float32)
        return image, Detection(whole, 1.0, marks)
    # The box that is the whole crop once it is widened again.
    inset = padding / (1 + 2 * padding) * np.array([width, height, -width, -height])
    return image, Detection((whole + inset).astype(np.float32), 1.0)


def _png(pixels: Any, cut: Cut, padding: float) -> bytes:
    from PIL import Image as PilImage
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text(TEXT_KEY, json.dumps({"cut": cut, "padding": padding}))
    file = io.BytesIO()
    PilImage.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def _cut(crop: bytes) -> tuple[str, float]:
    from PIL import Image as PilImage

    with PilImage.open(io.BytesIO(crop)) as picture:
        text = picture.info.get(TEXT_KEY)
    try:
        values = json.loads(text) if isinstance(text, str) else {}
        return str(values["cut"]), float(values["padding"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            "a kept crop does not say how it was cut",
            received=repr(text)[:60],
            expected=f"a PNG with a text {TEXT_KEY!r}",
            fix="embed the photograph again",
        ) from error


def _text(cut: str, padding: float) -> str:
    return cut if cut == "arcface_112" else f"box with {padding:g} of its size around it"
