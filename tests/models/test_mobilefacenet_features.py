from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from faceport.models.mobilefacenet_features import mobilefacenet_features

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])


def test_it_computes_what_the_original_code_computes(golden: Callable) -> None:
    expected = golden("mobilefacenet_features_128")
    network = mobilefacenet_features().eval()
    network.load_state_dict(expected.state)
    pixels = (expected.images / 255 - IMAGENET_MEAN) / IMAGENET_STD
    pixels = pixels.astype(np.float32).transpose(0, 3, 1, 2)
    with torch.no_grad():
        features = network(torch.from_numpy(pixels.copy())).numpy()
    assert np.abs(features - expected.embeddings).max() < 1e-5


def test_the_last_convolution_can_do_without_a_bias() -> None:
    with_bias = mobilefacenet_features().state_dict().keys()
    without = mobilefacenet_features(bias=False).state_dict().keys()
    assert with_bias - without == {"conv3.bias"}


def test_width_and_kernel_decide_output_and_input() -> None:
    network = mobilefacenet_features(64, (7, 6)).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 112, 96)).shape == (1, 64)
