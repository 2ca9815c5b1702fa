"""The networks against slow formulas of their parts; golden outputs are in tests/converters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceport.models.dinov3_blocks import Attention, Mlp, SwiGlu
from faceport.models.dinov3_config import ConvNeXtConfig, Projection, ViTConfig
from faceport.models.dinov3_convnext import ChannelNorm, ConvNeXt
from faceport.models.dinov3_rope import RotaryTable, default_periods
from faceport.models.dinov3_vit import VisionTransformer

SMALL = ViTConfig(width=32, depth=2, head_width=16, feedforward="mlp", hidden=48, rows=2, columns=3)
NARROW = ConvNeXtConfig((1, 1, 2, 1), (4, 6, 8, 10))


def filled(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give every weight a value that is not special, and periods that are."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        key: default_periods(4 * len(value))
        if key.endswith("periods")
        else torch.randn(value.shape, generator=generator) * 0.4
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()


def pixels(height: int, width: int) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(3))


def test_attention_is_what_its_formula_says() -> None:
    attention = filled(Attention(SMALL))
    table = filled(RotaryTable(16, 2, 3, 5))
    tokens = torch.randn(2, 11, 32, generator=torch.Generator().manual_seed(1))
    mixed = tokens.double() @ attention.qkv.weight.double().T + attention.qkv.bias.double()
    heads = []
    for head in range(2):
        part = slice(16 * head, 16 * (head + 1))
        q, k, v = (mixed[..., 32 * i : 32 * (i + 1)][..., part] for i in range(3))
        scores = table(q.float()).double() @ table(k.float()).double().transpose(1, 2) / 4
        heads.append(scores.softmax(dim=-1) @ v)
    wanted = torch.cat(heads, dim=-1) @ attention.proj.weight.double().T
    wanted = wanted + attention.proj.bias.double()
    torch.testing.assert_close(attention(tokens, table).double(), wanted, atol=1e-5, rtol=1e-5)


def test_the_feed_forward_layers_are_what_their_formulas_say() -> None:
    values = torch.randn(3, 8, generator=torch.Generator().manual_seed(1)).double()
    mlp = filled(Mlp(8, 12, bias=True)).double()
    inner = values @ mlp.fc1.weight.T + mlp.fc1.bias
    gelu = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    torch.testing.assert_close(mlp(values), gelu @ mlp.fc2.weight.T + mlp.fc2.bias)
    glu = filled(SwiGlu(8, 12, bias=False)).double()
    gate = values @ glu.w1.weight.T
    inner = gate * torch.sigmoid(gate) * (values @ glu.w2.weight.T)
    torch.testing.assert_close(glu(values), inner @ glu.w3.weight.T)


def test_a_channel_norm_normalises_each_cell() -> None:
    norm = filled(ChannelNorm(5, eps=1e-6)).double()
    values = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1)).double()
    centred = values - values.mean(1, keepdim=True)
    wanted = centred / (values.var(1, keepdim=True, unbiased=False) + 1e-6).sqrt()
    wanted = wanted * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(values), wanted)


@pytest.mark.parametrize("kind", ["vit", "vit with a norm of its own", "convnext"])
def test_pools_are_the_class_token_the_mean_of_the_patches_and_both(kind: str) -> None:
    outputs = {}
    for pool in ("cls", "mean", "cls+mean"):
        if kind == "convnext":
            network = ConvNeXt(replace(NARROW, pool=pool))
        else:
            network = VisionTransformer(replace(SMALL, pool=pool, cls_norm="own" in kind))
        outputs[pool] = filled(network)(pixels(64, 96) if kind == "convnext" else pixels(32, 48))
    width = 10 if kind == "convnext" else 32
    assert outputs["cls"].shape == outputs["mean"].shape == (2, width)
    assert not torch.allclose(outputs["cls"], outputs["mean"], atol=1e-2)
    both = torch.cat((outputs["cls"], outputs["mean"]), dim=1)
    torch.testing.assert_close(outputs["cls+mean"], both)


def test_the_mean_is_of_normalised_patches_alone() -> None:
    network = filled(VisionTransformer(replace(SMALL, pool="mean")))
    tokens = torch.randn(2, 11, 32, generator=torch.Generator().manual_seed(1))
    network.blocks = nn.ModuleList([])
    network._tokens = lambda _: tokens  # type: ignore[method-assign]
    wanted = torch.stack([network.norm(tokens[:, i]) for i in range(5, 11)]).mean(dim=0)
    torch.testing.assert_close(network(pixels(32, 48)), wanted)


def test_a_projection_comes_last() -> None:
    layer = Projection("head", 7, bias=True)
    for network, picture in (
        (VisionTransformer(replace(SMALL, projection=layer, pool="cls+mean")), pixels(32, 48)),
        (ConvNeXt(replace(NARROW, projection=layer)), pixels(32, 32)),
    ):
        filled(network)
        projection, network.projection = network.projection, None
        features = network(picture)
        network.projection = projection
        assert network(picture).shape == (2, 7)
        torch.testing.assert_close(network(picture), projection(features))


def test_a_network_without_storage_tokens_scales_or_biases_runs() -> None:
    config = replace(
        SMALL,
        storage_tokens=0,
        qkv_bias=False,
        output_bias=False,
        feedforward_bias=False,
        layer_scale=False,
    )
    network = filled(VisionTransformer(config))
    assert not any("gamma" in key or "storage" in key for key in network.state_dict())
    assert network(pixels(32, 48)).isfinite().all()
