from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceport.converters import ConvertOptions, convert
from faceport.converters.recognise import recognise
from faceport.converters.state import NetworkState
from faceport.errors import KeyMismatchError
from faceport.models.mobilefacenet_blocks import mobilefacenet_blocks
from faceport.models.mobilefacenet_features import mobilefacenet_features
from faceport.models.mobilefacenet_flat import mobilefacenet_flat, mobilefacenet_landmarks

MetaState = Callable[[torch.nn.Module], NetworkState]
State = dict[str, torch.Tensor]


@pytest.mark.parametrize(("kernel", "width"), [((7, 7), 112), ((7, 6), 96)])
@pytest.mark.parametrize("dim", [64, 128, 512])
@pytest.mark.parametrize(
    ("build", "arch"),
    [
        (mobilefacenet_flat, "mobilefacenet_flat"),
        (mobilefacenet_blocks, "mobilefacenet_blocks"),
        (mobilefacenet_features, "mobilefacenet_features"),
    ],
)
def test_layout_width_and_kernel_are_found(
    build: Callable[..., torch.nn.Module],
    arch: str,
    dim: int,
    kernel: tuple[int, int],
    width: int,
    meta_state: MetaState,
) -> None:
    with torch.device("meta"):
        state = meta_state(build(dim, kernel))
    plan = recognise(state, ConvertOptions())
    assert (plan.arch, plan.features) == (arch, dim)
    assert (plan.preprocess.height, plan.preprocess.width) == (112, width)
    assert {k: v.shape for k, v in plan.network.state_dict().items()} == {
        key: value.shape for key, value in state.tensors.items()
    }


def test_a_last_convolution_without_bias_is_found(meta_state: MetaState) -> None:
    with torch.device("meta"):
        state = meta_state(mobilefacenet_features(bias=False))
    plan = recognise(state, ConvertOptions())
    assert "conv3.bias" not in plan.network.state_dict()


def test_the_regressor_is_told_from_the_recogniser(meta_state: MetaState) -> None:
    with torch.device("meta"):
        state = meta_state(mobilefacenet_landmarks())
    plan = recognise(state, ConvertOptions())
    assert (plan.arch, plan.task, plan.features) == ("mobilefacenet_landmarks68", "landmarks", 136)
    features = recognise(state, ConvertOptions(head="features"))
    assert (features.task, features.features) == ("embedder", 512)


@pytest.mark.parametrize(
    "key", ["conv_23.conv.conv.weight", "linear.weight", "bn.running_var", "conv1.prelu.weight"]
)
def test_a_missing_key_is_named(key: str, flat_state: State, save: Callable[..., Path]) -> None:
    del flat_state[key]
    with pytest.raises(KeyMismatchError, match=f"{key} is missing".replace(".", r"\.")):
        convert(save(flat_state))


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("conv1.conv.weight", (32, 3, 3, 3)),
        ("linear.weight", (512,)),
        ("linear.weight", (128, 512)),
        ("conv_6_dw.conv.weight", (512, 1, 5, 5)),
        ("conv_6_dw.conv.weight", (512, 512)),
        ("conv1.prelu.weight", (1,)),
    ],
)
def test_a_wrong_shape_is_named(
    key: str, shape: tuple[int, ...], flat_state: State, save: Callable[..., Path]
) -> None:
    flat_state[key] = torch.ones(shape)
    with pytest.raises(KeyMismatchError, match=r"mobilefacenet_flat .*has shape \["):
        convert(save(flat_state))


def test_an_extra_key_is_named(flat_state: State, save: Callable[..., Path]) -> None:
    flat_state["conv_7.conv.weight"] = torch.ones(1)
    with pytest.raises(KeyMismatchError, match=r"conv_7\.conv\.weight has no place"):
        convert(save(flat_state))


def test_another_number_of_points_is_no_known_regressor(
    weights: Path, save: Callable[..., Path]
) -> None:
    file = torch.load(weights / "mobilefacenet_model_best.pth.tar", weights_only=True)
    file["state_dict"]["output_layer.linear.weight"] = torch.ones(196, 512)
    with pytest.raises(KeyMismatchError, match=r"\[196, 512\] where \[136, 512\] belongs"):
        convert(save(file))
