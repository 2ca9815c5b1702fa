"""The three real detectors, opened, and a session that gives what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.runtime.detectors import FaceDetector, open_detector
from faceport.spec import DetectorSpec, ModelSpec, PreprocessSpec, Source, TensorSpec


@pytest.fixture(scope="session")
def opened(detectors: dict[str, Path]) -> dict[str, FaceDetector]:
    """Family to its real detector, default thresholds."""
    return {family: open_detector(path) for family, path in detectors.items()}


@dataclass
class SessionDouble:
    """A session that computes with a function and remembers its feeds."""

    compute: Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.generic]]]
    spec: ModelSpec | None = None
    backend: str = "double"
    provider: str = "cpu"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("images", "float32", ("batch", 3, 64, 64)),)
    outputs: tuple[TensorSpec, ...] = ()
    fed: list[NDArray[np.float32]] = field(default_factory=list)
    closed: int = 0

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
        (tensor,) = feeds.values()
        self.fed.append(tensor)
        return dict(self.compute(tensor))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def session_double() -> type[SessionDouble]:
    return SessionDouble


def model_spec(
    detector: DetectorSpec, preprocess: PreprocessSpec, max_batch: int | None = None
) -> ModelSpec:
    """A detector's spec with nothing in it that a test does not need."""
    size = (preprocess.height, preprocess.width)
    return ModelSpec(
        task="detector",
        family=detector.decoder,
        arch="onnx",
        preprocess=preprocess,
        inputs=(TensorSpec("images", "float32", ("batch", 3, *size)),),
        outputs=(TensorSpec("anything", "float32", ("batch",)),),
        source=Source("model.onnx", "0" * 64),
        weights_sha256="0" * 64,
        max_batch=max_batch,
        detector=detector,
    )


@pytest.fixture
def spec_of() -> Callable[..., ModelSpec]:
    return model_spec
