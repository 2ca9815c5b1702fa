"""One case measured, in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.latency import worker
from faceport.benchmarks.latency.cases import Case, SessionChoice
from faceport.benchmarks.latency.planning import plan_cases
from faceport.benchmarks.latency.results import Settings
from faceport.benchmarks.latency.worker import Job, measure, peak_memory_mb, timed_runs, warm_up
from faceport.bundle import PROOF, Bundle
from faceport.errors import ParityError, SessionError

ORT = SessionChoice("onnxruntime", "cpu")
SHORT = Settings(rounds=1, runs=7, seconds=0.0)


def job(bundle: Bundle, precision: str, batch: int = 2) -> Job:
    cases = plan_cases(bundle, [ORT], [batch], [1], {}).cases
    (case,) = (case for case in cases if case.precision == precision)
    return Job(case, bundle.path / PROOF, SHORT)


def test_a_case_is_measured(tiny_bundle: Callable[..., Bundle], int8_losses: np.ndarray) -> None:
    found = measure(job(tiny_bundle(), "int8"))
    assert len(found.times_ms) == 7
    assert min(*found.times_ms, found.load_ms, found.first_ms) > 0
    assert (found.provider, found.warm_up_runs >= 10) == ("cpu", True)
    assert found.cosine_loss == pytest.approx(int8_losses.max(), rel=1e-3)
    assert found.mean_cosine_loss == pytest.approx(int8_losses.mean(), rel=1e-3)
    if found.base_mb is not None and found.peak_mb is not None:
        assert 10 < found.base_mb <= found.peak_mb < 10_000


def test_the_reference_itself_loses_nothing(tiny_bundle: Callable[..., Bundle]) -> None:
    found = measure(job(tiny_bundle(), "fp32", batch=1))
    assert 0 <= found.mean_cosine_loss <= found.cosine_loss < 1e-7


def test_a_case_that_gives_no_numbers_has_no_time(tiny_bundle: Callable[..., Bundle]) -> None:
    bundle = tiny_bundle()
    with np.load(bundle.path / PROOF) as data:
        arrays = dict(data)
    arrays["input"][0] = np.inf
    np.savez(bundle.path / PROOF, **arrays)
    with pytest.raises(ParityError, match="not finite"):
        measure(job(bundle, "fp32"))


def test_a_file_that_is_no_model(tiny_bundle: Callable[..., Bundle]) -> None:
    wanted = job(tiny_bundle(), "fp32")
    (wanted.case.bundle / wanted.case.artefact).write_bytes(b"no model")
    with pytest.raises(SessionError, match="could not be loaded"):
        measure(wanted)


class Clock:
    """A clock that the runs move on."""

    def __init__(self, costs: Iterator[float]) -> None:
        self.costs, self.now = costs, 0.0

    def perf_counter(self) -> float:
        return self.now

    def run(self) -> None:
        self.now += next(self.costs)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], Clock]:
    def make(costs: Iterator[float]) -> Clock:
        made = Clock(costs)
        monkeypatch.setattr(worker, "time", made)
        return made

    return make


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([0.01] * 10, (10, True)),
        # Steady from the eleventh on; that has to be in the medians of both windows.
        ([0.02] * 10 + [0.01] * 30, (10, True)),
        ([0.01 * 0.97**n for n in range(20)] + [0.005] * 40, (28, True)),
        ([0.01 * 0.99**n for n in range(200)], (100, False)),
        ([2.0] * 3, (3, False)),
    ],
)
def test_warming_up_ends_when_runs_stop_getting_faster(
    clock: Callable[[Iterator[float]], Clock], costs: list[float], expected: tuple[int, bool]
) -> None:
    assert warm_up(clock(iter(costs)).run) == expected


@pytest.mark.parametrize(
    ("cost", "settings", "runs"),
    [
        (0.25, Settings(runs=4, seconds=0.5), 4),
        (0.25, Settings(runs=4, seconds=2.0), 8),
        (0.25, Settings(runs=4, seconds=0.0, longest=0.75), 3),
        (0.25, Settings(runs=1, seconds=0.0, longest=0.0), 1),
    ],
)
def test_at_least_so_many_runs_and_seconds(
    clock: Callable[[Iterator[float]], Clock], cost: float, settings: Settings, runs: int
) -> None:
    times = timed_runs(clock(itertools.repeat(cost)).run, settings)
    assert times == [250.0] * runs


def test_memory_is_not_told_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert peak_memory_mb() is None


def test_a_job_survives_json(make_case: Callable[..., Case]) -> None:
    from faceport.codec import decode, encode

    wanted = Job(replace(make_case(), threads=None), Path("proof.npz"), SHORT)
    assert decode(Job, encode(wanted)) == wanted
