"""Percentiles and what is made of rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.results import Round
from faceport.benchmarks.latency.summary import percentile, result_of, timing_of

TIMES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


@given(TIMES, st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_the_shortest_time_that_so_many_kept(
    times: list[float], share: float
) -> None:
    kept = [t for t in times if sum(x <= t for x in times) >= share * len(times) - 1e-9]
    assert percentile(times, share) == min(kept)


def test_the_rounds_are_taken_together(make_round: Callable[..., Round]) -> None:
    rounds = [
        make_round(*[2.0] * 60, load_ms=10.0, peak_mb=50.0),
        make_round(*[4.0] * 40, load_ms=30.0, peak_mb=70.0, steady=False),
    ]
    timing = timing_of(rounds, batch=8)
    assert (timing.p50_ms, timing.p90_ms, timing.p99_ms) == (2.0, 4.0, 4.0)
    assert timing.round_p50_ms == (2.0, 4.0)
    assert timing.mean_ms == pytest.approx(statistics.fmean([2.0] * 60 + [4.0] * 40))
    assert timing.pictures_per_second == pytest.approx(8 / (2.8 / 1000))
    assert (timing.load_ms, timing.peak_mb, timing.steady) == (20.0, 70.0, False)


def test_p99_needs_a_hundred_runs(make_round: Callable[..., Round]) -> None:
    assert timing_of([make_round(*[1.0] * 99)], 1).p99_ms is None
    assert timing_of([make_round(*[1.0] * 100)], 1).p99_ms == 1.0


def test_memory_that_the_system_does_not_tell(make_round: Callable[..., Round]) -> None:
    timing = timing_of([make_round(base_mb=None, peak_mb=None)], 1)
    assert (timing.base_mb, timing.peak_mb) == (None, None)


def test_the_worst_loss_of_the_rounds_counts(
    make_case: Callable[..., Case], make_round: Callable[..., Round]
) -> None:
    rounds = [make_round(cosine_loss=0.1), make_round(mean_cosine_loss=0.2)]
    result = result_of(make_case(), 7, rounds)
    assert (result.cosine_loss, result.mean_cosine_loss, result.size_bytes) == (0.1, 0.2, 7)
