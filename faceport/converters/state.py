"""From what a checkpoint file holds to the tensors of one network.

Training scripts wrap a state dict in dictionaries and prefixes of their own; a loss with weights
often lies beside the network. The network's keys come out bare; what lies beside keeps its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faceport.converters.conversion import Shapes
from faceport.errors import CheckpointReadError, KeyMismatchError

if TYPE_CHECKING:
    import torch

WRAPPERS = (
    "state_dict",
    "net_state_dict",
    "model_state_dict",
    "model",
    "ema",
    "weights",
    "backbone",
    "network",
    "net",
)
"""Dictionary keys that hold the network, the likeliest first."""

PROJECTIONS = ("projection", "projector", "proj")
"""Dictionary keys beside a network that hold its last layer: to lose that would change answers."""

TRAINING_STATE = (
    "optim",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "amp",
    "callbacks",
    "loops",
    "hyper_parameters",
)
"""How the dictionary keys begin that hold the state of a training run."""

SHOWN = 5

DEEPEST = 60
"""Dictionaries nested deeper hold no network, and one that holds itself has no end."""

PREFIXES = frozenset(
    {"module", "model", "backbone", "net", "encoder", "_orig_mod", "dinov3", "dino", "vit"}
)


@dataclass(frozen=True)
class NetworkState:
    """The tensors of a checkpoint.

    Attributes:
        file: the checkpoint's name.
        tensors: by key, the network's without wrappers and prefixes.
        names: from those keys to the names in the file.
        warnings: what was found and left out.
    """

    file: str
    tensors: Mapping[str, torch.Tensor]
    names: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def shapes(self) -> Shapes:
        """The tensors' shapes."""
        return {key: tuple(tensor.shape) for key, tensor in self.tensors.items()}


def network_state(raw: object, file: str) -> NetworkState:
    """Find the network in what a checkpoint file holds; `file` names it in messages.

    Raises:
        CheckpointReadError: there are no tensors.
        KeyMismatchError: two keys become one when their prefixes are taken away.
    """
    inner, left_out = _unwrapped(_as_mapping(raw))
    tensors = dict(_flattened(inner))
    if not tensors:
        raise CheckpointReadError(
            f"{file} holds no weights",
            received=_glimpse(raw),
            expected="a state dict: names to tensors",
            fix="save model.state_dict() with torch.save or safetensors",
        )
    names = _bare_names(tensors, file)
    warnings = tuple(f"the checkpoint also holds {name!r}, which was left out" for name in left_out)
    bare = {key: tensors[name] for key, name in names.items()}
    return NetworkState(file, bare, names, warnings)


def _as_mapping(raw: object) -> Mapping[Any, Any]:
    import torch

    if isinstance(raw, torch.nn.Module):
        return raw.state_dict()
    return raw if isinstance(raw, Mapping) else {}


def _unwrapped(mapping: Mapping[Any, Any]) -> tuple[Mapping[Any, Any], list[str]]:
    for wrapper in WRAPPERS:
        inner = _as_mapping(mapping.get(wrapper))
        if next(_flattened(inner), None) is None:
            continue
        beside = {
            str(key): value
            for key, value in mapping.items()
            if key != wrapper
            and not str(key).startswith(TRAINING_STATE)
            and next(_flattened(_as_mapping(value)), None) is not None
        }
        innermost, left_out = _unwrapped(inner)
        kept = {key: value for key, value in beside.items() if key in PROJECTIONS}
        lost = [key for key in beside if key not in kept]
        return {**innermost, **kept}, [*lost, *left_out]
    return mapping, []


def _flattened(mapping: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of nested dictionaries under dotted keys, without training state."""
    import torch

    for key, value in mapping.items():
        if isinstance(value, torch.Tensor):
            yield f"{prefix}{key}", value
        elif not str(key).startswith(TRAINING_STATE) and prefix.count(".") < DEEPEST:
            yield from _flattened(_as_mapping(value), f"{prefix}{key}.")


def _bare_names(tensors: Mapping[str, object], file: str) -> dict[str, str]:
    """Map bare keys to names: a prefix goes while most of the keys that are left have it."""
    inside = [(name, name) for name in tensors]
    beside: list[tuple[str, str]] = []
    while True:
        first, _ = Counter(key.split(".", 1)[0] for key, _ in inside).most_common(1)[0]
        prefix = f"{first}."
        if first not in PREFIXES or all(key == first for key, _ in inside):
            break
        beside += [(key, name) for key, name in inside if not key.startswith(prefix)]
        inside = [(key.removeprefix(prefix), n) for key, n in inside if key.startswith(prefix)]
    names: dict[str, str] = {}
    for key, name in (*inside, *beside):
        if key in names:
            raise KeyMismatchError(
                f"two keys of {file} are the same without their prefixes",
                received=f"{names[key]} and {name}",
                expected="one network, and heads beside it",
                fix="save the network's state dict alone",
            )
        names[key] = name
    return names


def _glimpse(raw: object) -> str:
    if not isinstance(raw, Mapping):
        return f"an object of type {type(raw).__name__}"
    entries = [f"{key} ({type(value).__name__})" for key, value in raw.items()]
    return f"a dictionary of {', '.join(entries[:SHOWN]) or 'nothing'}"
