"""Networks and the outputs that their original authors' code computed from known weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small networks run faster on one thread, above all where several test runs share cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Golden:
    """Images (N, H, W, 3) uint8 RGB, the original's embeddings, and a bare state dict."""

    images: NDArray[np.uint8]
    embeddings: NDArray[np.float32]
    state: dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def golden(reference: Path, synthetic_checkpoint: Callable[[str], Path]) -> Callable[[str], Golden]:
    """Loads the golden outputs of a reference layout, by its name."""

    def load(layout: str) -> Golden:
        with np.load(reference / "golden" / f"{layout}.npz") as file:
            (size,) = [key.rpartition("_")[2] for key in file if key.startswith("image")]
            images, embeddings = file[f"image_rgb_{size}"], file[f"embedding_{size}"]
        state = torch.load(synthetic_checkpoint(layout), weights_only=True)
        for wrapper in ("state_dict", "net_state_dict"):
            state = state.get(wrapper, state)
        bare = {
            key.removeprefix("model."): value
            for key, value in state.items()
            if not key.startswith("head.")
        }
        return Golden(images, embeddings, bare)

    return load
