"""One real evaluation that the tests of figures, report and tables share."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.evaluate import Evaluated, evaluate
from faceport.benchmarks.accuracy.settings import Settings


@pytest.fixture(scope="session")
def people_settings(
    recognisers: dict[str, Path], detectors: dict[str, Path], photos: Path
) -> Settings:
    """The 112×96 recogniser over five people, in two engines and one that is not there."""
    return Settings(
        bundle=str(recognisers["blocks"]),
        listing=str(photos / "identities" / "train"),
        detector=str(detectors["scrfd"]),
        sessions="onnxruntime/cpu,torchscript/cpu,torchscript/cuda,tensorrt",
        threads=1,
        timing_rounds=2,
    )


@pytest.fixture(scope="session")
def crop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation") / "crops"


@pytest.fixture(scope="session")
def evaluated(people_settings: Settings, crop_folder: Path) -> Evaluated:
    return evaluate(people_settings, cache=crop_folder)
