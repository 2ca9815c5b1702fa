"""From the tokens of a picture to one vector: which of them count, and a linear layer behind."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from faceport.models.dinov3_config import Pool, Projection, pooled_width

Part = Callable[[torch.Tensor], torch.Tensor]


def pooled(cls: Part, patches: Part, values: torch.Tensor, pool: Pool) -> torch.Tensor:
    """Return (N, width), or (N, 2 * width) for `cls+mean`.

    Args:
        cls: gives the normalised class token (N, width) of `values`.
        patches: gives the normalised patch tokens (N, patches, width) of `values`.
        values: what the network's last block gave.
        pool: `cls`, `mean` of the patch tokens, or both, the class token first.
    """
    if pool == "cls":
        return cls(values)
    mean = patches(values).mean(dim=1)
    return mean if pool == "mean" else torch.cat((cls(values), mean), dim=1)


def projection_of(width: int, pool: Pool, projection: Projection | None) -> nn.Linear | None:
    """Return the linear layer behind tokens of a width."""
    if projection is None:
        return None
    return nn.Linear(pooled_width(width, pool), projection.outputs, bias=projection.bias)
