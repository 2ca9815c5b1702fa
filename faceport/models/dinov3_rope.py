"""Rotary position embedding of DINOv3, for pictures of one size.

Su et al., "RoFormer", 2021, in two dimensions and without learnable weights, as
facebookresearch/dinov3 `layers/rope_position_encoding.py` evaluates it: a patch's centre, -1 to 1
down and across, is turned into angles `2 pi * centre / period`. The size is known when a network is
built, so cosines and sines are tables, and an export finds nothing to compute.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

BASE = 100.0


def default_periods(head_width: int) -> torch.Tensor:
    """Return the periods (head_width / 4,) that all published networks were trained with."""
    exponents = 2 * torch.arange(head_width // 4, dtype=torch.float32) / (head_width // 2)
    return torch.as_tensor(BASE**exponents)


class RotaryTable(nn.Module):
    """Turns queries and keys by their patch's position; tokens before the patches stay.

    Key: `periods`. The tables follow it whenever it is loaded.
    """

    periods: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, head_width: int, rows: int, columns: int, prefix: int) -> None:
        super().__init__()
        self.rows, self.columns, self.prefix = rows, columns, prefix
        self.register_buffer("periods", torch.empty(head_width // 4))
        shape = (prefix + rows * columns, head_width)
        self.register_buffer("cos", torch.empty(shape), persistent=False)
        self.register_buffer("sin", torch.empty(shape), persistent=False)
        hook: Any = self.register_load_state_dict_post_hook
        hook(_tabulate)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Turn (..., tokens, head_width); the shape stays."""
        first, second = values.chunk(2, dim=-1)
        # Usually cat(-second, first): here the sign is in the table of sines.
        turned: torch.Tensor = values * self.cos + torch.cat((second, first), dim=-1) * self.sin
        return turned


def _tabulate(table: nn.Module, _: Any) -> None:
    """Compute the tables from the periods: cosine 1 and sine 0 for tokens that are no patch."""
    if not isinstance(table, RotaryTable) or table.periods.is_meta:
        return
    angles = _angles(table.rows, table.columns, table.periods)
    still = torch.zeros(table.prefix, angles.shape[1])
    table.cos = torch.cat((still + 1, angles.cos())).repeat(1, 2)
    sin = torch.cat((still, angles.sin()))
    table.sin = torch.cat((-sin, sin), dim=1)


def _angles(rows: int, columns: int, periods: torch.Tensor) -> torch.Tensor:
    """Return (rows * columns, 2 * periods): those of the vertical coordinate first."""
    down, across = torch.meshgrid(_centres(rows), _centres(columns), indexing="ij")
    centres = torch.stack((down, across), dim=-1).reshape(-1, 2, 1)
    return (2 * math.pi * centres / periods.float()).flatten(1)


def _centres(count: int) -> torch.Tensor:
    return 2.0 * (torch.arange(0.5, count, dtype=torch.float32) / count) - 1.0
