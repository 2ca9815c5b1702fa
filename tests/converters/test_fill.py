from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from faceport.converters.conversion import Plan
from faceport.converters.fill import TRAINING_HEADS, fill
from faceport.converters.meta import on_meta
from faceport.converters.state import network_state
from faceport.errors import CheckpointReadError, KeyMismatchError
from faceport.spec import PreprocessSpec


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3))


def plan(unused: tuple[str, ...] = ()) -> Plan:
    return Plan(
        family="tiny",
        arch="tiny_3",
        task="embedder",
        network=on_meta(partial(network)),
        preprocess=PreprocessSpec(8, 8, "rgb", (0.0,) * 3, (1.0,) * 3, "crop"),  # type: ignore[arg-type]
        origin="someone/tiny",
        license="",
        features=3,
        unused=unused,
    )


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dict(network().state_dict())


def test_every_weight_arrives(state: dict[str, torch.Tensor]) -> None:
    own = plan()
    _, dropped = fill(own, network_state(state, "a.pth"))
    assert dropped == ()
    assert all(own.network.state_dict()[key].equal(value) for key, value in state.items())
    assert not own.network.training


def test_counters_may_be_missing(state: dict[str, torch.Tensor]) -> None:
    del state["1.num_batches_tracked"]
    own = plan()
    fill(own, network_state(state, "a.pth"))
    assert own.network.state_dict()["1.num_batches_tracked"].item() == 0


def test_missing_wrong_and_unknown_keys_are_all_named(state: dict[str, torch.Tensor]) -> None:
    del state["1.bias"]
    state["0.weight"] = torch.ones(3, 5)
    state["branch.weight"] = torch.ones(1)
    with pytest.raises(KeyMismatchError) as caught:
        fill(plan(), network_state(state, "a.pth"))
    message = str(caught.value)
    assert "a.pth does not fit tiny_3 (someone/tiny)" in message
    assert "1.bias is missing" in message
    assert "0.weight has shape [3, 5] where [3, 4] belongs" in message
    assert "branch.weight has no place" in message


def test_an_unknown_branch_alone_is_called_one(state: dict[str, torch.Tensor]) -> None:
    state["visibility.conv.weight"] = torch.ones(1)
    with pytest.raises(KeyMismatchError, match="a branch that tiny_3 does not have: visibility"):
        fill(plan(), network_state(state, "a.pth"))


@pytest.mark.parametrize("head", TRAINING_HEADS)
def test_training_heads_are_dropped_by_name(head: str, state: dict[str, torch.Tensor]) -> None:
    state[f"{head}.weight"] = torch.ones(9, 3)
    _, dropped = fill(plan(), network_state(state, "a.pth"))
    assert dropped == (f"{head}.weight",)


def test_what_a_plan_leaves_unused_is_dropped_by_name(state: dict[str, torch.Tensor]) -> None:
    state["matcher.bn.weight"] = torch.ones(1)
    _, dropped = fill(plan(unused=("matcher.",)), network_state(state, "a.pth"))
    assert dropped == ("matcher.bn.weight",)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(
    dtype: torch.dtype, state: dict[str, torch.Tensor]
) -> None:
    expected = state["0.weight"].to(dtype).float()
    state["0.weight"] = state["0.weight"].to(dtype)
    own = plan()
    fill(own, network_state(state, "a.pth"))
    filled = own.network.state_dict()["0.weight"]
    assert filled.dtype == torch.float32
    assert filled.equal(expected)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), torch.tensor(1e300, dtype=torch.float64)]
)
def test_a_weight_that_is_not_finite_as_float32_is_named(
    value: float | torch.Tensor, state: dict[str, torch.Tensor]
) -> None:
    state["0.weight"] = state["0.weight"].double()
    state["0.weight"][1, 2] = value
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
    with pytest.raises(CheckpointReadError, match=r"module\.0\.weight of a\.pth is not finite"):
        fill(plan(), network_state(wrapped, "a.pth"))


def test_quantised_and_sparse_weights_are_refused(state: dict[str, torch.Tensor]) -> None:
    for strange in (torch.ones(3, 4, dtype=torch.int8), state["0.weight"].to_sparse()):
        with pytest.raises(CheckpointReadError, match="dense floating point"):
            fill(plan(), network_state({**state, "0.weight": strange}, "a.pth"))


def test_the_hash_is_of_names_and_values_only(state: dict[str, torch.Tensor]) -> None:
    def hashed(tensors: dict[str, torch.Tensor]) -> str:
        return fill(plan(), network_state(tensors, "a.pth"))[0]

    first = hashed(state)
    transposed = {**state, "0.weight": state["0.weight"].T.contiguous().T}
    assert not transposed["0.weight"].is_contiguous()
    counted = {**state, "1.num_batches_tracked": torch.tensor(99)}
    reordered = dict(reversed(state.items()))
    headed = {**state, "head.kernel": torch.ones(1)}
    assert {hashed(s) for s in (transposed, counted, reordered, headed)} == {first}
    nudged = state["0.weight"].clone()
    nudged[0, 0] = float(np.nextafter(np.float32(nudged[0, 0]), np.float32(9)))
    assert hashed({**state, "0.weight": nudged}) != first
