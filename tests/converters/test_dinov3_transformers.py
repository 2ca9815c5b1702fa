"""Hugging Face's implementation as a second oracle: its files, its outputs, random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from faceport.converters import ConvertOptions, convert
from faceport.converters.recognise import recognise
from faceport.converters.state import NetworkState
from faceport.errors import KeyMismatchError
from faceport.models.dinov3_rope import default_periods

HEIGHT, WIDTH = 64, 96
State = dict[str, torch.Tensor]
Save = Callable[..., Path]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    from transformers.utils import logging

    logging.disable_progress_bar()
    yield
    logging.enable_progress_bar()


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.randn(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(5))


def transformer(**changes: Any) -> torch.nn.Module:
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    sizes = {
        "hidden_size": 128,
        "num_attention_heads": 2,
        "num_hidden_layers": 3,
        "intermediate_size": 192,
        "num_register_tokens": 4,
    }
    return seeded(DINOv3ViTModel(DINOv3ViTConfig(**{**sizes, **changes})))


def convnext() -> torch.nn.Module:
    from transformers import DINOv3ConvNextConfig, DINOv3ConvNextModel

    config = DINOv3ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 2, 3, 1])
    return seeded(DINOv3ConvNextModel(config))


def seeded(model: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return model.requires_grad_(False).eval()


KINDS: dict[str, Callable[[], torch.nn.Module]] = {
    "plain": transformer,
    "gated": lambda: transformer(use_gated_mlp=True, hidden_act="silu"),
    "biases everywhere": lambda: transformer(key_bias=True, num_register_tokens=0),
    "biases nowhere": lambda: transformer(
        query_bias=False, value_bias=False, proj_bias=False, mlp_bias=False
    ),
    "convnext": convnext,
}


@pytest.fixture(scope="module", params=KINDS)
def oracle(request: pytest.FixtureRequest) -> torch.nn.Module:
    return KINDS[request.param]()


def wanted(oracle: torch.nn.Module, picture: torch.Tensor, pool: str) -> torch.Tensor:
    outputs = oracle(picture)
    cells = 6 if "ConvNext" in type(oracle).__name__ else 24
    mean = outputs.last_hidden_state[:, -cells:].mean(dim=1)
    cls = outputs.pooler_output
    return {"cls": cls, "mean": mean, "cls+mean": torch.cat((cls, mean), dim=1)}[pool]


@pytest.mark.parametrize("pool", ["cls", "mean", "cls+mean"])
def test_a_saved_model_computes_the_same_here(
    pool: Any, oracle: torch.nn.Module, picture: torch.Tensor, tmp_path: Path
) -> None:
    oracle.save_pretrained(tmp_path)  # type: ignore[operator]
    model = convert(
        tmp_path / "model.safetensors",
        ConvertOptions(pool=pool, input_height=HEIGHT, input_width=WIDTH, normalize=False),
    )
    expected = wanted(oracle, picture, pool)
    assert model.spec.embedding_dim == expected.shape[1]
    torch.testing.assert_close(model.module(picture)[0], expected, atol=2e-6, rtol=1e-5)
    assert set(model.spec.dropped_keys) <= {
        "embeddings.mask_token",
        "embeddings.register_tokens",
    }


def test_a_state_dict_in_the_newer_naming_and_behind_a_prefix_is_the_same(
    picture: torch.Tensor, save: Save
) -> None:
    oracle = transformer()
    state = oracle.state_dict()
    assert "model.layer.0.norm1.weight" in state
    projection = {"projection.weight": torch.randn(6, 128)}
    wrapped = {f"backbone.{key}": value for key, value in state.items()} | projection
    options = ConvertOptions(input_height=HEIGHT, input_width=WIDTH, normalize=False)
    expected = wanted(oracle, picture, "cls")
    torch.testing.assert_close(convert(save(state), options).module(picture)[0], expected)
    torch.testing.assert_close(
        convert(save(wrapped), options).module(picture)[0],
        expected @ projection["projection.weight"].T,
    )


def official(state: State, blocks: int) -> State:
    """The same weights as an official checkpoint holds them, written down separately."""
    result = {
        "cls_token": state["embeddings.cls_token"],
        "storage_tokens": state["embeddings.register_tokens"],
        "mask_token": state["embeddings.mask_token"][0],
        "patch_embed.proj.weight": state["embeddings.patch_embeddings.weight"],
        "patch_embed.proj.bias": state["embeddings.patch_embeddings.bias"],
        "rope_embed.periods": default_periods(64),
        "norm.weight": state["norm.weight"],
        "norm.bias": state["norm.bias"],
    }
    for index in range(blocks):
        old, new = f"model.layer.{index}.", f"blocks.{index}."
        parts = [state[f"{old}attention.{part}_proj.weight"] for part in "qkv"]
        result[f"{new}attn.qkv.weight"] = torch.cat(parts)
        q, v = (state[f"{old}attention.{part}_proj.bias"] for part in "qv")
        result[f"{new}attn.qkv.bias"] = torch.cat((q, torch.full_like(q, 9.0), v))
        ones = torch.ones_like(q)
        result[f"{new}attn.qkv.bias_mask"] = torch.cat((ones, 0 * ones, ones))
        for kind in ("weight", "bias"):
            for ours, theirs in {
                "norm1": "norm1",
                "norm2": "norm2",
                "attn.proj": "attention.o_proj",
                "mlp.fc1": "mlp.up_proj",
                "mlp.fc2": "mlp.down_proj",
            }.items():
                result[f"{new}{ours}.{kind}"] = state[f"{old}{theirs}.{kind}"]
        for number in (1, 2):
            result[f"{new}ls{number}.gamma"] = state[f"{old}layer_scale{number}.lambda1"]
    return result


def test_both_files_of_one_network_fill_the_same_gallery(save: Save) -> None:
    state = transformer().state_dict()
    one, other = convert(save(state, "hf.pth")), convert(save(official(state, 3), "own.pth"))
    assert one.spec.source.sha256 != other.spec.source.sha256
    assert one.spec.fingerprint == other.spec.fingerprint


def test_the_number_of_heads_is_said_to_be_assumed_for_other_widths_only(save: Save) -> None:
    spec = convert(save(transformer().state_dict())).spec
    assert "heads 64 wide were assumed" in spec.warnings[0]


PUBLISHED = {
    "dinov3_vits16plus": (384, 12, 6, 1536, True),
    "dinov3_vitb16": (768, 12, 12, 3072, False),
    "dinov3_vitl16": (1024, 24, 16, 4096, False),
    "dinov3_vith16plus": (1280, 32, 20, 5120, True),
    "dinov3_vit7b16": (4096, 40, 32, 8192, True),
}
"""Width, depth, heads, inside of the feed-forward, gated."""


@pytest.mark.parametrize("arch", PUBLISHED)
def test_every_published_size_is_found_from_its_keys(arch: str) -> None:
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    width, depth, heads, hidden, gated = PUBLISHED[arch]
    with torch.device("meta"):
        model = DINOv3ViTModel(
            DINOv3ViTConfig(
                hidden_size=width,
                num_hidden_layers=depth,
                num_attention_heads=heads,
                intermediate_size=hidden,
                num_register_tokens=4,
                use_gated_mlp=gated,
            )
        )
    tensors = {key.removeprefix("model."): value for key, value in model.state_dict().items()}
    plan = recognise(NetworkState("m", tensors, {key: key for key in tensors}), ConvertOptions())
    assert (plan.arch, plan.features, plan.warnings) == (arch, width, ())
    assert plan.network.config.heads == heads  # type: ignore[union-attr]
    assert plan.expected is not None
    assert tensors.keys() - plan.expected.keys() == {"embeddings.mask_token"}
    assert {key: tuple(tensors[key].shape) for key in plan.expected} == plan.expected


def test_a_missing_key_is_named_as_the_file_names_it(save: Save) -> None:
    state = transformer().state_dict()
    del state["model.layer.1.attention.k_proj.weight"]
    with pytest.raises(KeyMismatchError, match=r"layer\.1\.attention\.k_proj\.weight is missing"):
        convert(save(state))
