"""Pictures: decoded with limits, upright, with an explicit colour order."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceport.errors import ImageDecodeError, InputError
from faceport.spec import ColorOrder

if TYPE_CHECKING:
    from PIL import Image as PilImage

MAX_PIXELS = 89_000_000
"""Default limit of height × width; a picture above it is refused before its pixels are decoded.

Just under the size from which Pillow itself warns.
"""

PILLOW_MAX_PIXELS = 178_956_970
"""Pillow refuses more whatever the limit here."""

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | IO[bytes] | NDArray[Any] | PilImage.Image | Image"
)


@dataclass(frozen=True, eq=False)
class Image:
    """A decoded picture.

    Attributes:
        pixels: (height, width, 3) uint8.
        color_order: of the last axis.
        name: the file's name, for messages.
    """

    pixels: NDArray[np.uint8]
    color_order: ColorOrder
    name: str = "image"

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    def in_order(self, color_order: ColorOrder) -> NDArray[np.uint8]:
        """Return the pixels in a colour order; a view where the order differs."""
        return self.pixels if color_order == self.color_order else self.pixels[..., ::-1]


def load_image(
    source: ImageSource, *, color_order: ColorOrder | None = None, max_pixels: int = MAX_PIXELS
) -> Image:
    """Read a picture from a path, bytes, a file object, a PIL image or an array.

    EXIF orientation is applied, grey becomes three equal channels, transparency is laid over white,
    and 16-bit greys are scaled to 8 bits. An array is (height, width), (height, width, 3) or
    (height, width, 4), uint8, and says its `color_order` (`rgb`, or `bgr` as OpenCV gives it):
    nothing about it can be guessed.

    Raises:
        ImageDecodeError: no picture, a damaged one, or more than `max_pixels`.
        InputError: an array of another shape or dtype, or without `color_order`.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, color_order, max_pixels)
    if hasattr(source, "getexif"):
        with _translated("PIL image", max_pixels):
            return _from_pil(source, "PIL image", max_pixels)
    name, handle = _opened(source)
    with handle:
        return _decoded(handle, name, max_pixels)


def read_all(source: Any) -> bytes:
    """Return what is left of a file object.

    Raises:
        ImageDecodeError: it can't be read.
        InputError: it gives text.
    """
    name = str(getattr(source, "name", "file object"))
    try:
        data = source.read()
    # Anything may stand behind a `read`: closed, write-only, a broken connection.
    except Exception as error:
        raise ImageDecodeError(f"{name} could not be read: {error}") from error
    if not isinstance(data, bytes):
        raise InputError(
            f"{name} is not opened for bytes", received=type(data).__name__, expected="bytes"
        )
    return data


def _opened(source: Any) -> tuple[str, IO[bytes]]:
    if isinstance(source, bytes | bytearray | memoryview):
        return "bytes", io.BytesIO(bytes(source))
    if hasattr(source, "read"):
        # Read here so that the caller's file object is left open.
        return str(getattr(source, "name", "file object")), io.BytesIO(read_all(source))
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            "not a picture source",
            received=type(source).__name__,
            expected="a path, bytes, a file object, a numpy array or a PIL image",
        )
    path = Path(source)
    try:
        return str(path), path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageDecodeError(f"{path} could not be opened: {reason}") from error


def _decoded(handle: IO[bytes], name: str, max_pixels: int) -> Image:
    from PIL import Image as PilImage

    with _translated(name, max_pixels), PilImage.open(handle) as picture:
        return _from_pil(picture, name, max_pixels)


@contextmanager
def _translated(name: str, max_pixels: int) -> Iterator[None]:
    from PIL import Image as PilImage

    try:
        with _quiet():
            yield
    except ImageDecodeError:
        raise
    except PilImage.DecompressionBombError as error:
        raise _too_large(name, str(error), min(max_pixels, PILLOW_MAX_PIXELS)) from error
    # Decoders of damaged files raise nearly anything: OSError, SyntaxError, struct.error, …
    except Exception as error:
        reason = "no known picture format" if "cannot identify" in str(error) else error
        raise ImageDecodeError(
            f"{name} is not a readable picture: {reason}",
            expected="a whole JPEG, PNG, WebP, BMP, GIF or TIFF file",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings, on large pictures and odd metadata, from a caller who can't help it.

    Only Pillow's are named, so that threads that change the filters at once hide no others.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _from_pil(picture: Any, name: str, max_pixels: int) -> Image:
    width, height = picture.size
    if width * height > max_pixels:
        raise _too_large(name, f"{height} × {width} pixels", max_pixels)
    if width * height == 0:
        raise ImageDecodeError(f"{name} has no pixels", received=f"{height} × {width}")
    if picture.mode == "F":
        # Nothing says what its numbers mean: 0 to 1, 0 to 255, or a measurement.
        raise ImageDecodeError(f"{name} holds floating point numbers", expected="8 or 16 bits")
    return Image(np.asarray(_rgb(_upright(picture))), "rgb", name)


def _upright(picture: Any) -> Any:
    """Apply the EXIF orientation (tag 274: 1 to 8).

    Not Pillow's `exif_transpose`: it writes the EXIF block anew, which fails on blocks that are a
    little wrong, and it copies pictures that are upright.
    """
    from PIL.Image import Transpose

    # First, because TIFF files turn themselves when they are loaded, and drop the tag.
    picture.load()
    try:
        orientation = picture.getexif().get(274)
    # A damaged block is no reason to lose the picture; its parser raises nearly anything.
    except Exception:
        return picture
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _rgb(picture: Any) -> Any:
    from PIL import Image as PilImage

    if picture.mode.startswith("I;16") or picture.mode == "I":
        wide = np.asarray(picture, dtype=np.uint32)
        picture = PilImage.fromarray((wide >> 8).clip(0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = PilImage.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = PilImage.alpha_composite(white, layer)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _from_array(array: NDArray[Any], color_order: ColorOrder | None, max_pixels: int) -> Image:
    grey = array.ndim == 2
    if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise InputError(
            "the array is no picture",
            received=f"{array.dtype} {array.shape}",
            expected="uint8 (height, width), (height, width, 3) or (height, width, 4)",
        )
    if array.size == 0:
        raise InputError("the array has no pixels", received=array.shape)
    if array.shape[0] * array.shape[1] > max_pixels:
        raise _too_large("array", f"{array.shape[0]} × {array.shape[1]} pixels", max_pixels)
    if grey:
        return Image(np.repeat(array[..., None], 3, axis=2), "rgb", "array")
    if color_order not in ("rgb", "bgr"):
        raise InputError(
            "an array does not say its colour order",
            received=f"color_order={color_order!r}",
            expected="'rgb' or 'bgr'",
            fix="pass color_order='bgr' for an array of OpenCV's, 'rgb' for one of PIL's",
        )
    return Image(np.ascontiguousarray(_opaque(array)), color_order, "array")


def _opaque(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.shape[2] == 3:
        return array
    alpha = array[..., 3:].astype(np.uint16)
    mixed = (array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)


def _too_large(name: str, received: str, max_pixels: int) -> ImageDecodeError:
    return ImageDecodeError(
        f"{name} has too many pixels",
        received=received,
        expected=f"at most {max_pixels:,}",
        fix="raise the limit (--max-pixels, max_pixels=) if the picture is meant to be so large",
    )
