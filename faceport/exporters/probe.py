"""The pictures that parity is measured on.

Drawn by default, so that an export needs no download: colour fields, edges, noise, and two rough
faces, between them every pixel value and a face's contrasts. A folder of photographs can replace
them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.images import load_image
from faceport.runtime.parity import BATCH
from faceport.runtime.preprocess import to_tensor
from faceport.spec import ModelSpec

MAX_PICTURES = 64
"""More photographs than this are refused: they travel in the bundle, as tensors."""

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float64]
Ellipse = tuple[float, float, float, float]

# Centre y, x and half axes y, x, where the picture reaches from -1 to 1: an oval, and on it eyes,
# brows, the shadow of a nose, and a mouth.
FACE: Ellipse = (0.05, 0.0, 0.95, 0.75)
FEATURES: tuple[Ellipse, ...] = (
    (-0.1, -0.33, 0.08, 0.16),
    (-0.1, 0.33, 0.08, 0.16),
    (-0.28, -0.33, 0.05, 0.22),
    (-0.28, 0.33, 0.05, 0.22),
    (0.28, 0.03, 0.06, 0.14),
    (0.58, 0.0, 0.07, 0.28),
)


def probe_pictures(height: int, width: int, folder: Path | None = None) -> Pixels:
    """Return at least 5 pictures of the size given.

    Args:
        height: in pixels.
        width: in pixels.
        folder: photographs to use; each is cut to the aspect ratio at its centre and resized. Drawn
            pictures fill up what lacks to 5.

    Returns:
        (N, height, width, 3) uint8 RGB.

    Raises:
        InputError: the folder is none, or holds no file, or more than 64.
        ImageDecodeError: one of its files is no picture.
    """
    drawn = drawn_pictures(height, width)
    if folder is None:
        return drawn
    photographs = np.stack([_fitted(path, height, width) for path in _files(folder)])
    return np.concatenate([photographs, drawn[: max(0, BATCH - len(photographs))]])


def example_input(spec: ModelSpec, batch: int) -> NDArray[np.generic]:
    """Return an input tensor of `batch` drawn pictures (5 at most), for exporters that trace."""
    pixels = drawn_pictures(spec.preprocess.height, spec.preprocess.width)[:batch]
    return to_tensor(pixels, "rgb", spec.preprocess)


def drawn_pictures(height: int, width: int) -> Pixels:
    """Return 5 pictures, always the same ones: (5, height, width, 3) uint8 RGB."""
    rng = np.random.default_rng(20240229)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    grain = rng.normal(0, 6, (height, width, 3))
    light = _face(y, x, skin=(224.0, 172.0, 148.0), shade=0.25)
    dark = _face(y, x, skin=(120.0, 78.0, 58.0), shade=-0.4)
    pictures = [
        light + grain,
        _colour_field(y, x),
        _edges(y, x),
        rng.integers(0, 256, (height, width, 3)).astype(np.float64),
        dark[:, ::-1] + grain,
    ]
    pixels: Pixels = np.stack(pictures).round().clip(0, 255).astype(np.uint8)
    return pixels


def _colour_field(y: Plane, x: Plane) -> Plane:
    waves = [np.sin(3 * x + k) * np.cos(2 * y - k) for k in range(3)]
    return np.stack([127.5 + 127.5 * wave for wave in waves], axis=-1)


def _edges(y: Plane, x: Plane) -> Plane:
    checks = (np.floor(x * 4) + np.floor(y * 6)) % 2
    stripes = np.sin(20 * (x + y)) > 0
    disc = x**2 + y**2 < 0.4
    return 255.0 * np.stack([checks, stripes, disc], axis=-1)


def _face(y: Plane, x: Plane, skin: tuple[float, float, float], shade: float) -> Plane:
    background = np.stack([90 + 40 * y, 110 + 30 * x, 140 - 50 * y], axis=-1)
    oval = _blob(y, x, FACE)
    features = np.sum([_blob(y, x, ellipse) for ellipse in FEATURES], axis=0)
    lit = np.asarray(skin) * (1 + shade * x)[..., None] * (1 - 0.65 * features)[..., None]
    mixed: Plane = background * (1 - oval)[..., None] + lit * oval[..., None]
    return mixed


def _blob(y: Plane, x: Plane, ellipse: Ellipse) -> Plane:
    at_y, at_x, high, wide = ellipse
    distance = ((y - at_y) / high) ** 2 + ((x - at_x) / wide) ** 2
    soft: Plane = 1 / (1 + np.exp(np.clip(12 * (distance - 1), -60, 60)))
    return soft


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError("the parity images are no folder", received=folder)
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    if not 1 <= len(files) <= MAX_PICTURES:
        raise InputError(
            f"{folder} has the wrong number of parity images",
            received=len(files),
            expected=f"1 to {MAX_PICTURES}",
            fix="name a folder that holds a few photographs of faces",
        )
    return files


def _fitted(path: Path, height: int, width: int) -> Pixels:
    import cv2

    pixels = load_image(path).in_order("rgb")
    scale = min(pixels.shape[0] / height, pixels.shape[1] / width)
    tall, broad = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (pixels.shape[0] - tall) // 2, (pixels.shape[1] - broad) // 2
    centre = np.ascontiguousarray(pixels[top : top + tall, left : left + broad])
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(centre, (width, height), interpolation=method), dtype=np.uint8)
