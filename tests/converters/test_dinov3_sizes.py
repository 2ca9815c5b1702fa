"""Every published size of DINOv3 is found from its official keys, without memory for weights."""

from __future__ import annotations

import pytest
import torch

from faceport.converters import ConvertOptions
from faceport.converters.recognise import recognise
from faceport.converters.state import NetworkState
from faceport.models.dinov3_config import CONVNEXT_SIZES, VIT_SIZES, ConvNeXtConfig
from faceport.models.dinov3_convnext import ConvNeXt
from faceport.models.dinov3_vit import VisionTransformer

# Of facebookresearch/dinov3 `hub/backbones.py`, written down again: width, depth, heads, inside of
# the feed-forward, whether it is gated, whether the attention has a bias, a norm for local crops.
PUBLISHED = {
    "dinov3_vits16": (384, 12, 6, 1536, False, True, False),
    "dinov3_vits16plus": (384, 12, 6, 1536, True, True, False),
    "dinov3_vitb16": (768, 12, 12, 3072, False, True, False),
    "dinov3_vitl16": (1024, 24, 16, 4096, False, True, True),
    "dinov3_vitl16plus": (1024, 24, 16, 4096, True, True, False),
    "dinov3_vith16plus": (1280, 32, 20, 5120, True, True, False),
    "dinov3_vit7b16": (4096, 40, 32, 8192, True, False, True),
}
PARAMETERS = {
    "dinov3_vits16": 21e6,
    "dinov3_vits16plus": 29e6,
    "dinov3_vitb16": 86e6,
    "dinov3_vitl16": 300e6,
    "dinov3_vith16plus": 840e6,
    "dinov3_vit7b16": 6716e6,
    "dinov3_convnext_tiny": 29e6,
    "dinov3_convnext_small": 50e6,
    "dinov3_convnext_base": 89e6,
    "dinov3_convnext_large": 198e6,
}
"""As the original's README rounds them."""


def published_keys(arch: str) -> dict[str, tuple[int, ...]]:
    """Return the keys of an official vision transformer and their shapes."""
    width, depth, heads, hidden, gated, qkv_bias, local = PUBLISHED[arch]
    keys: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "storage_tokens": (1, 4, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "rope_embed.periods": (width // heads // 4,),
    }
    for index in range(depth):
        block = f"blocks.{index}."
        linears = {"attn.qkv": (3 * width, width), "attn.proj": (width, width)}
        if gated:
            linears |= {"mlp.w1": (hidden, width), "mlp.w2": (hidden, width)}
            linears |= {"mlp.w3": (width, hidden)}
        else:
            linears |= {"mlp.fc1": (hidden, width), "mlp.fc2": (width, hidden)}
        for name, shape in linears.items():
            keys[f"{block}{name}.weight"] = shape
            if name != "attn.qkv" or qkv_bias:
                keys[f"{block}{name}.bias"] = shape[:1]
        if qkv_bias:
            keys[f"{block}attn.qkv.bias_mask"] = (3 * width,)
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            keys[block + name] = (width,)
        keys[f"{block}ls1.gamma"] = keys[f"{block}ls2.gamma"] = (width,)
    for name in ("norm", *(["local_cls_norm"] if local else [])):
        keys[f"{name}.weight"] = keys[f"{name}.bias"] = (width,)
    return keys


def empty(keys: dict[str, tuple[int, ...]]) -> NetworkState:
    tensors = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    return NetworkState("meta.pth", tensors, {key: key for key in tensors})


@pytest.mark.parametrize("arch", VIT_SIZES)
def test_every_published_transformer_is_found_from_its_keys(arch: str) -> None:
    state = empty(published_keys(arch))
    plan = recognise(state, ConvertOptions())
    assert (plan.arch, plan.features) == (arch, PUBLISHED[arch][0])
    assert isinstance(plan.network, VisionTransformer)
    assert plan.network.config.heads == PUBLISHED[arch][2]
    unused = {"mask_token", "local_cls_norm.weight", "local_cls_norm.bias"}
    assert plan.expected is not None
    assert set(plan.expected) == set(state.tensors) - unused
    count = sum(tensor.numel() for tensor in plan.network.parameters())
    if arch in PARAMETERS:
        assert count == pytest.approx(PARAMETERS[arch], rel=0.05)


@pytest.mark.parametrize("arch", CONVNEXT_SIZES)
def test_every_published_convnext_is_found_from_its_keys(arch: str) -> None:
    depths, channels = CONVNEXT_SIZES[arch]
    with torch.device("meta"):
        own = ConvNeXt(ConvNeXtConfig(depths, channels)).state_dict()
    keys = {key: tuple(value.shape) for key, value in own.items()}
    last = {f"norms.3.{part}": (channels[3],) for part in ("weight", "bias")}
    plan = recognise(empty({**keys, **last}), ConvertOptions())
    assert (plan.arch, plan.features) == (arch, channels[3])
    count = sum(tensor.numel() for tensor in plan.network.parameters())
    assert count == pytest.approx(PARAMETERS[arch], rel=0.05)
