"""From a source to a picture: paths, bytes, file objects, PIL images, arrays."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from faceport.errors import ImageDecodeError, InputError
from faceport.images.arrays import picture_of_array
from faceport.images.picture import (
    MAX_PIXELS,
    PILLOW_MAX_PIXELS,
    Divisor,
    Image,
    ImageSource,
    Whole,
    too_large,
)
from faceport.images.pillow import draft, orientation_of, pixels_of, upright_size
from faceport.spec import ColorOrder


def load_image(
    source: ImageSource,
    *,
    color_order: ColorOrder | None = None,
    max_pixels: int = MAX_PIXELS,
    divisor: Divisor | None = None,
) -> Image:
    """Read a picture from a path, bytes, a file object, a PIL image or an array.

    EXIF orientation is applied, grey becomes three equal channels, transparency is laid over white,
    and 16-bit greys are scaled to 8 bits. An array is (height, width), (height, width, 3) or
    (height, width, 4), uint8, and says its `color_order` (`rgb`, or `bgr` as OpenCV gives it):
    nothing about it can be guessed.

    With `divisor`, a JPEG file is decoded smaller by 2, 4 or 8, but by no more than `divisor` says;
    anything else is decoded whole. `max_pixels` is of the whole picture all the same.

    Raises:
        ImageDecodeError: no picture, a damaged one, or more than `max_pixels`.
        InputError: an array of another shape or dtype, or without `color_order`.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, np.ndarray):
        return picture_of_array(source, color_order, max_pixels)
    if hasattr(source, "getexif"):
        with _translated("PIL image", max_pixels):
            return _from_pil(source, "PIL image", max_pixels)
    name, file = _opened(source)
    if divisor is not None and isinstance(file, Path) and not file.is_file():
        # A pipe can be read but once.
        file = _read(file)
    return _decoded(file, name, max_pixels, divisor)


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


def _opened(source: Any) -> tuple[str, Path | bytes]:
    """Return a name for messages, and the file's path or its bytes."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "bytes", bytes(source)
    if hasattr(source, "read"):
        # Read here so that the caller's file object is left open.
        return str(getattr(source, "name", "file object")), read_all(source)
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            "not a picture source",
            received=type(source).__name__,
            expected="a path, bytes, a file object, a numpy array or a PIL image",
        )
    path = Path(source)
    return str(path), path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _not_opened(path, error) from error


def _not_opened(path: Path, error: Exception) -> ImageDecodeError:
    reason = getattr(error, "strerror", None) or error
    return ImageDecodeError(f"{path} could not be opened: {reason}")


def _decoded(file: Path | bytes, name: str, max_pixels: int, divisor: Divisor | None) -> Image:
    from PIL import Image as PilImage

    with _translated(name, max_pixels):
        try:
            # Given a path, Pillow loads the reader that its suffix names, and not five of them.
            opened = PilImage.open(file if isinstance(file, Path) else io.BytesIO(file))
        # "No known format" is an OSError too, without a number.
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            if isinstance(file, Path) and (number is not None or "\0" in str(file)):
                raise _not_opened(file, error) from error
            raise
        with opened as picture:
            return _from_pil(picture, name, max_pixels, divisor, file)


@contextmanager
def _translated(name: str, max_pixels: int) -> Iterator[None]:
    from PIL import Image as PilImage

    try:
        with _quiet():
            yield
    except ImageDecodeError:
        raise
    except PilImage.DecompressionBombError as error:
        raise too_large(name, str(error), min(max_pixels, PILLOW_MAX_PIXELS)) from error
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


def _from_pil(
    picture: Any,
    name: str,
    max_pixels: int,
    divisor: Divisor | None = None,
    file: Path | bytes = b"",
) -> Image:
    width, height = picture.size
    if width * height > max_pixels:
        raise too_large(name, f"{height} × {width} pixels", max_pixels)
    if width * height == 0:
        raise ImageDecodeError(f"{name} has no pixels", received=f"{height} × {width}")
    if picture.mode == "F":
        # Nothing says what its numbers mean: 0 to 1, 0 to 255, or a measurement.
        raise ImageDecodeError(f"{name} holds floating point numbers", expected="8 or 16 bits")
    orientation = orientation_of(picture)
    height, width = upright_size(picture, orientation)
    by = 1 if divisor is None else draft(picture, orientation, divisor(height, width))
    pixels = pixels_of(picture, orientation)
    if by == 1:
        return Image(pixels, "rgb", name)

    def again(most: int) -> Image:
        return _decoded(file, name, max_pixels, lambda *_: most)

    return Image(pixels, "rgb", name, Whole(height, width, by, again))
