"""The sizes of an IR or IR-SE network; without torch, so that names can be listed cheaply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stages = tuple[int, int, int, int]
OcclusionForm = Literal["sequential", "named"]

UNITS: dict[int, Stages] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    101: (3, 13, 30, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
"""Depth to the residual units of the four stages; from 152 on they are bottlenecks."""


@dataclass(frozen=True)
class OcclusionBranch:
    """The branch's hidden channels and how its keys are named.

    `sequential` is `occlusion_head.conv.{0,1,3}`, `named` is `occlusion_head.{conv1,bn1,conv2}`.
    """

    hidden: int
    form: OcclusionForm


@dataclass(frozen=True)
class IResNetConfig:
    """What the weights of one network of the family say about it.

    `cells` is the side of the last feature map: 7 for 112 x 112 pixels, 14 for 224 x 224.
    `affine` says that the last batch normalisation has a weight and a bias.
    """

    depth: int
    squeeze_excite: bool = False
    embedding_dim: int = 512
    cells: int = 7
    affine: bool = False
    occlusion: OcclusionBranch | None = None

    @property
    def bottleneck(self) -> bool:
        """Whether the units are bottlenecks."""
        return self.depth > 101

    @property
    def channels(self) -> Stages:
        """Channels of the four stages."""
        return (256, 512, 1024, 2048) if self.bottleneck else (64, 128, 256, 512)
