"""A real checkpoint's weights, and the means to write them in other ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from faceport.converters.state import NetworkState, network_state

State = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def flat_file(weights: Path) -> Path:
    return weights / "mobilefacenet_flat_112x112_512d.pth"


@pytest.fixture(scope="session")
def flat_weights(flat_file: Path) -> State:
    state: State = torch.load(flat_file, weights_only=True)
    return state


@pytest.fixture
def flat_state(flat_weights: State) -> State:
    """A dictionary of its own over the real weights, for tests that change it."""
    return dict(flat_weights)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Any, name: str = "checkpoint.pth", **options: Any) -> Path:
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def meta_state() -> Callable[[torch.nn.Module], NetworkState]:
    """Gives a network's own keys and shapes as a checkpoint's, without any memory."""

    def build(network: torch.nn.Module) -> NetworkState:
        return network_state(network.state_dict(), "meta.pth")

    return build
