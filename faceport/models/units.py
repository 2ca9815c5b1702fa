"""The small units that the MobileFaceNet layouts are made of."""

from __future__ import annotations

import torch
from torch import nn


class ConvUnit(nn.Module):
    """A convolution without bias, batch normalisation, and PReLU unless `linear`.

    Keys: `conv`, `bn`, `prelu`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = None if linear else nn.PReLU(outputs)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H', W')."""
        values: torch.Tensor = self.bn(self.conv(pixels))
        if self.prelu is None:
            return values
        activated: torch.Tensor = self.prelu(values)
        return activated


class SkipUnit(nn.Module):
    """Layers under the key `conv`, with a connection around them if `skip`."""

    def __init__(self, conv: nn.Module, *, skip: bool) -> None:
        super().__init__()
        self.conv = conv
        self.skip = skip

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        result: torch.Tensor = self.conv(values)
        return values + result if self.skip else result
