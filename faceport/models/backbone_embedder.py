"""A classification network without its classifier, and a Linear layer that makes the embedding."""

from __future__ import annotations

import torch
from torch import nn


class BackboneEmbedder(nn.Module):
    """Features of a backbone, flattened, then a Linear if there is one: (N, D), not normalised.

    The dropout that training has between them does nothing in inference.
    """

    def __init__(self, backbone: nn.Module, embedding: nn.Module | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding = embedding or nn.Identity()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map (N, 3, H, W) to the embedding."""
        embedding: torch.Tensor = self.embedding(self.backbone(pixels).flatten(1))
        return embedding
