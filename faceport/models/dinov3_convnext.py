"""The DINOv3 ConvNeXt (facebookresearch/dinov3 `models/convnext.py`).

Architecture: Liu et al., "A ConvNet for the 2020s", 2022. In place of a class token it has the mean
of the last feature map, normalised like the patch tokens, which are the map's cells.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from faceport.models.dinov3_config import ConvNeXtConfig
from faceport.models.pooling import pooled, projection_of

EPSILON = 1e-6
EXPANSION = 4


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise each cell by itself."""
        return super().forward(values.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A 7 x 7 convolution a channel, then two linear layers a cell, beside a connection."""

    def __init__(self, channels: int, *, layer_scale: bool) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.pwconv1 = nn.Linear(channels, EXPANSION * channels)
        self.pwconv2 = nn.Linear(EXPANSION * channels, channels)
        self.gamma = nn.Parameter(torch.empty(channels)) if layer_scale else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (N, C, H, W) to the same shape."""
        cells = self.norm(self.dwconv(values).permute(0, 2, 3, 1))
        cells = self.pwconv2(F.gelu(self.pwconv1(cells)))
        if self.gamma is not None:
            cells = cells * self.gamma
        result: torch.Tensor = values + cells.permute(0, 3, 1, 2)
        return result


class ConvNeXt(nn.Module):
    """(N, 3, 32 * rows, 32 * columns) to features (N, channels[3]), or twice, or projected.

    Keys: those of the official checkpoints, with the last norm as `norm` only.
    """

    def __init__(self, config: ConvNeXtConfig) -> None:
        super().__init__()
        self.config = config
        first, *_, last = config.channels
        steps: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, first, 4, 4), ChannelNorm(first, eps=EPSILON))
        ]
        for before, after in zip(config.channels, config.channels[1:], strict=False):
            steps.append(
                nn.Sequential(ChannelNorm(before, eps=EPSILON), nn.Conv2d(before, after, 2, 2))
            )
        self.downsample_layers = nn.ModuleList(steps)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(c, layer_scale=config.layer_scale) for _ in range(depth)))
            for depth, c in zip(config.depths, config.channels, strict=True)
        )
        self.norm = nn.LayerNorm(last, eps=EPSILON)
        self.projection = projection_of(last, config.pool, config.projection)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features, not of unit length."""
        values = pixels
        for step, stage in zip(self.downsample_layers, self.stages, strict=True):
            values = stage(step(values))
        features = pooled(self._cls, self._patches, values, self.config.pool)
        return features if self.projection is None else self.projection(features)

    def _cls(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(values.mean(dim=(2, 3)))
        return result

    def _patches(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(values.flatten(2).transpose(1, 2))
        return result
