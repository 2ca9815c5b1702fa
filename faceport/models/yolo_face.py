"""An Ultralytics detector as one graph for one input size: picture in, decoded boxes out.

The layers are the checkpoint's own; the decoding is written here, with the cells' centres folded
into constants. Ultralytics' head keeps them as state that changes in `forward`, which a graph with
an open batch axis can't have. Formulas: `Detect` and `Pose` in ultralytics/nn/modules/head.py and
`dist2bbox` in ultralytics/utils/tal.py of ultralytics/ultralytics.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn


class YoloFace(nn.Module):
    """YOLOv8 or YOLO11 with a `Detect` or `Pose` head, to be run at one size.

    Gives (N, 4 + classes + keypoint values, anchors): centre x y, width, height in input pixels,
    class scores 0 to 1, then of each point x y in input pixels and, where the head has it, its
    visibility 0 to 1. Anchors run row by row, stride by stride.

    Args:
        layers: the checkpoint's, the head last. Each has `f`: where its input comes from, -1 for
            the layer before it, a number for that layer, or a list of these.
        height, width: of the input in pixels, multiples of the largest stride.
    """

    centres: Tensor
    strides: Tensor

    def __init__(self, layers: nn.Sequential, *, height: int, width: int) -> None:
        super().__init__()
        self.model = layers
        head: Any = layers[-1]
        self.points: tuple[int, int] | None = None
        if hasattr(head, "cv4"):
            self.points = (int(head.kpt_shape[0]), int(head.kpt_shape[1]))
        cells = [_cells(height, width, int(stride)) for stride in head.stride.tolist()]
        strides = [
            torch.full((1, len(centres)), stride)
            for centres, stride in zip(cells, head.stride.tolist(), strict=True)
        ]
        self.register_buffer("centres", torch.cat(cells).T.contiguous(), persistent=False)
        self.register_buffer("strides", torch.cat(strides, dim=1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (N, 3, height, width), RGB 0 to 1, to the predictions."""
        maps = self._maps(pixels)
        head: Any = self.model[-1]
        sides = head.dfl(_joined(head.cv2, maps))
        first, last = self.centres - sides[:, :2], self.centres + sides[:, 2:]
        boxes = torch.cat([(first + last) / 2, last - first], dim=1) * self.strides
        parts = [boxes, _joined(head.cv3, maps).sigmoid()]
        if self.points is not None:
            parts.append(self._points(_joined(head.cv4, maps)))
        return torch.cat(parts, dim=1)

    def _maps(self, pixels: Tensor) -> list[Tensor]:
        """Run all layers but the head and return the maps that the head takes."""
        outputs: list[Tensor] = []
        for layer in list(self.model)[:-1]:
            source = cast(Any, layer).f
            if isinstance(source, int):
                outputs.append(layer(outputs[source] if outputs else pixels))
            else:
                outputs.append(layer([outputs[index] for index in source]))
        return [outputs[index] for index in cast(Any, self.model[-1]).f]

    def _points(self, values: Tensor) -> Tensor:
        count, numbers = self.points or (0, 0)
        each = values.reshape(-1, count, numbers, values.shape[2])
        # A point is counted from the cell's corner, and the centre lies half a cell from it.
        places = (each[:, :, :2] * 2 + (self.centres - 0.5)) * self.strides
        return torch.cat([places, each[:, :, 2:].sigmoid()], dim=2).flatten(1, 2)


def _joined(branches: Any, maps: list[Tensor]) -> Tensor:
    """Run a branch of the head on each map: (N, channels, anchors)."""
    values = [branch(value).flatten(2) for branch, value in zip(branches, maps, strict=True)]
    return torch.cat(values, dim=2)


def _cells(height: int, width: int, stride: int) -> Tensor:
    """Return the centres (cells, 2), x y, of one stride's cells, in cells, row by row."""
    y = torch.arange(height // stride, dtype=torch.float32) + 0.5
    x = torch.arange(width // stride, dtype=torch.float32) + 0.5
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x.flatten(), grid_y.flatten()], dim=1)
