"""Time left, and how it is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.progress import Progress, duration
from faceport.benchmarks.latency.results import Settings


def test_what_is_left_goes_by_what_each_case_took(make_case: Callable[..., Case]) -> None:
    fast, slow, new = (make_case(batch=batch) for batch in (1, 8, 32))
    progress = Progress(Settings(seconds=1.0))
    assert progress.estimate(20).startswith("20 processes to run, about 60 s")
    assert progress.left([fast, slow]) == "about 6 s left"
    progress.taken |= {fast: 2.0, slow: 30.0}
    assert progress.left([fast, fast, slow]) == "about 34 s left"
    assert progress.left([fast, new]) == "about 18 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89.0, "89 s"), (600.0, "10 min"), (9000.0, "2.5 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
