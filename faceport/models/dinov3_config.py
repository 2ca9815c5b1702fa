"""The sizes of the DINOv3 networks; without torch, so that names can be listed cheaply.

The published sizes are those of facebookresearch/dinov3 `hub/backbones.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pool = Literal["cls", "mean", "cls+mean"]
Feedforward = Literal["mlp", "swiglu"]
Four = tuple[int, int, int, int]

PATCH = 16
CONVNEXT_STRIDE = 32
"""Pixels to one cell of a ConvNeXt's last feature map."""


@dataclass(frozen=True)
class ViTSize:
    """A published size: width of a token, number of blocks, and the feed-forward's inside."""

    width: int
    depth: int
    feedforward: Feedforward
    hidden: int


VIT_SIZES: dict[str, ViTSize] = {
    "dinov3_vits16": ViTSize(384, 12, "mlp", 1536),
    "dinov3_vits16plus": ViTSize(384, 12, "swiglu", 1536),
    "dinov3_vitb16": ViTSize(768, 12, "mlp", 3072),
    "dinov3_vitl16": ViTSize(1024, 24, "mlp", 4096),
    "dinov3_vitl16plus": ViTSize(1024, 24, "swiglu", 4096),
    "dinov3_vith16plus": ViTSize(1280, 32, "swiglu", 5120),
    "dinov3_vit7b16": ViTSize(4096, 40, "swiglu", 8192),
}

CONVNEXT_SIZES: dict[str, tuple[Four, Four]] = {
    "dinov3_convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "dinov3_convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "dinov3_convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "dinov3_convnext_large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
}
"""Blocks and channels of the four stages."""


@dataclass(frozen=True)
class Projection:
    """A linear layer behind the pooled tokens, and the name of its keys."""

    name: str
    outputs: int
    bias: bool


@dataclass(frozen=True)
class ViTConfig:
    """One vision transformer, for pictures of one size.

    Attributes:
        width: length of a token.
        depth: number of blocks.
        head_width: length of a token in one attention head; a multiple of 4.
        feedforward, hidden: kind and inner width of the feed-forward layers.
        rows, columns: patches of a picture.
        patch: side of a patch, pixels.
        storage_tokens: tokens beside the class token that stand for no patch.
        qkv_bias, output_bias, feedforward_bias: which linear layers have a bias.
        layer_scale: whether each branch is scaled by a vector.
        cls_norm: whether the class token has a last normalisation of its own.
        pool: which tokens make the embedding.
        projection: the linear layer behind them, if any.
    """

    width: int
    depth: int
    head_width: int
    feedforward: Feedforward
    hidden: int
    rows: int
    columns: int
    patch: int = PATCH
    storage_tokens: int = 4
    qkv_bias: bool = True
    output_bias: bool = True
    feedforward_bias: bool = True
    layer_scale: bool = True
    cls_norm: bool = False
    pool: Pool = "cls"
    projection: Projection | None = None

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // self.head_width

    @property
    def prefix(self) -> int:
        """Number of tokens in front of the patches'."""
        return 1 + self.storage_tokens

    @property
    def tokens(self) -> int:
        """Number of all tokens of a picture."""
        return self.prefix + self.rows * self.columns


@dataclass(frozen=True)
class ConvNeXtConfig:
    """One ConvNeXt: blocks and channels of its four stages, and what follows them."""

    depths: Four
    channels: Four
    layer_scale: bool = True
    pool: Pool = "cls"
    projection: Projection | None = None


def pooled_width(width: int, pool: Pool) -> int:
    """Return the length of the embedding that a pooling makes of tokens."""
    return 2 * width if pool == "cls+mean" else width
