"""A case's rounds in short: percentiles, mean, throughput, load, memory."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.results import CaseResult, Round, Timing

RUNS_FOR_P99 = 100


def percentile(times: Sequence[float], share: float) -> float:
    """Return the nearest rank: the shortest time that at least `share` (0 to 1) of them kept."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def timing_of(rounds: Sequence[Round], batch: int) -> Timing:
    """Sum up the rounds of one case; at least one."""
    times = [time for one in rounds for time in one.times_ms]
    mean = statistics.fmean(times)
    base = [one.base_mb for one in rounds if one.base_mb is not None]
    peak = [one.peak_mb for one in rounds if one.peak_mb is not None]
    return Timing(
        rounds=len(rounds),
        runs=len(times),
        p50_ms=percentile(times, 0.5),
        p90_ms=percentile(times, 0.9),
        p99_ms=percentile(times, 0.99) if len(times) >= RUNS_FOR_P99 else None,
        mean_ms=mean,
        round_p50_ms=tuple(percentile(one.times_ms, 0.5) for one in rounds),
        pictures_per_second=batch / mean * 1e3,
        load_ms=statistics.median(one.load_ms for one in rounds),
        first_ms=statistics.median(one.first_ms for one in rounds),
        base_mb=statistics.median(base) if base else None,
        peak_mb=max(peak, default=None),
        steady=all(one.steady for one in rounds),
        provider=rounds[-1].provider,
    )


def result_of(case: Case, size_bytes: int, rounds: Sequence[Round]) -> CaseResult:
    """Return the result of a case that was measured; at least one round."""
    return CaseResult(
        case,
        size_bytes,
        timing_of(rounds, case.batch),
        max(one.cosine_loss for one in rounds),
        max(one.mean_cosine_loss for one in rounds),
    )
