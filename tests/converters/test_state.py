from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from faceport.converters.state import PREFIXES, WRAPPERS, network_state
from faceport.errors import CheckpointReadError, KeyMismatchError

NETWORK = {"body.0.weight": torch.ones(2), "body.1.weight": torch.ones(3), "bn.bias": torch.ones(1)}


@given(
    wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=3),
    prefixes=st.lists(st.sampled_from(sorted(PREFIXES)), max_size=3),
)
def test_wrappers_and_prefixes_come_off(wrappers: list[str], prefixes: list[str]) -> None:
    prefix = "".join(f"{part}." for part in prefixes)
    content: Any = {prefix + key: value for key, value in NETWORK.items()}
    for wrapper in wrappers:
        content = {"epoch": 7, wrapper: content, "optimizer": {"state": torch.ones(1)}}
    state = network_state(content, "a.pth")
    assert state.tensors == NETWORK
    assert state.names == {key: prefix + key for key in NETWORK}
    assert state.warnings == ()


def test_a_head_beside_the_network_keeps_its_name() -> None:
    inside = {f"model.{key}": value for key, value in NETWORK.items()}
    state = network_state({"state_dict": {**inside, "head.kernel": torch.ones(2, 9)}}, "a.ckpt")
    assert set(state.tensors) == {*NETWORK, "head.kernel"}
    assert state.names["head.kernel"] == "head.kernel"
    assert state.names["bn.bias"] == "model.bn.bias"


def test_a_head_loses_the_prefix_that_it_shares() -> None:
    inside = {f"module.model.{key}": value for key, value in NETWORK.items()}
    state = network_state({**inside, "module.head.kernel": torch.ones(2)}, "a.pth")
    assert state.names["head.kernel"] == "module.head.kernel"
    assert state.names["bn.bias"] == "module.model.bn.bias"


def test_a_prefix_of_only_a_part_is_a_name() -> None:
    part = {"model.weight": torch.ones(1), **NETWORK}
    assert set(network_state(part, "a.pth").tensors) == set(part)


def test_keys_that_would_fall_together_are_refused() -> None:
    inside = {f"model.{key}": value for key, value in NETWORK.items()}
    with pytest.raises(KeyMismatchError, match=r"model\.bn\.bias and bn\.bias"):
        network_state({**inside, "bn.bias": torch.ones(1)}, "a.pth")


def test_two_heads_of_one_name_are_not_lost_in_silence() -> None:
    inside = {f"module.model.{key}": value for key, value in NETWORK.items()}
    heads = {"head.kernel": torch.ones(1), "module.head.kernel": torch.ones(1)}
    with pytest.raises(KeyMismatchError, match=r"head\.kernel and module\.head\.kernel"):
        network_state({**inside, **heads}, "a.pth")


def test_a_weight_that_is_called_like_a_prefix_stays() -> None:
    assert set(network_state({"model": torch.ones(1)}, "a.pth").tensors) == {"model"}


def test_nested_dictionaries_become_dotted_keys() -> None:
    content = {"body": {"0": {"weight": torch.ones(2)}}, "bn": {"bias": torch.ones(1)}}
    assert set(network_state(content, "a.pth").tensors) == {"body.0.weight", "bn.bias"}


def test_a_second_network_is_named_in_a_warning() -> None:
    state = network_state({"model": NETWORK, "ema": NETWORK, "optimizer": NETWORK}, "a.pth")
    assert state.warnings == ("the checkpoint also holds 'ema', which was left out",)


def test_a_whole_module_gives_its_state() -> None:
    module = nn.Sequential(nn.Linear(2, 3))
    assert set(network_state({"model": module}, "a.pt").tensors) == {"0.weight", "0.bias"}
    assert set(network_state(module, "a.pt").tensors) == {"0.weight", "0.bias"}


def test_what_is_no_tensor_does_not_count() -> None:
    state = network_state({**NETWORK, "epoch": 3, "note": "x", "classes": ["a"]}, "a.pth")
    assert set(state.tensors) == set(NETWORK)


@pytest.mark.parametrize(
    ("content", "received"),
    [
        ({}, "a dictionary of nothing"),
        ({"epoch": 3}, r"a dictionary of epoch \(int\)"),
        ([torch.ones(1)], "an object of type list"),
        (torch.ones(1), "an object of type Tensor"),
        ({"optimizer": {"state": torch.ones(1)}}, r"a dictionary of optimizer \(dict\)"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(content: object, received: str) -> None:
    with pytest.raises(CheckpointReadError, match=rf"a\.pth holds no weights; received {received}"):
        network_state(content, "a.pth")
