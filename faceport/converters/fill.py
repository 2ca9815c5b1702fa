"""Fill a network with a checkpoint's weights: every key used, or named as a dropped head."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from faceport.converters.conversion import Plan
from faceport.converters.differences import COUNTER, differences, expected_of, first_few
from faceport.errors import CheckpointReadError, KeyMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from faceport.converters.state import NetworkState

TRAINING_HEADS = (
    *("head", "heads", "fc", "classifier", "logits", "prob", "product", "kernel", "partial_fc"),
    *("arcface", "cosface", "adaface", "margin", "margin_fc", "metric", "metric_fc"),
    *("loss", "loss_fn", "loss_func", "criterion"),
)
"""First parts of keys that belong to a training loss: classes, centres, margins."""


def fill(plan: Plan, state: NetworkState) -> tuple[str, tuple[str, ...]]:
    """Give the plan's network its weights, as float32.

    Returns:
        The hash of the weights used, and the keys that were dropped, by their names in the file.

    Raises:
        KeyMismatchError: a key is missing, of another shape, or has no place.
        CheckpointReadError: a weight is no finite real number.
    """
    network = plan.network
    known = network.state_dict() if plan.expected is None else plan.expected
    extra = [key for key in state.tensors if key not in known]
    dropped = [key for key in extra if _is_head(key, plan)]
    _check(plan, state, [key for key in extra if key not in dropped])
    used = {
        key: _as_float32(f"{state.names[key]} of {state.file}", state.tensors[key])
        for key in expected_of(plan)
    }
    weights = used if plan.adapt is None else plan.adapt(used)
    for key, values in weights.items():
        _check_finite(f"{state.names.get(key, key)} of {state.file}", values)
    filled = network.state_dict()
    # In place: the dictionary also says which versions its layers' states are of.
    filled.clear()
    filled.update({**weights, **_counters(plan, state)})
    network.load_state_dict(filled, assign=True)
    network.requires_grad_(False).eval()
    return _hash(weights), tuple(state.names[key] for key in dropped)


def _is_head(key: str, plan: Plan) -> bool:
    return key.split(".", 1)[0] in TRAINING_HEADS or key.startswith(plan.unused)


def _check(plan: Plan, state: NetworkState, unknown: list[str]) -> None:
    lines = differences(expected_of(plan), state.shapes, unknown)
    if not lines:
        return
    only_unknown = len(lines) == len(unknown)
    branches = ", ".join(dict.fromkeys(key.split(".", 1)[0] for key in unknown))
    raise KeyMismatchError(
        f"{state.file} holds a branch that {plan.arch} does not have: {branches}"
        if only_unknown
        else f"{state.file} does not fit {plan.arch} ({plan.origin})",
        received=first_few(lines),
        expected=f"the {len(expected_of(plan))} keys of {plan.arch}, and training heads",
        fix="save the checkpoint without what does not belong, or name the right --arch",
    )


def _counters(plan: Plan, state: NetworkState) -> Mapping[str, torch.Tensor]:
    import torch

    keys = [key for key in plan.network.state_dict() if key.endswith(COUNTER)]
    return {key: state.tensors.get(key, torch.zeros((), dtype=torch.int64)) for key in keys}


def _as_float32(name: str, tensor: torch.Tensor) -> torch.Tensor:
    import torch

    stored = tensor.layout is torch.strided and not tensor.is_meta
    if not tensor.is_floating_point() or not stored:
        raise CheckpointReadError(
            f"the weight {name} is not usable",
            received=f"{tensor.dtype}, {tensor.layout}",
            expected="dense floating point numbers that are in the file",
            fix="take the checkpoint from before it was quantised or emptied",
        )
    return tensor.detach().to(torch.float32).contiguous()


def _check_finite(name: str, values: torch.Tensor) -> None:
    import torch

    if not bool(torch.isfinite(values).all()):
        raise CheckpointReadError(
            f"the weight {name} is not finite",
            received="NaN or infinity as float32",
            expected="finite numbers",
            fix="the training diverged or the file is damaged: take another checkpoint",
        )


def _hash(used: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for key in sorted(used):
        values = used[key].numpy()
        digest.update(f"{key}\0{values.dtype.name}\0{values.shape}\0".encode())
        digest.update(values.data)
    return digest.hexdigest()
