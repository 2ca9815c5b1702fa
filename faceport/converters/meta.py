"""Networks without memory: to compare shapes before any weight is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def on_meta(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Build a network on torch's meta device: shapes and names, no values."""
    import torch

    with torch.device("meta"):
        return build()
