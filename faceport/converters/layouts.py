"""The registry of layouts. Adding a family: write its module with `LAYOUTS`, and name it here."""

from __future__ import annotations

from faceport.converters import adaface, dinov3, mobilefacenet
from faceport.converters.conversion import Layout

ALL_LAYOUTS: tuple[Layout, ...] = (
    *mobilefacenet.LAYOUTS,
    *adaface.LAYOUTS,
    *dinov3.LAYOUTS,
)


def families() -> tuple[str, ...]:
    """Return the names that `--family` takes."""
    return tuple(dict.fromkeys(layout.family for layout in ALL_LAYOUTS))


def archs() -> tuple[str, ...]:
    """Return the names that `--arch` takes."""
    return tuple(dict.fromkeys(arch for layout in ALL_LAYOUTS for arch in layout.archs))
