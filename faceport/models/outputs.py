"""From a network's raw features to the outputs that a spec names."""

from __future__ import annotations

import torch
from torch import nn

SMALLEST_NORM = 1e-6
"""A shorter vector keeps its direction but not unit length, so that zero stays zero, not NaN.

It is representable in float16 too."""


class EmbedderOutputs(nn.Module):
    """A recogniser: `embedding` (N, D) and, if normalised in the graph, `norm` (N, 1).

    What else the network gives follows. Without `normalize` the embedding is the raw features.
    """

    def __init__(self, network: nn.Module, *, normalize: bool) -> None:
        super().__init__()
        self.network = network
        self.normalize = normalize

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, 3, H, W) to the outputs, in the order of the spec."""
        features, *rest = as_tuple(self.network(pixels))
        if not self.normalize:
            return features, *rest
        norm = torch.linalg.vector_norm(features, dim=1, keepdim=True)
        return features / norm.clamp_min(SMALLEST_NORM), norm, *rest


class LandmarkOutputs(nn.Module):
    """A landmark regressor: `landmarks` (N, points, 2), x y in pixels of the crop.

    The network gives fractions of the crop's width and height.
    """

    scale: torch.Tensor

    def __init__(self, network: nn.Module, *, height: int, width: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", torch.tensor([width, height], dtype=torch.float32))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, 3, H, W) to the landmarks."""
        fractions, *_ = as_tuple(self.network(pixels))
        return (fractions.reshape(-1, fractions.shape[1] // 2, 2) * self.scale,)


class DetectorOutputs(nn.Module):
    """A detector: its network's outputs as a tuple, decoded by the runtime as the spec says."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, 3, H, W) to the outputs."""
        return as_tuple(self.network(pixels))


def as_tuple(outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Return a network's outputs as a tuple."""
    return (outputs,) if isinstance(outputs, torch.Tensor) else outputs
