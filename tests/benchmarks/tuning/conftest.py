"""Setups and candidates that nobody measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.tuning.results import BatchTime, Candidate
from faceport.benchmarks.tuning.setups import Setup

ORT = SessionChoice("onnxruntime", "cpu")


@pytest.fixture
def setup() -> Setup:
    return Setup(Path("a.bundle"), "model.onnx", "0" * 64, "onnx", "fp32", ORT, 1)


@pytest.fixture
def candidate(setup: Setup) -> Any:
    """Makes candidates: `name` of the artefact, and milliseconds by batch."""

    def make(name: str = "model.onnx", out: str = "", **times: float) -> Candidate:
        own = tuple(BatchTime(int(key[1:]), value) for key, value in times.items())
        return Candidate(replace(setup, artefact=name), own, 1e-5, out=out)

    return make
