"""DINOv3's official checkpoints: golden outputs, options, and what can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceport.converters import ConvertOptions, convert
from faceport.errors import CheckpointReadError, InputError, KeyMismatchError
from faceport.models.dinov3_config import (
    ConvNeXtConfig,
    Four,
    ViTConfig,
)
from faceport.models.dinov3_convnext import ConvNeXt
from faceport.models.dinov3_rope import default_periods
from faceport.models.dinov3_vit import VisionTransformer
from faceport.runtime.preprocess import to_tensor
from faceport.spec import PreprocessSpec

State = dict[str, torch.Tensor]
Save = Callable[..., Path]


@pytest.mark.parametrize(
    ("layout", "side"),
    [("dinov3_vits16", 256), ("dinov3_vits16", 224), ("dinov3_convnext_tiny", 256)],
)
def test_a_module_computes_what_the_original_code_computed(
    layout: str, side: int, reference: Path, synthetic_checkpoint: Callable[[str], Path]
) -> None:
    options = ConvertOptions(input_height=side, input_width=side)
    model = convert(synthetic_checkpoint(layout), options)
    with np.load(reference / "golden" / f"{layout}.npz") as data:
        pixels, wanted = data[f"image_rgb_{side}x{side}"], data[f"embedding_{side}x{side}"]
    tensor = torch.from_numpy(to_tensor(pixels, "rgb", model.spec.preprocess))
    unit, norm = (value.double().numpy() for value in model.module(tensor))
    wanted = wanted.astype(np.float64)
    length = np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.einsum("nd,nd->n", unit, wanted / length).min() >= 0.99999
    np.testing.assert_allclose(unit * norm, wanted, atol=2e-5)
    np.testing.assert_allclose(norm, length, rtol=1e-5)
    assert model.spec.arch == layout
    assert model.spec.embedding_dim == wanted.shape[1]
    assert model.spec.warnings == ()


def test_the_spec_says_how_the_original_takes_its_pictures(
    synthetic_checkpoint: Callable[[str], Path],
) -> None:
    spec = convert(synthetic_checkpoint("dinov3_vits16")).spec
    assert spec.preprocess == PreprocessSpec(
        height=256,
        width=256,
        color_order="rgb",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        geometry="crop",
        resample="bilinear_antialias",
        box_padding=0.2,
    )
    assert (spec.family, spec.pool, spec.dropped_keys) == ("dinov3", "cls", ("mask_token",))
    assert spec.output_names == ("embedding", "norm")
    assert "DINOv3 License" in spec.source.license


SMALL = ViTConfig(
    width=32, depth=2, head_width=16, feedforward="mlp", hidden=48, rows=16, columns=16
)


def small_state(seed: int = 0, **changes: object) -> State:
    """The state of a small transformer in the official layout, its key biases masked."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        own = VisionTransformer(replace(SMALL, **changes)).state_dict()  # type: ignore[arg-type]
    state = {key: torch.randn(value.shape, generator=generator) * 0.3 for key, value in own.items()}
    state["rope_embed.periods"] = default_periods(16)
    for index in range(2):
        mask = torch.ones(96)
        mask[32:64] = 0
        state[f"blocks.{index}.attn.qkv.bias_mask"] = mask
    return {**state, "mask_token": torch.zeros(1, 32)}


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(5))


def embedding(path: Path, picture: torch.Tensor, **options: object) -> torch.Tensor:
    model = convert(path, ConvertOptions(**options, normalize=False))  # type: ignore[arg-type]
    result: torch.Tensor = model.module(picture)[0]
    return result


def test_a_mask_hides_whatever_stands_in_the_bias(save: Save, picture: torch.Tensor) -> None:
    plain = small_state()
    hidden = {key: value.clone() for key, value in plain.items()}
    for index in range(2):
        plain[f"blocks.{index}.attn.qkv.bias"][32:64] = 0
        hidden[f"blocks.{index}.attn.qkv.bias"][32:64] = torch.nan
    unmasked = {key: value for key, value in plain.items() if not key.endswith("bias_mask")}
    wanted = embedding(save(unmasked, "unmasked.pth"), picture)
    assert embedding(save(hidden, "hidden.pth"), picture).equal(wanted)
    assert wanted.isfinite().all()
    # As in the published files: the masks are all zeros.
    none = {k: torch.zeros_like(v) if k.endswith("mask") else v for k, v in plain.items()}
    zeros = {k: torch.zeros_like(v) if k.endswith("qkv.bias") else v for k, v in unmasked.items()}
    masked = embedding(save(none, "none.pth"), picture)
    assert masked.equal(embedding(save(zeros, "zeros.pth"), picture))
    assert not torch.allclose(masked, wanted, atol=1e-3)


@pytest.mark.parametrize("key", ["blocks.1.attn.qkv.bias_mask", "blocks.0.ls1.gamma"])
def test_a_weight_that_is_not_finite_is_refused_by_name(key: str, save: Save) -> None:
    state = small_state()
    state[key][40 if "mask" in key else 3] = torch.nan
    name = key.removesuffix("_mask").replace(".", r"\.")
    with pytest.raises(CheckpointReadError, match=f"the weight {name} of .* is not finite"):
        convert(save(state))


