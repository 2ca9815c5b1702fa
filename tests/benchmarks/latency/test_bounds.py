"""A case's share of what the machine can do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faceport.benchmarks.latency import bounds
from faceport.benchmarks.latency.bounds import best_limits, bounds_of, measured_limits
from faceport.benchmarks.latency.cases import Case, SessionChoice
from faceport.benchmarks.latency.planning import plan_cases
from faceport.benchmarks.latency.results import CaseResult, Round
from faceport.benchmarks.latency.summary import result_of
from faceport.benchmarks.machine.limits import Limits
from faceport.bundle import Bundle

ORT = SessionChoice("onnxruntime", "cpu")
LIMITS = (Limits(1, 2e9, 1e9), Limits(2, 4e9, 1e9))


@pytest.fixture
def measured(
    tiny_bundle: Callable[..., Bundle], make_round: Callable[..., Round]
) -> tuple[CaseResult, ...]:
    """One run of 2 pictures takes 1 ms."""
    cases = plan_cases(tiny_bundle(), [ORT], [2], [1, None], {}).cases
    return tuple(result_of(case, 1, [make_round(1.0)]) for case in cases)


def test_work_and_share(measured: tuple[CaseResult, ...]) -> None:
    size = {measured[0].case.bundle: (112, 112)}
    found = bounds_of(measured, LIMITS, 2, size)
    first = found.cases[0]
    assert first.work.macs == 2 * 48 * 8
    moved = first.work.bytes
    assert moved >= 2 * 3 * 112 * 112 * 4 + 48 * 8 * 4
    assert first.least_ms == pytest.approx(max(2 * 768 / 2e9, moved / 1e9) * 1e3)
    assert first.share == pytest.approx(first.least_ms / 1.0)
    assert {bound.key for bound in found.cases} == {result.case.key for result in measured}
    assert (found.limits, found.problems) == (LIMITS, ())


def test_what_has_no_figures_or_no_graph_has_no_bound(
    measured: tuple[CaseResult, ...], make_case: Callable[..., Case]
) -> None:
    failed = CaseResult(measured[0].case, 1, problem="it broke")
    (measured[1].case.bundle / "model.onnx").write_bytes(b"no graph")
    found = bounds_of([failed, measured[1]], LIMITS, 2, {measured[0].case.bundle: (112, 112)})
    assert found.cases == ()
    assert "is no ONNX graph" in found.problems[0]


def test_the_best_of_the_tries_counts_and_more_threads_are_never_less() -> None:
    busy = (Limits(1, 1e9, 9e9), Limits(2, 1e9, 1e9))
    assert best_limits([LIMITS, busy]) == (Limits(1, 2e9, 9e9), Limits(2, 4e9, 9e9))
    assert best_limits([busy]) == (Limits(1, 1e9, 9e9), Limits(2, 1e9, 9e9))
    assert best_limits([]) == ()


def test_each_thread_count_of_the_cpu_is_measured_once(
    make_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "measure_limits", lambda threads: Limits(threads, 1.0, 1.0))
    cuda = SessionChoice("onnxruntime", "cuda")
    cases = [make_case(threads=n) for n in (4, 1, None, 4)] + [make_case(session=cuda, threads=9)]
    assert [limit.threads for limit in measured_limits(cases, cores=2)] == [1, 2, 4]
