"""Decoding: real photographs, every mode and every orientation."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from faceport.errors import ImageDecodeError, InputError
from faceport.images import Image, load_image, pillow

ORIENTATION = 0x0112

# What a camera did to an upright picture before it wrote each EXIF orientation (EXIF 2.32, 4.6.4).
STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.swapaxes(0, 1),
    6: lambda up: np.rot90(up, 1),
    7: lambda up: np.rot90(up, 2).swapaxes(0, 1),
    8: lambda up: np.rot90(up, -1),
}


@pytest.fixture(scope="module")
def photo(photos: Path) -> Path:
    return photos / "groups" / "friends_6_faces.jpg"


@pytest.fixture(scope="module")
def upright(photo: Path) -> NDArray[np.uint8]:
    with PIL.Image.open(photo) as picture:
        return np.asarray(picture.convert("RGB").resize((64, 48)))


def encoded(pixels: NDArray[np.generic], format: str = "PNG", mode: str | None = None) -> bytes:
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, format)
    return buffer.getvalue()


def test_decodes_a_photograph_as_opencv_does(photo: Path) -> None:
    import cv2

    image = load_image(photo)
    assert (image.height, image.width, image.color_order) == (886, 1280, "rgb")
    assert image.name == str(photo)
    assert image.pixels.flags.c_contiguous
    # Two JPEG decoders differ by rounding, not by channel order.
    difference = np.abs(cv2.imread(str(photo))[..., ::-1].astype(int) - image.pixels)
    assert difference.mean() < 1.5


def test_every_photograph_is_read(photos: Path) -> None:
    paths = [p for p in sorted(photos.rglob("*")) if p.is_file()]
    assert len(paths) > 20
    for path in paths:
        image = load_image(path)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.shape == (image.height, image.width, 3)


def test_sources_of_one_picture_agree(photo: Path) -> None:
    expected = load_image(photo)
    data = photo.read_bytes()
    with photo.open("rb") as handle, PIL.Image.open(photo) as picture:
        others = [str(photo), data, bytearray(data), memoryview(data), io.BytesIO(data)]
        for source in [*others, handle, picture, expected, expected.pixels]:
            image = load_image(source, color_order="rgb")
            np.testing.assert_array_equal(image.pixels, expected.pixels)
        assert not handle.closed
    assert load_image(expected) is expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "TIFF", "WEBP", "PIL"])
def test_orientation_is_applied(upright: NDArray[np.uint8], orientation: int, suffix: str) -> None:
    stored = PIL.Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    if suffix == "PIL":
        stored.getexif()[ORIENTATION] = orientation
        image = load_image(stored)
    else:
        buffer = io.BytesIO()
        options = {"quality": 100, "subsampling": 0} if suffix == "JPEG" else {}
        options |= {"lossless": True} if suffix == "WEBP" else {}
        stored.save(buffer, suffix, exif=exif, **options)
        image = load_image(buffer.getvalue())
    assert (image.height, image.width) == upright.shape[:2]
    limit = 12 if suffix == "JPEG" else 0
    assert np.abs(image.pixels.astype(int) - upright).max() <= limit


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_ignored(
    upright: NDArray[np.uint8], orientation: int
) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    PIL.Image.fromarray(upright).save(buffer, "PNG", exif=exif)
    np.testing.assert_array_equal(load_image(buffer.getvalue()).pixels, upright)


def test_a_damaged_exif_block_does_not_lose_the_picture(upright: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(upright).save(buffer, "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff broken")
    np.testing.assert_array_equal(load_image(buffer.getvalue()).pixels, upright)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for source in (encoded(grey), encoded(grey, "TIFF"), grey, PIL.Image.fromarray(grey)):
        pixels = load_image(source).pixels
        for channel in range(3):
            np.testing.assert_array_equal(pixels[..., channel], grey)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(format: str) -> None:
    wide = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    pixels = load_image(encoded(wide, format)).pixels
    assert np.abs(pixels[..., 0].astype(int) - wide / 257).max() <= 1
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_one_bit_is_black_and_white() -> None:
    bits = np.eye(8, dtype=np.uint8) * 255
    np.testing.assert_array_equal(load_image(encoded(bits, mode="1")).pixels[..., 1], bits)


def test_floats_are_refused_because_their_scale_is_not_said() -> None:
    for highest in (1, 255):
        data = encoded(np.linspace(0, highest, 64, dtype=np.float32).reshape(8, 8), "TIFF")
        with pytest.raises(ImageDecodeError, match="floating point"):
            load_image(data)


def test_palettes_and_cmyk_are_converted(upright: NDArray[np.uint8]) -> None:
    few = (upright // 86 * 86).astype(np.uint8)
    palette = PIL.Image.fromarray(few).quantize(64)
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(load_image(buffer.getvalue()).pixels, expected)
    cmyk = load_image(encoded(upright, "JPEG", "CMYK")).pixels
    assert np.abs(cmyk.astype(int) - upright).mean() < 12


@pytest.mark.parametrize("source", ["PNG", "WEBP", "array", "PIL", "LA", "palette"])
def test_transparency_is_laid_over_white(source: str) -> None:
    pixels = np.zeros((2, 4, 4), np.uint8)
    pixels[..., 3] = [0, 85, 170, 255]
    picture = PIL.Image.fromarray(pixels)
    if source == "array":
        image = load_image(pixels, color_order="bgr")
    elif source == "PIL":
        image = load_image(picture)
    elif source == "palette":
        clear = PIL.Image.fromarray(np.array([[0, 1, 1, 1]] * 2, np.uint8))
        clear.putpalette([9, 9, 9, 0, 0, 0])
        buffer = io.BytesIO()
        clear.save(buffer, "PNG", transparency=0)
        assert load_image(buffer.getvalue()).pixels[0, :, 0].tolist() == [255, 0, 0, 0]
        return
    else:
        buffer = io.BytesIO()
        options = {"lossless": True, "exact": True} if source == "WEBP" else {}
        (picture.convert("LA") if source == "LA" else picture).save(
            buffer, "PNG" if source == "LA" else source, **options
        )
        image = load_image(buffer.getvalue())
    assert image.pixels[0, :, 0].tolist() == [255, 170, 85, 0]
    assert image.pixels.shape == (2, 4, 3)


def test_the_first_frame_of_an_animation(upright: NDArray[np.uint8]) -> None:
    frames = [PIL.Image.fromarray(upright), PIL.Image.fromarray(255 - upright)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(load_image(buffer.getvalue()).pixels, upright)


def test_arrays_need_their_colour_order(upright: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="color_order='bgr'"):
        load_image(upright)
    with pytest.raises(InputError, match="BGR"):
        load_image(upright, color_order="BGR")  # type: ignore[arg-type]
    bgr = load_image(upright, color_order="bgr")
    np.testing.assert_array_equal(bgr.in_order("bgr"), upright)
    np.testing.assert_array_equal(bgr.in_order("rgb"), upright[..., ::-1])


def test_views_give_contiguous_pixels(upright: NDArray[np.uint8]) -> None:
    view = upright[::2, ::-1, ::-1]
    image = load_image(view, color_order="rgb")
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, view)


def test_image_says_its_size() -> None:
    image = Image(np.zeros((3, 5, 3), np.uint8), "rgb")
    assert (image.height, image.width, image.name) == (3, 5, "image")


def test_a_large_picture_is_taken_out_in_bands(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photos / "groups" / "friends_6_faces.jpg"
    whole = load_image(path).pixels
    monkeypatch.setattr(pillow, "LARGE", 1000)
    monkeypatch.setattr(pillow, "BAND_PIXELS", 1280 * 37)
    np.testing.assert_array_equal(load_image(path).pixels, whole)


@pytest.mark.parametrize(("most", "divisor"), [(1, 1), (2, 2), (3, 2), (7, 4), (100, 8)])
def test_a_jpeg_is_decoded_smaller(photos: Path, most: int, divisor: int) -> None:
    path = photos / "groups" / "friends_6_faces.jpg"
    asked: list[tuple[int, int]] = []

    def choose(height: int, width: int) -> int:
        asked.append((height, width))
        return most

    whole, image = load_image(path), load_image(path, divisor=choose)
    assert asked == [(886, 1280)]
    assert (image.height, image.width) == (-(-886 // divisor), 1280 // divisor)
    if divisor == 1:
        assert image.whole is None
        return
    assert image.whole is not None
    assert (image.whole.height, image.whole.width) == (886, 1280)
    assert image.whole.divisor == divisor
    np.testing.assert_array_equal(image.whole.decode(1).pixels, whole.pixels)
    rows = 886 // divisor * divisor
    cells = whole.pixels[:rows].reshape(rows // divisor, divisor, 1280 // divisor, divisor, 3)
    averages = cells.mean(axis=(1, 3))
    assert np.abs(image.pixels[: rows // divisor] - averages).mean() < 3


def test_what_is_no_jpeg_is_decoded_whole(photos: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photos / "groups" / "friends_6_faces.jpg") as picture:
        picture.save(tmp_path / "group.png")
    assert load_image(tmp_path / "group.png", divisor=lambda *_: 8).whole is None
