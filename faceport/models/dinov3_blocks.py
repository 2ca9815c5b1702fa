"""The parts of a DINOv3 vision transformer's block (facebookresearch/dinov3 `layers/`).

Architecture: Dosovitskiy et al., "An image is worth 16x16 words", 2020; LayerScale: Touvron et
al., "Going deeper with image transformers", 2021; SwiGLU: Shazeer, "GLU variants improve
transformer", 2020. Shapes are (N, tokens, width).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from faceport.models.dinov3_config import ViTConfig
from faceport.models.dinov3_rope import RotaryTable

EPSILON = 1e-5


class Attention(nn.Module):
    """Self-attention with queries, keys and values from one linear layer.

    Keys: `qkv`, `proj`. Some checkpoints mask a part of the bias; that is done when they are read.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.shape = (config.tokens, config.heads, config.head_width)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.proj = nn.Linear(config.width, config.width, bias=config.output_bias)

    def forward(self, values: torch.Tensor, rotate: RotaryTable) -> torch.Tensor:
        """Let each token look at all tokens of its picture."""
        queries, keys, contents = (self._heads(part) for part in self.qkv(values).chunk(3, dim=-1))
        seen = F.scaled_dot_product_attention(rotate(queries), rotate(keys), contents)
        result: torch.Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return result

    def _heads(self, values: torch.Tensor) -> torch.Tensor:
        """Split the tokens among the heads: (N, heads, tokens, head_width)."""
        return values.reshape(-1, *self.shape).transpose(1, 2)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them. Keys: `fc1`, `fc2`."""

    def __init__(self, width: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden, bias=bias)
        self.fc2 = nn.Linear(hidden, width, bias=bias)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map each token by itself."""
        result: torch.Tensor = self.fc2(F.gelu(self.fc1(values)))
        return result


class SwiGlu(nn.Module):
    """A linear layer gated by another. Keys: `w1` (gate), `w2`, `w3` (back to the width)."""

    def __init__(self, width: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, hidden, bias=bias)
        self.w2 = nn.Linear(width, hidden, bias=bias)
        self.w3 = nn.Linear(hidden, width, bias=bias)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map each token by itself."""
        result: torch.Tensor = self.w3(F.silu(self.w1(values)) * self.w2(values))
        return result


class LayerScale(nn.Module):
    """Scales each channel. Key: `gamma`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Scale the last axis."""
        return values * self.gamma


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a normalisation and beside a connection."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        feedforward = Mlp if config.feedforward == "mlp" else SwiGlu
        self.norm1 = nn.LayerNorm(config.width, eps=EPSILON)
        self.attn = Attention(config)
        self.ls1 = LayerScale(config.width) if config.layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(config.width, eps=EPSILON)
        self.mlp = feedforward(config.width, config.hidden, bias=config.feedforward_bias)
        self.ls2 = LayerScale(config.width) if config.layer_scale else nn.Identity()

    def forward(self, values: torch.Tensor, rotate: RotaryTable) -> torch.Tensor:
        """Return tokens of the same shape."""
        values = values + self.ls1(self.attn(self.norm1(values), rotate))
        result: torch.Tensor = values + self.ls2(self.mlp(self.norm2(values)))
        return result
