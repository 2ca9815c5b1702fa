from __future__ import annotations

import pytest

from faceport.converters.shapes import kernel_of, size_of


@pytest.mark.parametrize(
    ("shape", "size"), [((5, 7), 7), ((5,), 1), ((5, 7, 1), 1), ((5, 0), 1), ((), 1), (None, 1)]
)
def test_an_odd_shape_gives_the_usual_size(shape: tuple[int, ...] | None, size: int) -> None:
    shapes = {} if shape is None else {"a": shape}
    assert size_of(shapes, "a", 1, rank=2, usual=1) == size


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [((512, 1, 7, 6), (7, 6)), ((512, 1, 6, 7), (7, 7)), ((512, 1), (7, 7)), (None, (7, 7))],
)
def test_only_known_kernels_count(shape: tuple[int, ...] | None, kernel: tuple[int, int]) -> None:
    shapes = {} if shape is None else {"a": shape}
    assert kernel_of(shapes, "a", [(7, 7), (7, 6)], usual=(7, 7)) == kernel
