"""Rounds: interleaved, on disk at once, resumed, and failures that stay rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faceport.atomic import alone_in
from faceport.benchmarks.latency import rounds
from faceport.benchmarks.latency.cases import Case, SessionChoice
from faceport.benchmarks.latency.kept import CASES
from faceport.benchmarks.latency.planning import plan_cases
from faceport.benchmarks.latency.results import Round, Settings
from faceport.benchmarks.latency.rounds import measure_cases
from faceport.benchmarks.latency.worker import Answer, Job
from faceport.bundle import Bundle
from faceport.errors import InputError

ORT = SessionChoice("onnxruntime", "cpu")
SETTINGS = Settings(rounds=3, runs=1, seconds=0.0)


class Workers:
    """Stands for the processes: answers at once, and remembers what it was asked."""

    def __init__(self, make_round: Callable[..., Round]) -> None:
        self.asked: list[Case] = []
        self.failing: dict[str, str] = {}
        self.stop_after = 10_000
        self._make = make_round

    def __call__(self, job: Job) -> Answer:
        if len(self.asked) == self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(job.case)
        problem = self.failing.get(job.case.artefact)
        return Answer(problem=problem) if problem else Answer(self._make(float(len(self.asked))))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch, make_round: Callable[..., Round]) -> Workers:
    made = Workers(make_round)
    monkeypatch.setattr(rounds, "ask_worker", made)
    return made


@pytest.fixture
def cases(tiny_bundle: Callable[..., Bundle]) -> tuple[Case, ...]:
    return plan_cases(tiny_bundle(), [ORT], [1, 2, 3], [1], {}).cases


def test_every_round_takes_every_case_once_in_an_order_of_its_own(
    workers: Workers, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    found = measure_cases(cases, SETTINGS, tmp_path / "out")
    thirds = [workers.asked[start : start + 6] for start in (0, 6, 12)]
    assert all(set(third) == set(cases) for third in thirds)
    assert len({tuple(third) for third in thirds}) > 1
    assert [result.case for result in found] == list(cases)
    assert all(result.timing and result.timing.rounds == 3 for result in found)


def test_the_order_is_the_seeds(workers: Workers, cases: tuple[Case, ...], tmp_path: Path) -> None:
    orders = []
    for number, seed in enumerate((1, 1, 2)):
        workers.asked.clear()
        measure_cases(cases, Settings(1, 1, 0.0, seed=seed), tmp_path / str(number))
        orders.append(list(workers.asked))
    assert orders[0] == orders[1] != orders[2]


def test_a_stopped_measurement_goes_on(
    workers: Workers, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    workers.stop_after = 8
    with pytest.raises(KeyboardInterrupt):
        measure_cases(cases, SETTINGS, tmp_path)
    assert len(list((tmp_path / CASES).iterdir())) == 6
    workers.stop_after = 10_000
    measure_cases(cases, SETTINGS, tmp_path)
    assert len(workers.asked) == 18
    assert {workers.asked.count(case) for case in cases} == {3}
    measure_cases(cases, SETTINGS, tmp_path)
    assert len(workers.asked) == 18
    measure_cases(cases, SETTINGS, tmp_path, resume=False)
    assert len(workers.asked) == 36


def test_fewer_rounds_than_there_are(
    workers: Workers, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    measure_cases(cases[:1], SETTINGS, tmp_path)
    (found,) = measure_cases(cases[:1], Settings(1, 1, 0.0), tmp_path)
    assert found.timing is not None
    assert (found.timing.rounds, found.timing.p50_ms) == (1, 1.0)


def test_other_settings_start_over_and_say_so(
    workers: Workers, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    measure_cases(cases, SETTINGS, tmp_path)
    said: list[str] = []
    other = Settings(rounds=1, runs=2, seconds=0.0)
    found = measure_cases(cases, other, tmp_path, say=said.append)
    assert len(workers.asked) == 18 + 6
    assert all(result.timing and result.timing.rounds == 1 for result in found)
    assert "6 cases start over" in said[0]


def test_a_failing_case_is_left_alone_and_tried_again_by_the_next_call(
    workers: Workers, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    workers.failing["model.int8.onnx"] = "it broke"
    found = measure_cases(cases, SETTINGS, tmp_path)
    broken = [result for result in found if result.problem]
    assert [(r.case.precision, r.problem, r.timing) for r in broken] == [
        ("int8", "it broke", None)
    ] * 3
    assert sum(case.precision == "int8" for case in workers.asked) == 3
    workers.failing.clear()
    again = measure_cases(cases, SETTINGS, tmp_path)
    assert not any(result.problem for result in again)
    assert len(workers.asked) == 9 + 3 + 9


def test_a_fresh_process_measures_and_a_broken_artefact_is_a_row(
    tiny_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle = tiny_bundle()
    cases = plan_cases(bundle, [ORT], [1], [1], {}).cases
    (bundle.path / "model.int8.onnx").write_bytes(b"no model")
    said: list[str] = []
    good, bad = measure_cases(cases, Settings(1, 5, 0.0), tmp_path / "out", say=said.append)
    assert good.timing is not None
    assert (good.timing.runs, good.timing.provider) == (5, "cpu")
    assert "could not be loaded by onnxruntime" in bad.problem
    assert said[0].startswith("2 processes to run, about 4 s")
    assert "model.onnx in onnxruntime/cpu, batch 1, 1 thread;" in "".join(said)


def test_inputs_that_are_not_there(cases: tuple[Case, ...], tmp_path: Path) -> None:
    away = {cases[0].bundle: tmp_path / "away.npz"}
    with pytest.raises(InputError, match=r"away\.npz can't be read"):
        measure_cases(cases, SETTINGS, tmp_path / "out", inputs=away)


def test_two_measurements_do_not_share_a_folder(
    workers: Workers, cases: tuple[Case, ...], tmp_path: Path
) -> None:
    measure_cases(cases[:1], SETTINGS, tmp_path)
    with (
        alone_in(tmp_path, InputError),
        pytest.raises(InputError, match="written by another process"),
    ):
        measure_cases(cases, SETTINGS, tmp_path)
    assert len(workers.asked) == SETTINGS.rounds
    measure_cases(cases, SETTINGS, tmp_path)
