"""What the keys and shapes of a DINOv3 ConvNeXt say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from faceport.converters.conversion import PlanRequest, Shapes
from faceport.converters.dinov3_vit import own_name, renamed
from faceport.converters.shapes import size_of
from faceport.models.dinov3_config import CONVNEXT_SIZES, ConvNeXtConfig, Four, Projection

if TYPE_CHECKING:
    import torch

USUAL = "dinov3_convnext_tiny"
OTHER = "dinov3_convnext"
STEMS = ("downsample_layers.0.0.weight", *(f"downsample_layers.{i}.1.weight" for i in (1, 2, 3)))


def convnext_config(request: PlanRequest, key: Callable[[str], str]) -> ConvNeXtConfig:
    """Read a network's sizes; `key` gives the file's name of one of its keys."""
    shapes = request.shapes
    if request.arch in CONVNEXT_SIZES:
        depths, channels = CONVNEXT_SIZES[request.arch]
    else:
        depths, channels = _depths(shapes, key), _channels(shapes, key)
    return ConvNeXtConfig(
        depths,
        channels,
        layer_scale=not shapes or key("stages.0.0.gamma") in shapes,
        pool=request.pool or "cls",
    )


def arch_of(config: ConvNeXtConfig) -> str:
    """Return the name of a network's size."""
    sizes = (config.depths, config.channels)
    return next((name for name, published in CONVNEXT_SIZES.items() if published == sizes), OTHER)


def _depths(shapes: Shapes, key: Callable[[str], str]) -> Four:
    usual = CONVNEXT_SIZES[USUAL][0]
    counts = []
    for stage, depth in enumerate(usual):
        before, after = key(f"stages.{stage}.0.dwconv.weight").rsplit("0", 1)
        pattern = re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")
        counts.append(sum(pattern.fullmatch(name) is not None for name in shapes) or depth)
    first, second, third, fourth = counts
    return first, second, third, fourth


def _channels(shapes: Shapes, key: Callable[[str], str]) -> Four:
    first, second, third, fourth = (
        size_of(shapes, key(stem), 0, rank=4, usual=channels)
        for stem, channels in zip(STEMS, CONVNEXT_SIZES[USUAL][1], strict=True)
    )
    return first, second, third, fourth


def official_keys(own: Shapes, projection: Projection | None) -> Shapes:
    """Return the keys that an official file must have for a network with the keys `own`.

    The last norm is there twice; without the second name a file is an ordinary ConvNeXt, which was
    trained otherwise.
    """
    keys = {renamed(key, projection): shape for key, shape in own.items()}
    twice = {f"norms.3.{part}": own[f"norm.{part}"] for part in ("weight", "bias")}
    return {**keys, **twice}


def from_official(
    tensors: Mapping[str, torch.Tensor], projection: Projection | None
) -> dict[str, torch.Tensor]:
    """Return the network's state.

    In the original the two names of the last norm are one layer, and what is read last stays: that
    is `norms.3`, should a file have them differ.
    """
    named = {own_name(key, projection): value for key, value in tensors.items()}
    last = {key.replace("norms.3", "norm"): named.pop(key) for key in list(named) if "norms" in key}
    return {**named, **last}
