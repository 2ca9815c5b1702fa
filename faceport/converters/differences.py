"""How a checkpoint's keys differ from a network's, in words and as a fraction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from faceport.converters.conversion import Plan, Shapes

if TYPE_CHECKING:
    import torch

SHOWN = 5
COUNTER = "num_batches_tracked"
"""How a key ends that older checkpoints do not have, and that inference does not use."""


def shapes_of(network: torch.nn.Module) -> Shapes:
    """Return the keys that a network must be filled with, and their shapes."""
    return {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if not key.endswith(COUNTER)
    }


def expected_of(plan: Plan) -> Shapes:
    """Return the keys that a checkpoint must have for a plan, and their shapes."""
    return shapes_of(plan.network) if plan.expected is None else plan.expected


def fit(expected: Shapes, shapes: Shapes) -> float:
    """Return the part of the expected keys that are there with the right shape, 0 to 1."""
    return sum(shapes.get(key) == shape for key, shape in expected.items()) / len(expected)


def overlap(expected: Shapes, shapes: Shapes) -> float:
    """Return how much two sets of keys have in common by name, 0 to 1 (the Jaccard index)."""
    names = {key for key in shapes if not key.endswith(COUNTER)}
    return len(names & expected.keys()) / max(len(names | expected.keys()), 1)


def differences(expected: Shapes, shapes: Shapes, extra: Iterable[str]) -> list[str]:
    """Describe each missing key, each of another shape, and those of `extra`."""
    missing = [f"{key} is missing" for key in expected if key not in shapes]
    wrong = [
        f"{key} has shape {list(shapes[key])} where {list(shape)} belongs"
        for key, shape in expected.items()
        if key in shapes and shapes[key] != shape
    ]
    return [*missing, *wrong, *(f"{key} has no place" for key in extra)]


def first_few(lines: list[str]) -> str:
    """Join the first lines and count the rest."""
    rest = len(lines) - SHOWN
    return ", ".join(lines[:SHOWN]) + (f", and {rest} more" if rest > 0 else "")
