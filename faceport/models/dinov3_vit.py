"""The DINOv3 vision transformer (facebookresearch/dinov3 `models/vision_transformer.py`).

For pictures of one size, and inference only: no masking, no dropped paths, and no norm of local
crops. The output is what the original gives in eval mode, the normalised class token, or a mean of
the normalised patch tokens.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from faceport.models.dinov3_blocks import EPSILON, Block
from faceport.models.dinov3_config import ViTConfig
from faceport.models.dinov3_rope import RotaryTable
from faceport.models.pooling import pooled, projection_of


class VisionTransformer(nn.Module):
    """(N, 3, patch * rows, patch * columns) to features (N, width), or twice as wide, or projected.

    Keys: those of the official checkpoints, less the ones that inference does not use.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width, patch = config.width, config.patch
        self.config = config
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.storage_tokens = (
            nn.Parameter(torch.empty(1, config.storage_tokens, width))
            if config.storage_tokens
            else None
        )
        embed = nn.Conv2d(3, width, patch, patch)
        self.patch_embed = nn.Sequential(OrderedDict([("proj", embed)]))
        self.rope_embed = RotaryTable(config.head_width, config.rows, config.columns, config.prefix)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.cls_norm = nn.LayerNorm(width, eps=EPSILON) if config.cls_norm else None
        self.projection = projection_of(width, config.pool, config.projection)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features, not of unit length."""
        tokens = self._tokens(pixels)
        for block in self.blocks:
            tokens = block(tokens, self.rope_embed)
        features = pooled(self._cls, self._patches, tokens, self.config.pool)
        return features if self.projection is None else self.projection(features)

    def _tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.patch_embed(pixels).flatten(2).transpose(1, 2)
        own: list[torch.Tensor] = [self.cls_token]
        if self.storage_tokens is not None:
            own.append(self.storage_tokens)
        prefix = torch.cat(own, dim=1).expand(patches.shape[0], -1, -1)
        return torch.cat((prefix, patches), dim=1)

    def _cls(self, tokens: torch.Tensor) -> torch.Tensor:
        norm = self.norm if self.cls_norm is None else self.cls_norm
        result: torch.Tensor = norm(tokens[:, 0])
        return result

    def _patches(self, tokens: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(tokens[:, self.config.prefix :])
        return result
