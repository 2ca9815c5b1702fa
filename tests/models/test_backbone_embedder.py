from __future__ import annotations

import torch
from torch import nn

from faceport.models.backbone_embedder import BackboneEmbedder


def test_features_are_flattened_before_the_linear() -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.AdaptiveAvgPool2d(1)).eval()
    linear = nn.Linear(4, 6)
    pixels = torch.randn(2, 3, 8, 8)
    expected = linear(backbone(pixels)[:, :, 0, 0])
    torch.testing.assert_close(BackboneEmbedder(backbone, linear)(pixels), expected)


def test_without_a_linear_the_features_come_out() -> None:
    backbone = nn.AdaptiveAvgPool2d(2)
    pixels = torch.randn(2, 3, 8, 8)
    network = BackboneEmbedder(backbone, None)
    torch.testing.assert_close(network(pixels), backbone(pixels).reshape(2, 12))
    assert list(network.state_dict()) == []
