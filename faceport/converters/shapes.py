"""Reading sizes out of a checkpoint's shapes, with the usual size where a key is odd or missing."""

from __future__ import annotations

from collections.abc import Collection

from faceport.converters.conversion import Shapes


def size_of(shapes: Shapes, key: str, axis: int, *, rank: int, usual: int) -> int:
    """Return the size of one axis of a tensor of `rank` axes."""
    shape = shapes.get(key, ())
    return shape[axis] if len(shape) == rank and shape[axis] > 0 else usual


def kernel_of(
    shapes: Shapes, key: str, known: Collection[tuple[int, int]], *, usual: tuple[int, int]
) -> tuple[int, int]:
    """Return a convolution's kernel (height, width) if it is one of the known ones."""
    shape = shapes.get(key, ())
    kernel = (shape[2], shape[3]) if len(shape) == 4 else usual
    return kernel if kernel in known else usual
