from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.results import CaseResult, Settings, Timing
from faceport.benchmarks.tuning import screening
from faceport.benchmarks.tuning.choosing import judged
from faceport.benchmarks.tuning.results import Candidate, Goal
from faceport.benchmarks.tuning.screening import Bench, screen
from faceport.benchmarks.tuning.setups import Setup

GOAL = Goal(0.001)


class FakeMachine:
    """Answers as a machine would: milliseconds and losses by the artefact's name."""

    def __init__(self, speeds: dict[str, float], losses: dict[str, float]) -> None:
        self.speeds = speeds
        self.losses = losses
        self.processes: dict[str, int] = {}

    def __call__(
        self, cases: Sequence[Case], settings: Settings, *_: Any, **__: Any
    ) -> list[CaseResult]:
        for case in cases:
            seen = self.processes.get(case.artefact, 0)
            self.processes[case.artefact] = max(seen, settings.rounds)
        return [self.result(case, settings.rounds) for case in cases]

    def result(self, case: Case, rounds: int) -> CaseResult:
        if case.artefact not in self.speeds:
            return CaseResult(case, 1, problem="it does not load")
        # The second round is the quiet one.
        own = self.speeds[case.artefact] * case.batch**0.5
        times = tuple(own if number == 1 else 3 * own for number in range(rounds))
        p50 = sorted(times)[rounds // 2]
        timing = Timing(
            rounds, 9, p50, p50, None, p50, times, 1.0, 1.0, 1.0, None, None, True, "cpu"
        )
        return CaseResult(case, 1, timing, self.losses.get(case.artefact, 0.0), 0.0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    speeds = {f"m{i}": 10.0 + i for i in range(10)} | {"default": 20.0}
    fake = FakeMachine(speeds, {"m0": 0.01})
    monkeypatch.setattr(screening, "measure_cases", fake)
    return fake


def run(
    setup: Setup, names: list[str], goal: Goal = GOAL
) -> tuple[Candidate | None, list[Candidate]]:
    bench = Bench(goal, (1, 4), None, Path(), lambda _: None, 2, 6)
    setups = [replace(setup, artefact=name) for name in names]
    default = replace(setup, artefact="default")
    return screen(bench, default, setups, lambda c: judged(c, c.loss, goal))


def test_the_fastest_within_the_limit_are_measured_to_the_end(
    setup: Setup, machine: FakeMachine
) -> None:
    base, found = run(setup, [f"m{i}" for i in range(9, -1, -1)])
    assert [c.setup.artefact for c in found if not c.out] == ["m1", "m2"]
    assert all(c.final == (not c.out) for c in found)
    assert machine.processes["m1"] == machine.processes["default"] == 6
    # Ten, then six tenths of them, then 35 %: the others are given up earlier and earlier.
    rounds = sorted(machine.processes.values())
    assert rounds == [1, 1, 1, 1, 2, 2, 3, 3, 6, 6, 6]
    assert base is not None
    assert base.times[0].p50_ms == 20.0


def test_the_best_round_counts(setup: Setup, machine: FakeMachine) -> None:
    _, found = run(setup, ["m3"])
    assert [time.p50_ms for time in found[0].times] == [13.0, 26.0]
    assert found[0].best.batch == 4
    assert found[0].value("latency") == 13.0
    assert found[0].value("throughput") == 6.5


def test_those_that_are_out_say_why(setup: Setup, machine: FakeMachine) -> None:
    _, found = run(setup, ["m0", "m1", "broken", "m2", "m9"])
    reasons = {c.setup.artefact: c.out for c in found}
    assert reasons["m0"] == "loss above the limit of 0.001"
    assert reasons["broken"] == "it does not load"
    assert reasons["m9"].startswith("slower: given up after round")
    assert machine.processes["m0"] == 1


def test_with_a_higher_limit_more_is_eligible(setup: Setup, machine: FakeMachine) -> None:
    _, found = run(setup, ["m0", "m1"], Goal(0.02))
    assert found[0].setup.artefact == "m0"
    assert found[0].out == ""
