"""MobileFaceNet as TreB1eN/InsightFace_Pytorch lays it out (`model.py`), and py-feat's regressor.

Architecture: Chen et al., "MobileFaceNets", 2018. Both are plain sequences of named parts, so the
names below are the checkpoint's keys.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from faceport.models.units import ConvUnit

FEATURES = 512
"""Channels after the global depthwise convolution."""

Kernel = tuple[int, int]


class DepthWise(nn.Module):
    """Expand to `expanded` channels, convolve each by itself, project back."""

    def __init__(
        self, inputs: int, outputs: int, expanded: int, *, stride: int = 2, residual: bool = False
    ) -> None:
        super().__init__()
        self.conv = ConvUnit(inputs, expanded)
        self.conv_dw = ConvUnit(expanded, expanded, 3, stride=stride, padding=1, groups=expanded)
        self.project = ConvUnit(expanded, outputs, linear=True)
        self.residual = residual

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: torch.Tensor = self.project(self.conv_dw(self.conv(values)))
        return values + result if self.residual else result


def mobilefacenet_flat(embedding_dim: int = 512, kernel: Kernel = (7, 7)) -> nn.Module:
    """Return the recogniser: (N, 3, 16 * kernel height, 16 * kernel width) to (N, embedding_dim).

    The features are not normalised.
    """
    return nn.Sequential(OrderedDict([*_trunk(), *_head(embedding_dim, kernel)]))


def mobilefacenet_landmarks(points: int = 68, kernel: Kernel = (7, 7)) -> nn.Module:
    """Return py-feat's regressor: (N, 3, 112, 112) to (N, 2 * points), x y as fractions."""
    head = nn.Sequential(OrderedDict(_head(2 * points, kernel)))
    return nn.Sequential(OrderedDict([*_trunk(), ("output_layer", head)]))


def mobilefacenet_landmark_features(kernel: Kernel = (7, 7)) -> nn.Module:
    """Return the regressor without its last layers: (N, 3, 112, 112) to (N, 512)."""
    head = nn.Sequential(OrderedDict(_head(None, kernel)))
    return nn.Sequential(OrderedDict([*_trunk(), ("output_layer", head)]))


def _trunk() -> list[tuple[str, nn.Module]]:
    return [
        ("conv1", ConvUnit(3, 64, 3, stride=2, padding=1)),
        ("conv2_dw", ConvUnit(64, 64, 3, padding=1, groups=64)),
        ("conv_23", DepthWise(64, 64, 128)),
        ("conv_3", _residual(64, 128, 4)),
        ("conv_34", DepthWise(64, 128, 256)),
        ("conv_4", _residual(128, 256, 6)),
        ("conv_45", DepthWise(128, 128, 512)),
        ("conv_5", _residual(128, 256, 2)),
        ("conv_6_sep", ConvUnit(128, FEATURES)),
    ]


def _residual(channels: int, expanded: int, count: int) -> nn.Module:
    units = [DepthWise(channels, channels, expanded, stride=1, residual=True) for _ in range(count)]
    return nn.Sequential(OrderedDict([("model", nn.Sequential(*units))]))


def _head(outputs: int | None, kernel: Kernel) -> list[tuple[str, nn.Module]]:
    pooled: list[tuple[str, nn.Module]] = [
        ("conv_6_dw", ConvUnit(FEATURES, FEATURES, kernel, groups=FEATURES, linear=True)),
        ("conv_6_flatten", nn.Flatten()),
    ]
    if outputs is None:
        return pooled
    return [
        *pooled,
        ("linear", nn.Linear(FEATURES, outputs, bias=False)),
        ("bn", nn.BatchNorm1d(outputs)),
    ]
