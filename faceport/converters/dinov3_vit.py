"""What the keys and shapes of a DINOv3 vision transformer say, in either published naming.

The network's own keys are the official ones. `Naming` says which keys of the file make each of
them: the same one in an official file, three in one of Hugging Face for the fused attention layer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faceport.converters.conversion import PlanRequest, Shapes
from faceport.converters.shapes import size_of
from faceport.models.dinov3_config import PATCH, VIT_SIZES, Projection, ViTConfig, ViTSize

if TYPE_CHECKING:
    import torch

USUAL = "dinov3_vits16"
OTHER = "dinov3_vit"
"""Name of a network of none of the published sizes."""

HEAD_WIDTH = 64
WIDE_HEAD_WIDTH, WIDE = 128, 4096
"""Width of an attention head in the published networks, and in the one that has wide tokens."""


@dataclass(frozen=True)
class Naming:
    """How a file names things.

    Attributes:
        key: from one of the network's keys to the file's key that shows its size.
        block: matches the keys of a block; group 1 is its index.
        periods: whether the file holds the periods of the rotary embedding.
    """

    key: Callable[[str], str]
    block: re.Pattern[str]
    periods: bool


OFFICIAL = Naming(lambda key: key, re.compile(r"blocks\.(\d+)\."), periods=True)


def vit_config(request: PlanRequest, naming: Naming, size: tuple[int, int]) -> ViTConfig:
    """Read a network's sizes; `size` is the picture's height and width. No projection yet."""
    shapes = request.shapes
    own = VIT_SIZES[request.arch] if request.arch in VIT_SIZES else _size(shapes, naming)
    patch = patch_of(shapes, naming)

    def has(key: str) -> bool:
        return not shapes or naming.key(key) in shapes

    return ViTConfig(
        width=own.width,
        depth=own.depth,
        head_width=_head_width(shapes, own.width, naming),
        feedforward=own.feedforward,
        hidden=own.hidden,
        rows=size[0] // patch,
        columns=size[1] // patch,
        patch=patch,
        storage_tokens=size_of(shapes, naming.key("storage_tokens"), 1, rank=3, usual=0)
        if shapes
        else 4,
        qkv_bias=has("blocks.0.attn.qkv.bias"),
        output_bias=has("blocks.0.attn.proj.bias"),
        feedforward_bias=has("blocks.0.mlp.fc1.bias") or has("blocks.0.mlp.w1.bias"),
        layer_scale=has("blocks.0.ls1.gamma"),
        cls_norm="cls_norm.weight" in shapes,
        pool=request.pool or "cls",
    )


def patch_of(shapes: Shapes, naming: Naming) -> int:
    """Return the side of a patch in pixels."""
    return size_of(shapes, naming.key("patch_embed.proj.weight"), 2, rank=4, usual=PATCH)


def arch_of(config: ViTConfig) -> str:
    """Return the name of a network's size."""
    size = ViTSize(config.width, config.depth, config.feedforward, config.hidden)
    names = [name for name, published in VIT_SIZES.items() if published == size]
    return names[0] if names and config.patch == PATCH else OTHER


def _size(shapes: Shapes, naming: Naming) -> ViTSize:
    usual = VIT_SIZES[USUAL]
    gated = naming.key("blocks.0.mlp.w1.weight") in shapes
    inner = naming.key("blocks.0.mlp.w1.weight" if gated else "blocks.0.mlp.fc1.weight")
    blocks = {match[1] for key in shapes if (match := naming.block.match(key))}
    return ViTSize(
        width=size_of(shapes, naming.key("cls_token"), 2, rank=3, usual=usual.width),
        depth=len(blocks) or usual.depth,
        feedforward="swiglu" if gated else "mlp",
        hidden=size_of(shapes, inner, 0, rank=2, usual=usual.hidden),
    )


def _head_width(shapes: Shapes, width: int, naming: Naming) -> int:
    known = WIDE_HEAD_WIDTH if width >= WIDE else HEAD_WIDTH
    if not naming.periods:
        return known
    periods = size_of(shapes, "rope_embed.periods", 0, rank=1, usual=known // 4)
    return 4 * periods if width % (4 * periods) == 0 else known


def official_keys(shapes: Shapes, own: Shapes, projection: Projection | None) -> Shapes:
    """Return the keys that an official file must have for a network with the keys `own`."""
    keys = {renamed(key, projection): shape for key, shape in own.items()}
    for key, shape in own.items():
        mask = f"{key}_mask"
        if key.endswith("attn.qkv.bias") and mask in shapes:
            keys[mask] = shape
    return keys


def from_official(
    tensors: Mapping[str, torch.Tensor], projection: Projection | None
) -> dict[str, torch.Tensor]:
    """Return the network's state: masked biases, and the projection under its own name."""
    import torch

    state = dict(tensors)
    for key in [key for key in tensors if key.endswith(".qkv.bias_mask")]:
        mask, bias = state.pop(key), state[key.removesuffix("_mask")]
        # Published files mask by 0, and what a mask of 0 hides may be anything, NaN too.
        state[key.removesuffix("_mask")] = torch.where(mask == 0, 0.0, bias * mask)
    return {own_name(key, projection): value for key, value in state.items()}


def renamed(key: str, projection: Projection | None) -> str:
    """Return the file's name of one of the network's keys: a projection has various ones."""
    if projection is not None and key.startswith("projection."):
        return f"{projection.name}.{key.removeprefix('projection.')}"
    return key


def own_name(key: str, projection: Projection | None) -> str:
    """Return the network's name of one of the file's keys; the inverse of `renamed`."""
    if projection is not None and key.startswith(f"{projection.name}."):
        return f"projection.{key.removeprefix(f'{projection.name}.')}"
    return key
