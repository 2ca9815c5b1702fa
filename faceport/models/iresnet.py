"""The IR and IR-SE residual networks of AdaFace (mk-minchul/AdaFace `net.py`).

Architecture: Deng et al., "ArcFace", 2019 (the improved residual unit), and Hu et al.,
"Squeeze-and-Excitation Networks", 2018. The optional occlusion branch on the last feature map is
published in two forms of the same layers.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from faceport.models.iresnet_config import UNITS, IResNetConfig, OcclusionBranch

SE_REDUCTION = 16
BOTTLENECK_REDUCTION = 4


class SqueezeExcite(nn.Module):
    """Scale each channel by what a small network makes of the channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // SE_REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // SE_REDUCTION, channels, 1, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (N, channels, H, W) to the same shape."""
        means = torch.nn.functional.adaptive_avg_pool2d(values, 1)
        return values * torch.sigmoid(self.fc2(torch.relu(self.fc1(means))))


class ResidualUnit(nn.Module):
    """The improved residual unit: batch normalisation first, PReLU inside, stride last."""

    def __init__(self, inputs: int, outputs: int, stride: int, config: IResNetConfig) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = (
            nn.MaxPool2d(1, stride)
            if inputs == outputs
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        )
        layers = _bottleneck if config.bottleneck else _basic
        self.res_layer = nn.Sequential(*layers(inputs, outputs, stride))
        if config.squeeze_excite:
            self.res_layer.add_module("se_block", SqueezeExcite(outputs))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: torch.Tensor = self.res_layer(values) + self.shortcut_layer(values)
        return result


class IResNet(nn.Module):
    """The network: (N, 3, 16 * cells, 16 * cells) to features (N, embedding_dim), not normalised.

    With an occlusion branch also (N, 1, cells, cells): 1 where the face is visible, 0 where not.
    """

    def __init__(self, config: IResNetConfig) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        )
        last = config.channels[-1]
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(last * config.cells**2, config.embedding_dim),
            nn.BatchNorm1d(config.embedding_dim, affine=config.affine),
        )
        self.body = nn.Sequential(*_units(config))
        self.occlusion_head = (
            None if config.occlusion is None else _occlusion_head(last, config.occlusion)
        )

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the features, and the occlusion map if there is such a branch."""
        values = self.body(self.input_layer(pixels))
        features: torch.Tensor = self.output_layer(values)
        if self.occlusion_head is None:
            return (features,)
        return features, self.occlusion_head(values)


def _units(config: IResNetConfig) -> list[nn.Module]:
    units: list[nn.Module] = []
    inputs = 64
    for outputs, count in zip(config.channels, UNITS[config.depth], strict=True):
        for index in range(count):
            units.append(ResidualUnit(inputs, outputs, 2 if index == 0 else 1, config))
            inputs = outputs
    return units


def _basic(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
        nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def _bottleneck(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    narrow = outputs // BOTTLENECK_REDUCTION
    return [
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, narrow, 1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.PReLU(narrow),
        nn.Conv2d(narrow, narrow, 3, padding=1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.PReLU(narrow),
        nn.Conv2d(narrow, outputs, 1, stride, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def _occlusion_head(channels: int, branch: OcclusionBranch) -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, branch.hidden, 3, padding=1, bias=False),
        nn.BatchNorm2d(branch.hidden),
        nn.ReLU(),
        nn.Conv2d(branch.hidden, 1, 1),
        nn.Sigmoid(),
    ]
    if branch.form == "named":
        names = ("conv1", "bn1", "relu", "conv2", "sigmoid")
        return nn.Sequential(OrderedDict(zip(names, layers, strict=True)))
    return nn.Sequential(OrderedDict([("conv", nn.Sequential(*layers))]))
