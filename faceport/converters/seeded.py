"""A checkpoint that needs no download: a MobileFaceNet whose weights come from a seed.

It shows the whole path and tells no identities: its embeddings mean nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faceport.atomic import atomic_file
from faceport.converters.meta import on_meta
from faceport.errors import CheckpointError, MissingDependencyError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

CALIBRATION_IMAGES = 16
SIZE = 112
PRELU_SLOPE = 0.25


def write_seeded_checkpoint(path: str | Path, seed: int = 0) -> None:
    """Write a flat-layout MobileFaceNet state dict, 512-d, that depends on the seed only.

    Raises:
        CheckpointError: the file can't be written.
        MissingDependencyError: torch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingDependencyError("torch", "export") from error
    state = _state(seed)
    with atomic_file(Path(path), CheckpointError) as partial, partial.open("wb") as handle:
        torch.save(state, handle)


def _state(seed: int) -> dict[str, torch.Tensor]:
    import torch

    from faceport.models.mobilefacenet_flat import mobilefacenet_flat

    rng = np.random.default_rng(seed)
    network = on_meta(mobilefacenet_flat)
    weights = {
        key: torch.from_numpy(_value(key, tuple(value.shape), rng))
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    _calibrate(network, rng)
    return network.state_dict()


def _value(key: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.generic]:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) > 1:
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        return rng.normal(0, deviation, shape).astype(np.float32)
    if key.endswith("prelu.weight"):
        return np.full(shape, PRELU_SLOPE, np.float32)
    ones = key.endswith(("weight", "running_var"))
    return np.full(shape, float(ones), np.float32)


def _calibrate(network: torch.nn.Module, rng: np.random.Generator) -> None:
    """Give the batch normalisations the statistics of smooth random pictures.

    With made-up statistics every picture would get nearly the same embedding.
    """
    import torch

    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            part.momentum = None
    coarse = torch.from_numpy(rng.normal(0, 0.6, (CALIBRATION_IMAGES, 3, 14, 14)))
    pictures = torch.nn.functional.interpolate(coarse.float(), (SIZE, SIZE), mode="bilinear")
    with torch.no_grad():
        network.train()(pictures)
