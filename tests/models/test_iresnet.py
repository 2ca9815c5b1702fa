"""The IR networks against the golden outputs, and their units against plain formulas in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from faceport.models.iresnet import IResNet, ResidualUnit
from faceport.models.iresnet_config import IResNetConfig, OcclusionBranch


def test_it_computes_what_the_original_code_computes(golden: Callable) -> None:
    expected = golden("adaface_ir_18")
    network = IResNet(IResNetConfig(18)).eval()
    network.load_state_dict(expected.state)
    bgr = (expected.images[..., ::-1].astype(np.float32) / 255 - 0.5) / 0.5
    with torch.no_grad():
        (features,) = network(torch.from_numpy(bgr.transpose(0, 3, 1, 2).copy()))
    unit = features.numpy() / np.linalg.norm(features.numpy(), axis=1, keepdims=True)
    assert np.abs(unit - expected.embeddings).max() < 1e-6


def normalised(values: torch.Tensor, state: dict[str, torch.Tensor], key: str) -> torch.Tensor:
    mean, var = state[f"{key}.running_mean"], state[f"{key}.running_var"]
    scale = state[f"{key}.weight"] / torch.sqrt(var + 1e-5)
    shape = (1, -1, 1, 1)
    return (values - mean.view(shape)) * scale.view(shape) + state[f"{key}.bias"].view(shape)


def activated(values: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    return torch.where(values > 0, values, values * slope.view(1, -1, 1, 1))


def residual(values: torch.Tensor, state: dict[str, torch.Tensor], stride: int) -> torch.Tensor:
    """The residual branch, from its keys alone: what net.py's Sequential does, step by step."""
    bottleneck = "res_layer.7.weight" in state
    result = normalised(values, state, "res_layer.0")
    result = F.conv2d(result, state["res_layer.1.weight"], padding=0 if bottleneck else 1)
    result = activated(normalised(result, state, "res_layer.2"), state["res_layer.3.weight"])
    if bottleneck:
        result = F.conv2d(result, state["res_layer.4.weight"], padding=1)
        result = activated(normalised(result, state, "res_layer.5"), state["res_layer.6.weight"])
        result = F.conv2d(result, state["res_layer.7.weight"], stride=stride)
        result = normalised(result, state, "res_layer.8")
    else:
        result = F.conv2d(result, state["res_layer.4.weight"], stride=stride, padding=1)
        result = normalised(result, state, "res_layer.5")
    if "res_layer.se_block.fc1.weight" in state:
        means = result.mean((2, 3), keepdim=True)
        squeezed = F.conv2d(means, state["res_layer.se_block.fc1.weight"]).clamp_min(0)
        excited = F.conv2d(squeezed, state["res_layer.se_block.fc2.weight"])
        result = result / (1 + torch.exp(-excited))
    return result


def shortcut(values: torch.Tensor, state: dict[str, torch.Tensor], stride: int) -> torch.Tensor:
    if "shortcut_layer.0.weight" not in state:
        return values[:, :, ::stride, ::stride]
    result = F.conv2d(values, state["shortcut_layer.0.weight"], stride=stride)
    return normalised(result, state, "shortcut_layer.1")


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(3)
    for value in module.state_dict().values():
        if value.dim() == 4:
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
        elif value.dim() == 1:
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.1)
    return module.double().eval()


@pytest.mark.parametrize("squeeze_excite", [False, True])
@pytest.mark.parametrize("depth", [50, 152])
@pytest.mark.parametrize(
    ("inputs", "outputs", "stride"), [(64, 64, 1), (64, 64, 2), (64, 128, 2), (128, 64, 1)]
)
def test_a_unit_computes_its_formula(
    depth: int, squeeze_excite: bool, inputs: int, outputs: int, stride: int
) -> None:
    config = IResNetConfig(depth, squeeze_excite=squeeze_excite)
    unit = randomised(ResidualUnit(inputs, outputs, stride, config))
    values = torch.randn(2, inputs, 6, 6, generator=torch.Generator().manual_seed(5)).double()
    state = unit.state_dict()
    expected = residual(values, state, stride) + shortcut(values, state, stride)
    with torch.no_grad():
        assert torch.allclose(unit(values), expected, rtol=1e-9)


def conv_unit(prefix: str, inputs: int, outputs: int, kernel: int) -> dict[str, tuple[int, ...]]:
    return {f"{prefix}.weight": (outputs, inputs, kernel, kernel)}


def norm_unit(prefix: str, channels: int, *, affine: bool = True) -> dict[str, tuple[int, ...]]:
    names = ("weight", "bias") if affine else ()
    shapes = {f"{prefix}.{n}": (channels,) for n in (*names, "running_mean", "running_var")}
    return {**shapes, f"{prefix}.num_batches_tracked": ()}