def test_sizes_and_options_are_read_from_the_keys(save: Save) -> None:
    state = small_state(
        feedforward="swiglu",
        storage_tokens=2,
        qkv_bias=False,
        feedforward_bias=False,
        layer_scale=False,
        cls_norm=True,
    )
    state = {key: value for key, value in state.items() if not key.endswith("bias_mask")}
    model = convert(save(state))
    config = model.module.get_submodule("network").config
    assert config == replace(
        SMALL,
        feedforward="swiglu",
        storage_tokens=2,
        qkv_bias=False,
        feedforward_bias=False,
        layer_scale=False,
        cls_norm=True,
    )
    assert model.spec.arch == "dinov3_vit"


def test_periods_are_taken_from_the_file(save: Save, picture: torch.Tensor) -> None:
    state = small_state()
    usual = embedding(save(state, "usual.pth"), picture)
    state["rope_embed.periods"] = state["rope_embed.periods"] * 3
    assert not torch.allclose(embedding(save(state, "other.pth"), picture), usual, atol=1e-3)


def test_of_two_names_for_the_last_norm_the_one_that_the_original_reads_last_counts(
    save: Save, picture: torch.Tensor
) -> None:
    depths: Four = (1, 1, 1, 1)
    with torch.device("meta"):
        own = ConvNeXt(ConvNeXtConfig(depths, (4, 6, 8, 10))).state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.randn(value.shape, generator=generator) for key, value in own.items()}
    state["norms.3.weight"], state["norms.3.bias"] = torch.zeros(10), torch.arange(10.0)
    features = embedding(save(state), picture)
    assert features.equal(torch.arange(10.0).expand(2, 10))
    del state["norms.3.weight"]
    with pytest.raises(KeyMismatchError, match=r"norms\.3\.weight is missing"):
        convert(save(state))


@pytest.mark.parametrize(("height", "width"), [(32, 64), (16, 16), (224, 96)])
def test_any_multiple_of_the_patch_is_a_size(height: int, width: int, save: Save) -> None:
    model = convert(save(small_state()), ConvertOptions(input_height=height, input_width=width))
    assert (model.spec.preprocess.height, model.spec.preprocess.width) == (height, width)
    assert model.spec.inputs[0].shape == ("batch", 3, height, width)
    vector, _ = model.module(torch.zeros(1, 3, height, width))
    assert vector.shape == (1, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_height": 250}, "--input-height 250; expected a multiple of 16 .*take 240 or 256"),
        ({"input_width": 8}, "--input-width 8; expected a multiple of 16 .*take 16 or more"),
        ({"input_width": 0}, "--input-width 0"),
    ],
)
def test_other_sizes_are_refused(options: dict[str, int], message: str, save: Save) -> None:
    with pytest.raises(InputError, match=message):
        convert(save(small_state()), ConvertOptions(**options))  # type: ignore[arg-type]


def test_a_convnext_takes_multiples_of_32(synthetic_checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="240; expected a multiple of 32 pixels"):
        convert(synthetic_checkpoint("dinov3_convnext_tiny"), ConvertOptions(input_height=240))


def test_a_pool_decides_length_and_space(save: Save) -> None:
    path = save(small_state())
    pools = ("cls", "mean", "cls+mean")
    specs = [convert(path, ConvertOptions(pool=pool)).spec for pool in pools]  # type: ignore[arg-type]
    assert [spec.embedding_dim for spec in specs] == [32, 32, 64]
    assert [spec.pool for spec in specs] == list(pools)
    assert len({spec.fingerprint for spec in specs}) == 3
    assert specs[0] == convert(path).spec


def test_an_unknown_pool_and_a_pool_for_another_reader_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such pool; received max.*cls, mean, cls\+mean"):
        convert(tmp_path / "missing", ConvertOptions(pool="max"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--pool is not for .* received mean for yolo-face"):
        convert(tmp_path / "missing", ConvertOptions(pool="mean", family="yolo-face"))


def test_the_elder_brother_is_a_near_miss(save: Save) -> None:
    """DINOv2: the same blocks, positions that are learned, other patches."""
    state = small_state(storage_tokens=0, patch=14)
    state = {k: v for k, v in state.items() if "bias_mask" not in k and "rope" not in k}
    state["pos_embed"] = torch.ones(1, 257, 32)
    with pytest.raises(KeyMismatchError) as caught:
        convert(save(state))
    assert "rope_embed.periods is missing" in str(caught.value)
    assert "pos_embed has no place" in str(caught.value)


@pytest.mark.parametrize("option", [{"pool": "mean"}, {"input_height": 112}])
def test_choices_are_refused_for_families_that_have_none(
    option: dict[str, object], flat_file: Path
) -> None:
    with pytest.raises(InputError, match=r"is not for checkpoints of this family.*dinov3"):
        convert(flat_file, ConvertOptions(**option))  # type: ignore[arg-type]


def test_a_missing_block_and_another_architecture_are_named(save: Save) -> None:
    state = {k: v for k, v in small_state().items() if not k.startswith("blocks.1.mlp.fc2")}
    with pytest.raises(KeyMismatchError, match=r"blocks\.1\.mlp\.fc2\.weight is missing"):
        convert(save(state))
    with pytest.raises(KeyMismatchError, match="does not fit dinov3_vitb16"):
        convert(save(small_state()), ConvertOptions(arch="dinov3_vitb16"))
