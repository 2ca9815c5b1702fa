from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from faceport.models.mobilefacenet_blocks import mobilefacenet_blocks, unit_sizes


def test_it_computes_what_the_original_code_computes(golden: Callable) -> None:
    expected = golden("mobilefacenet_blocks_128")
    network = mobilefacenet_blocks().eval()
    network.load_state_dict(expected.state)
    pixels = (expected.images.astype(np.float32) - 127.5) / 128
    with torch.no_grad():
        features = network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())).numpy()
    assert np.abs(features - expected.embeddings).max() < 1e-5


@pytest.mark.parametrize(("dim", "kernel"), [(128, (7, 6)), (512, (7, 7))])
def test_width_and_kernel_decide_output_and_input(dim: int, kernel: tuple[int, int]) -> None:
    network = mobilefacenet_blocks(dim, kernel).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 16 * kernel[0], 16 * kernel[1])).shape == (1, dim)


def test_the_fifteen_units_halve_the_picture_three_times() -> None:
    sizes = list(unit_sizes(64))
    assert len(sizes) == 15
    assert [stride for *_, stride in sizes].count(2) == 3
    assert sizes[0] == (64, 128, 64, 2)
    assert sizes[5] == (64, 256, 128, 2)
    assert sizes[-1] == (128, 256, 128, 1)
