from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from faceport.models.mobilefacenet_flat import (
    mobilefacenet_flat,
    mobilefacenet_landmark_features,
    mobilefacenet_landmarks,
)


def test_it_computes_what_the_original_code_computes(golden: Callable) -> None:
    expected = golden("mobilefacenet_flat_512")
    network = mobilefacenet_flat().eval()
    network.load_state_dict(expected.state)
    pixels = (expected.images.astype(np.float32) / 255 - 0.5) / 0.5
    with torch.no_grad():
        features = network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())).numpy()
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert np.abs(unit - expected.embeddings).max() < 1e-6


@pytest.mark.parametrize(("dim", "kernel"), [(512, (7, 7)), (128, (7, 6)), (256, (7, 7))])
def test_width_and_kernel_decide_output_and_input(dim: int, kernel: tuple[int, int]) -> None:
    network = mobilefacenet_flat(dim, kernel).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 16 * kernel[0], 16 * kernel[1])).shape == (2, dim)


def test_the_regressor_has_the_keys_of_the_published_file(weights: Path) -> None:
    file = torch.load(weights / "mobilefacenet_model_best.pth.tar", weights_only=True)
    shapes = {key: value.shape for key, value in file["state_dict"].items()}
    own = {key: value.shape for key, value in mobilefacenet_landmarks().state_dict().items()}
    assert own == shapes


def test_the_features_are_what_goes_into_the_regressors_last_layer(weights: Path) -> None:
    file = torch.load(weights / "mobilefacenet_model_best.pth.tar", weights_only=True)
    whole = mobilefacenet_landmarks().eval()
    whole.load_state_dict(file["state_dict"])
    features = mobilefacenet_landmark_features().eval()
    features.load_state_dict(file["state_dict"], strict=False)
    pixels = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got = features(pixels)
        head = whole.output_layer
        expected = head.bn(head.linear(got))
        assert got.shape == (2, 512)
        assert torch.allclose(whole(pixels), expected, atol=1e-6)
