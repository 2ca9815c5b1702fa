from __future__ import annotations

import subprocess
import sys

import pytest

from faceport.benchmarks.machine import limits
from faceport.benchmarks.machine.limits import Limits, measure_limits
from faceport.benchmarks.machine.macs import Work
from faceport.errors import InputError, SessionError


def test_this_machine_is_measured() -> None:
    measured = measure_limits(1, tries=1)
    assert measured.threads == 1
    # A processor of the last 20 years, and none of the next: the unit is operations, not billions.
    assert 1e9 < measured.flops < 1e13
    assert 5e8 < measured.bytes_per_second < 1e12


def test_the_limit_is_what_takes_longer() -> None:
    machine = Limits(2, flops=100e9, bytes_per_second=10e9)
    sums = Work(macs=50_000_000, weight_bytes=1000, input_bytes=0, output_bytes=0)
    assert machine.least_seconds(sums) == pytest.approx(1e-3)
    assert machine.share(sums, 4e-3) == pytest.approx(0.25)
    reading = Work(macs=1, weight_bytes=6_000_000, input_bytes=3_000_000, output_bytes=1_000_000)
    assert machine.least_seconds(reading) == pytest.approx(1e-3)


def test_the_best_of_several_tries_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(5.0, 2.0), (4.0, 3.0)])

    def fake(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        flops, rate = next(answers)
        text = f'{{"threads": 2, "flops": {flops}, "bytes_per_second": {rate}}}'
        return subprocess.CompletedProcess(command, 0, text, "")

    monkeypatch.setattr(subprocess, "run", fake)
    assert measure_limits(2, tries=2) == Limits(2, 5.0, 3.0)


def test_a_process_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MODULE", "faceport.no_such_module")
    with pytest.raises(SessionError, match="no_such_module"):
        measure_limits(1, tries=1)


def test_no_threads_are_refused() -> None:
    with pytest.raises(InputError, match="threads; received 0"):
        measure_limits(0)


def test_numpys_library_is_told_its_threads_before_it_loads() -> None:
    code = f"import os; print(*(os.environ[n] for n in {limits.THREAD_VARIABLES}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=limits.environment_for(3),
    )
    assert set(done.stdout.split()) == {"3"}
