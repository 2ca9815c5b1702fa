from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.tuning.choosing import choose, device_file, judged
from faceport.benchmarks.tuning.results import Goal
from faceport.errors import InputError
from faceport.runtime.device import device_id

GOAL = Goal(0.001)


class FakeBundle:
    path = Path("a.bundle")

    class spec:
        fingerprint = "f" * 64


BUNDLE: Any = FakeBundle()


@pytest.mark.parametrize("loss", [-0.1, 2.1, float("nan")])
def test_an_impossible_limit_is_refused(loss: float) -> None:
    with pytest.raises(InputError, match="0 to 2"):
        Goal(loss)


def test_the_fastest_that_is_not_out_is_chosen(candidate: Any) -> None:
    fast, slow = candidate("fast", b1=1.0, b8=16.0), candidate("slow", b1=2.0, b8=8.0)
    gone = candidate("gone", out="loss above the limit", b1=0.5)
    assert choose(BUNDLE, [slow, gone, fast, None], GOAL) is fast
    assert choose(BUNDLE, [slow, gone, fast], replace(GOAL, objective="throughput")) is slow


def test_nothing_within_the_limit_is_an_error_that_says_what_there_was(candidate: Any) -> None:
    gone = candidate("gone", out="loss above the limit", b1=0.5)
    with pytest.raises(InputError, match=r"gone in .*1 thread: loss above.*1\.0e-05"):
        choose(BUNDLE, [gone, None], GOAL)


def test_a_loss_that_is_not_known_is_no_small_one(candidate: Any) -> None:
    assert judged(candidate(b1=1.0), None, GOAL).out == "its loss is not known"
    assert judged(candidate(b1=1.0), 0.002, GOAL).out == "loss above the limit of 0.001"
    assert judged(candidate(b1=1.0), 0.001, GOAL).out == ""
    assert judged(candidate(out="no"), None, GOAL).out == "no"


def test_the_device_file_says_what_was_chosen(candidate: Any) -> None:
    made = candidate(b1=2.0, b8=8.0)
    session = SessionChoice("openvino", "cpu", "bf16")
    made = replace(made, setup=replace(made.setup, session=session, threads=2))
    file = device_file(BUNDLE, made, GOAL, "6 faces", 8)
    assert (file.device, file.fingerprint) == (device_id(), "f" * 64)
    assert (file.backend, file.options.threads, file.batch) == ("openvino", 2, 8)
    assert file.options.provider_options == {"cpu": {"INFERENCE_PRECISION_HINT": "bf16"}}
    assert (file.p50_ms, file.measured_batch) == (2.0, 1)
    assert file.versions["numpy"] == np.__version__
    best = device_file(BUNDLE, made, replace(GOAL, objective="throughput"), "6 faces", 8)
    assert (best.p50_ms, best.measured_batch) == (8.0, 8)
