from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from faceport.converters.conversion import ConvertOptions
from faceport.converters.recognise import check_options, recognise
from faceport.converters.state import NetworkState, network_state
from faceport.errors import InputError, UnknownArchitectureError
from faceport.models.iresnet import IResNet
from faceport.models.iresnet_config import IResNetConfig

State = dict[str, torch.Tensor]


def as_state(tensors: State) -> NetworkState:
    return network_state(tensors, "a.pth")


def test_a_few_wrong_keys_do_not_hide_the_family(flat_state: State) -> None:
    for key in list(flat_state)[:20]:
        del flat_state[key]
    assert recognise(as_state(flat_state), ConvertOptions()).arch == "mobilefacenet_flat"


def test_many_wrong_shapes_do(flat_state: State) -> None:
    pruned = {
        key: value[: len(value) // 2] if value.dim() else value for key, value in flat_state.items()
    }
    with pytest.raises(UnknownArchitectureError, match="the closest is mobilefacenet"):
        recognise(as_state(pruned), ConvertOptions())


def test_a_sibling_of_adaface_is_refused_by_name() -> None:
    """InsightFace_Pytorch's IR-SE-50: the same names, no normalisation between convolutions."""
    with torch.device("meta"):
        own = IResNet(IResNetConfig(50, squeeze_excite=True)).state_dict()
    moved = {"3": "2", "4": "3", "5": "4", "se_block": "5"}
    sibling: State = {}
    for key, value in own.items():
        parts = key.split(".")
        if parts[0] == "body" and parts[2] == "res_layer":
            if parts[3] == "2":
                continue
            parts[3] = moved.get(parts[3], parts[3])
        sibling[".".join(parts)] = value
    with pytest.raises(UnknownArchitectureError, match="the closest is adaface"):
        recognise(as_state(sibling), ConvertOptions())


def test_keys_like_none_have_no_closest_family() -> None:
    state = as_state({f"layer{i}.weight": torch.ones(1) for i in range(9)})
    with pytest.raises(UnknownArchitectureError) as caught:
        recognise(state, ConvertOptions())
    assert "none is close" in str(caught.value)
    assert "9 keys: layer0.weight, layer1.weight" in str(caught.value)


def test_an_architecture_asked_for_is_taken(meta_state: Callable[..., NetworkState]) -> None:
    with torch.device("meta"):
        state = meta_state(IResNet(IResNetConfig(34)))
    assert recognise(state, ConvertOptions()).arch == "ir_34"
    assert recognise(state, ConvertOptions(arch="ir_se_101")).arch == "ir_se_101"
    assert recognise(state, ConvertOptions(family="mobilefacenet")).family == "mobilefacenet"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ConvertOptions(family="resnet"), "no such family; received resnet"),
        (ConvertOptions(arch="ir_42"), "no such architecture; received ir_42"),
        (ConvertOptions(head="age"), "no such head; received age"),
        (ConvertOptions(family="adaface", arch="mobilefacenet_flat"), "not of that family"),
        (ConvertOptions(family="adaface", head="features"), "no such head"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(options: ConvertOptions, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_options(options)
    assert "one of" in str(caught.value)


@pytest.mark.parametrize("field", ["family", "arch", "head"])
def test_names_of_layouts_pass(field: str) -> None:
    names = {"family": "adaface", "arch": "ir_101", "head": "features"}
    check_options(replace(ConvertOptions(), **{field: names[field]}))


def test_a_head_that_the_network_does_not_have_is_refused(flat_state: State) -> None:
    with pytest.raises(InputError, match="no such head for this network"):
        recognise(as_state(flat_state), ConvertOptions(head="features"))
