"""Everything that is no picture, or too large a one: a decode error with its name, no warning."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.errors import FaceportError, ImageDecodeError, InputError
from faceport.images import load_image

NOISE = np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def encoded(format: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(NOISE).save(buffer, format)
    return buffer.getvalue()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that declares a size, whatever its data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((3, 4, 4), np.int8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0), np.uint8),
    ],
    ids=lambda a: f"{a.dtype} {a.shape}",
)
def test_refuses_arrays_that_are_no_picture(array: NDArray[np.generic]) -> None:
    with pytest.raises(InputError, match="array"):
        load_image(array, color_order="rgb")


@pytest.mark.parametrize("source", [7, None, ["a.jpg"], {"path": "a.jpg"}])
def test_refuses_what_is_no_source(source: object) -> None:
    with pytest.raises(InputError, match="path, bytes"):
        load_image(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM"],
)
def test_bytes_that_are_no_picture(data: bytes) -> None:
    with pytest.raises(ImageDecodeError, match="bytes is not a readable picture"):
        load_image(data)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_a_truncated_picture_is_an_error_with_its_name(
    tmp_path: Path, format: str, share: float
) -> None:
    data = encoded(format)
    path = tmp_path / "half.img"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageDecodeError, match=r"half\.img"):
        load_image(path)


def test_a_truncated_photograph_is_an_error(photos: Path) -> None:
    with pytest.raises(ImageDecodeError, match="truncated"):
        load_image((photos / "groups" / "friends_6_faces.jpg").read_bytes()[:100_000])


@settings(deadline=None, max_examples=60)
@given(position=st.floats(0, 1), value=st.integers(0, 255), kind=st.sampled_from(["JPEG", "PNG"]))
def test_a_changed_byte_gives_a_picture_or_a_decode_error(
    position: float, value: int, kind: str
) -> None:
    data = bytearray(encoded(kind))
    data[int(position * (len(data) - 1))] = value
    try:
        image = load_image(bytes(data))
    except ImageDecodeError:
        return
    assert image.pixels.ndim == 3


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.jpg", tmp_path, tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(ImageDecodeError, match="could not be opened"):
            load_image(path)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    """A file of a hundred bytes that declares 60,000 × 60,000 pixels: 10 GB of them."""
    code = (
        "import resource, sys\n"
        "from faceport.images import load_image\n"
        "from faceport.errors import ImageDecodeError\n"
        "import PIL.Image, PIL.PngImagePlugin\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    load_image(sys.stdin.buffer.read())\n"
        "except ImageDecodeError as error:\n"
        "    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=png(60_000, 60_000),
        capture_output=True,
        check=True,
    )
    message, grown = done.stdout.decode().splitlines()
    assert "too many pixels" in message
    assert int(grown) < 20_000  # kilobytes


@pytest.mark.parametrize("size", [(10_000, 9_000), (13_000, 13_000), (14_000, 14_000)])
def test_the_pixel_limit_holds_without_a_warning(size: tuple[int, int]) -> None:
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        with pytest.raises(ImageDecodeError, match="max_pixels="):
            load_image(png(*size))
    assert leaked == []


def test_a_raised_limit_lets_a_large_picture_in() -> None:
    height, width = NOISE.shape[:2]
    for source in (NOISE, encoded("PNG"), PIL.Image.fromarray(NOISE)):
        assert load_image(source, color_order="rgb", max_pixels=height * width).height == height
        with pytest.raises(ImageDecodeError, match="too many pixels"):
            load_image(source, color_order="rgb", max_pixels=height * width - 1)


def test_a_limit_above_pillows_own_warning_leaks_no_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.warns(PIL.Image.DecompressionBombWarning):
        PIL.Image.open(io.BytesIO(encoded("PNG"))).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = load_image(encoded("PNG"))
    np.testing.assert_array_equal(image.pixels, NOISE)


def test_decoding_changes_none_of_pillows_settings() -> None:
    before = (PIL.Image.MAX_IMAGE_PIXELS, len(warnings.filters))
    with pytest.raises(FaceportError):
        load_image(png(60_000, 60_000))
    assert (PIL.Image.MAX_IMAGE_PIXELS, len(warnings.filters)) == before
