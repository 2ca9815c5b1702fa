"""MobileFaceNet as Xiaoccer/MobileFaceNet_Pytorch lays it out (`core/model.py`).

Architecture: Chen et al., "MobileFaceNets", 2018.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from torch import nn

from faceport.models.units import ConvUnit, SkipUnit

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, units, stride of the first unit: table 1 of the paper."""


def mobilefacenet_blocks(embedding_dim: int = 128, kernel: tuple[int, int] = (7, 6)) -> nn.Module:
    """Return the recogniser: (N, 3, 16 * kernel height, 16 * kernel width) to (N, embedding_dim).

    The features are not normalised.
    """
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=ConvUnit(3, 64, 3, stride=2, padding=1),
            dw_conv1=ConvUnit(64, 64, 3, padding=1, groups=64),
            blocks=nn.Sequential(*(_unit(*sizes) for sizes in unit_sizes(64))),
            conv2=ConvUnit(128, 512),
            linear7=ConvUnit(512, 512, kernel, groups=512, linear=True),
            linear1=ConvUnit(512, embedding_dim, linear=True),
            flatten=nn.Flatten(),
        )
    )


def unit_sizes(inputs: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield inputs, expanded channels, outputs and stride of each unit of `STAGES`."""
    for expansion, outputs, count, stride in STAGES:
        for index in range(count):
            yield inputs, inputs * expansion, outputs, stride if index == 0 else 1
            inputs = outputs


def _unit(inputs: int, expanded: int, outputs: int, stride: int) -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(inputs, expanded, 1, bias=False),
        nn.BatchNorm2d(expanded),
        nn.PReLU(expanded),
        nn.Conv2d(expanded, expanded, 3, stride, 1, groups=expanded, bias=False),
        nn.BatchNorm2d(expanded),
        nn.PReLU(expanded),
        nn.Conv2d(expanded, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )
    return SkipUnit(layers, skip=stride == 1 and inputs == outputs)
