"""The names that Hugging Face's transformers give the weights of DINOv3.

`DINOv3ViTModel` keeps queries, keys and values apart, gives keys no bias, and does not store the
periods of the rotary embedding. `DINOv3ConvNextModel` differs from the official keys in names
only. Facts from `models/dinov3_vit` and `models/dinov3_convnext` of huggingface/transformers; files
on the hub write `layer.N`, transformers 5 writes `model.layer.N`, whose prefix is gone by here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from faceport.converters.conversion import Shapes
from faceport.converters.dinov3_vit import Naming, own_name, renamed
from faceport.models.dinov3_config import Projection

if TYPE_CHECKING:
    import torch

VIT_NAMES = {
    "cls_token": "embeddings.cls_token",
    "storage_tokens": "embeddings.register_tokens",
    "patch_embed.proj": "embeddings.patch_embeddings",
}
BLOCK_NAMES = {
    "norm1": "norm1",
    "attn.qkv": "attention.q_proj",
    "attn.proj": "attention.o_proj",
    "ls1.gamma": "layer_scale1.lambda1",
    "norm2": "norm2",
    "mlp.fc1": "mlp.up_proj",
    "mlp.fc2": "mlp.down_proj",
    "mlp.w1": "mlp.gate_proj",
    "mlp.w2": "mlp.up_proj",
    "mlp.w3": "mlp.down_proj",
    "ls2.gamma": "layer_scale2.lambda1",
}
CONVNEXT_NAMES = {
    "dwconv": "depthwise_conv",
    "norm": "layer_norm",
    "pwconv1": "pointwise_conv1",
    "pwconv2": "pointwise_conv2",
    "gamma": "gamma",
}

PERIODS = "rope_embed.periods"
BLOCK = re.compile(r"(blocks\.\d+)\.(.+)")


def vit_key(key: str) -> str:
    """Return the file's name of a network's key; for the fused layer that of the queries."""
    match = BLOCK.fullmatch(key)
    if match is None:
        return _replaced(key, VIT_NAMES)
    return f"{match[1].replace('blocks', 'layer')}.{_replaced(match[2], BLOCK_NAMES)}"


NAMING = Naming(vit_key, re.compile(r"layer\.(\d+)\."), periods=False)


def vit_keys(shapes: Shapes, own: Shapes, projection: Projection | None) -> Shapes:
    """Return the keys that a file must have for a network with the keys `own`."""
    keys: dict[str, tuple[int, ...]] = {}
    for key, shape in own.items():
        if key == PERIODS:
            continue
        if ".attn.qkv." not in key:
            keys[renamed(vit_key(key), projection)] = shape
            continue
        third = (shape[0] // 3, *shape[1:])
        optional = key.endswith("bias")
        for name in _thirds(key):
            if not optional or name in shapes:
                keys[name] = third
    return keys


def vit_state(
    tensors: Mapping[str, torch.Tensor], own: Shapes, projection: Projection | None
) -> dict[str, torch.Tensor]:
    """Return the network's state: one attention layer, no bias as zeros, the usual periods."""
    import torch

    from faceport.models.dinov3_rope import default_periods

    state: dict[str, torch.Tensor] = {}
    for key, shape in own.items():
        if key == PERIODS:
            state[key] = default_periods(4 * shape[0])
        elif ".attn.qkv." in key:
            none = torch.zeros(shape[0] // 3)
            state[key] = torch.cat([tensors.get(name, none) for name in _thirds(key)])
        else:
            state[key] = tensors[renamed(vit_key(key), projection)]
    return state


def convnext_key(key: str) -> str:
    """Return the file's name of a ConvNeXt's key."""
    if match := re.fullmatch(r"downsample_layers\.(\d+)\.(.+)", key):
        return f"stages.{match[1]}.downsample_layers.{match[2]}"
    if match := re.fullmatch(r"stages\.(\d+)\.(\d+)\.(.+)", key):
        return f"stages.{match[1]}.layers.{match[2]}.{_replaced(match[3], CONVNEXT_NAMES)}"
    return f"layer_{key}" if key.startswith("norm.") else key


def convnext_state(
    tensors: Mapping[str, torch.Tensor], own: Shapes, projection: Projection | None
) -> dict[str, torch.Tensor]:
    """Return a ConvNeXt's state under its own names."""
    by_file = {renamed(convnext_key(key), projection): key for key in own}
    return {own_name(by_file.get(name, name), projection): t for name, t in tensors.items()}


def _thirds(key: str) -> tuple[str, ...]:
    queries = vit_key(key)
    return tuple(queries.replace("q_proj", f"{part}_proj") for part in "qkv")


def _replaced(key: str, names: Mapping[str, str]) -> str:
    for own, other in names.items():
        if key == own or key.startswith(f"{own}."):
            return other + key.removeprefix(own)
    return key
