"""MobileFaceNet as foamliu/MobileFaceNet lays it out (`mobilefacenet.py`): ReLU6 for PReLU.

Architecture: Chen et al., "MobileFaceNets", 2018, with the units of MobileNetV2.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from faceport.models.mobilefacenet_blocks import unit_sizes
from faceport.models.units import SkipUnit


class DepthwiseSeparable(nn.Module):
    """A depthwise and a pointwise convolution, each with batch normalisation and ReLU (not 6)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (N, channels, H, W) to the same shape."""
        values = torch.relu(self.bn1(self.depthwise(values)))
        return torch.relu(self.bn2(self.pointwise(values)))


def mobilefacenet_features(
    embedding_dim: int = 128, kernel: tuple[int, int] = (7, 7), *, bias: bool = True
) -> nn.Module:
    """Return the recogniser: (N, 3, 16 * kernel height, 16 * kernel width) to (N, embedding_dim).

    `bias` is that of the last convolution. The features are not normalised.
    """
    pooling = OrderedDict[str, nn.Module](
        depthwise=nn.Conv2d(512, 512, kernel, groups=512, bias=False), bn=nn.BatchNorm2d(512)
    )
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=_conv_relu6(3, 64, 3, stride=2),
            dw_conv=DepthwiseSeparable(64),
            features=nn.Sequential(*(_unit(*sizes) for sizes in unit_sizes(64))),
            conv2=_conv_relu6(128, 512, 1),
            gdconv=nn.Sequential(pooling),
            conv3=nn.Conv2d(512, embedding_dim, 1, bias=bias),
            bn=nn.BatchNorm2d(embedding_dim),
            flatten=nn.Flatten(),
        )
    )


def _conv_relu6(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


def _unit(inputs: int, expanded: int, outputs: int, stride: int) -> nn.Module:
    layers = nn.Sequential(
        _conv_relu6(inputs, expanded, 1),
        _conv_relu6(expanded, expanded, 3, stride=stride, groups=expanded),
        nn.Conv2d(expanded, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )
    return SkipUnit(layers, skip=stride == 1 and inputs == outputs)