def published_shapes(
    units: tuple[int, ...], widths: tuple[int, ...], bottleneck: bool, squeeze: bool, cells: int
) -> dict[str, tuple[int, ...]]:
    """The keys of net.py's Backbone, written down from its definition."""
    shapes = {**conv_unit("input_layer.0", 3, 64, 3), **norm_unit("input_layer.1", 64)}
    shapes["input_layer.2.weight"] = (64,)
    index, inputs = 0, 64
    for count, width in zip(units, widths, strict=True):
        for _ in range(count):
            shapes |= unit_shapes(f"body.{index}", inputs, width, bottleneck, squeeze)
            index, inputs = index + 1, width
    shapes |= norm_unit("output_layer.0", inputs)
    shapes["output_layer.3.weight"] = (512, inputs * cells * cells)
    shapes["output_layer.3.bias"] = (512,)
    return shapes | norm_unit("output_layer.4", 512, affine=False)


def unit_shapes(
    body: str, inputs: int, width: int, bottleneck: bool, squeeze: bool
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    if inputs != width:
        shapes |= conv_unit(f"{body}.shortcut_layer.0", inputs, width, 1)
        shapes |= norm_unit(f"{body}.shortcut_layer.1", width)
    narrow = width // 4 if bottleneck else width
    first, middle = (1, 3) if bottleneck else (3, 3)
    res = f"{body}.res_layer"
    shapes |= norm_unit(f"{res}.0", inputs) | conv_unit(f"{res}.1", inputs, narrow, first)
    shapes |= norm_unit(f"{res}.2", narrow) | {f"{res}.3.weight": (narrow,)}
    shapes |= conv_unit(f"{res}.4", narrow, narrow, middle) | norm_unit(f"{res}.5", narrow)
    if bottleneck:
        shapes |= {f"{res}.6.weight": (narrow,)}
        shapes |= conv_unit(f"{res}.7", narrow, width, 1) | norm_unit(f"{res}.8", width)
    if squeeze:
        shapes |= conv_unit(f"{res}.se_block.fc1", width, width // 16, 1)
        shapes |= conv_unit(f"{res}.se_block.fc2", width // 16, width, 1)
    return shapes


PUBLISHED = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 14, 3), False),
    101: ((3, 13, 30, 3), False),
    152: ((3, 8, 36, 3), True),
    200: ((3, 24, 36, 3), True),
}


@pytest.mark.parametrize("cells", [7, 14])
@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("depth", PUBLISHED)
def test_every_depth_has_the_published_keys_and_shapes(
    depth: int, squeeze: bool, cells: int
) -> None:
    units, bottleneck = PUBLISHED[depth]
    widths = (256, 512, 1024, 2048) if bottleneck else (64, 128, 256, 512)
    with torch.device("meta"):
        network = IResNet(IResNetConfig(depth, squeeze_excite=squeeze, cells=cells))
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert own == published_shapes(units, widths, bottleneck, squeeze, cells)


@pytest.mark.parametrize("form", ["sequential", "named"])
def test_the_occlusion_branch_computes_its_formula(form: str) -> None:
    branch = OcclusionBranch(8, "named" if form == "named" else "sequential")
    network = IResNet(IResNetConfig(18, embedding_dim=16, occlusion=branch)).double().eval()
    names = ("conv1", "bn1", "conv2") if form == "named" else ("conv.0", "conv.1", "conv.3")
    state = network.state_dict()
    assert {k.rpartition(".")[0] for k in state if k.startswith("occlusion_head.")} == {
        f"occlusion_head.{name}" for name in names
    }
    pixels = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1)).double()
    first, norm, last = (f"occlusion_head.{name}" for name in names)
    with torch.no_grad():
        features, visible = network(pixels)
        values = network.body(network.input_layer(pixels))
        hidden = F.conv2d(values, state[f"{first}.weight"], padding=1)
        hidden = normalised(hidden, state, norm).clamp_min(0)
        logits = F.conv2d(hidden, state[f"{last}.weight"], state[f"{last}.bias"])
    assert features.shape == (2, 16)
    assert visible.shape == (2, 1, 7, 7)
    assert torch.allclose(visible, 1 / (1 + torch.exp(-logits)), rtol=1e-9)


def test_a_norm_with_weights_is_built_when_the_checkpoint_has_them() -> None:
    with torch.device("meta"):
        plain, affine = (IResNet(IResNetConfig(18, affine=a)) for a in (False, True))
    extra = affine.state_dict().keys() - plain.state_dict().keys()
    assert extra == {"output_layer.4.weight", "output_layer.4.bias"}
