"""`faceport bench`, and its comparison of two results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from faceport.benchmarks.latency import bench
from faceport.benchmarks.latency.document import read_results
from faceport.benchmarks.latency.results import Settings
from faceport.benchmarks.machine.limits import Limits
from faceport.commands import run
from faceport.commands.bench import _patient
from faceport.commands.picked import picked

FAST = ("--sessions", "onnxruntime/cpu", "--rounds", "1", "--runs", "2", "--seconds", "0")


@pytest.fixture(autouse=True)
def no_stress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's limits take seconds and have tests of their own."""
    monkeypatch.setattr(bench, "measured_limits", lambda *_: (Limits(1, 1e11, 1e10),))


def test_a_bundle_is_measured_once(
    detectors: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["bench", str(detectors["scrfd"]), *FAST, "--output", str(out)]
    command += ["--batch", "1,8", "--threads", "1"]
    assert run(command) == 0
    shown = capsys.readouterr()
    assert "onnxruntime/cpu" in shown.out
    assert "batch 8: it takes at most 1" in shown.out
    assert "1 processes to run" in shown.err
    results = read_results(out)
    (case,) = results.cases
    assert case.timing is not None
    assert case.timing.runs == 2
    assert results.bounds.cases[0].work.macs > 1e8
    report = (out / "report.md").read_text()
    assert "![latency-batch-1](latency-batch-1.png)" in report
    assert (out / "latency-batch-1.png").stat().st_size > 5000
    assert run([*command, "--json"]) == 0
    again = capsys.readouterr()
    assert again.err == ""
    assert json.loads(again.out)["cases"][0]["timing"]["p50_ms"] == case.timing.p50_ms


def test_nothing_measured_is_no_success(detectors: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.bundle"
    shutil.copytree(detectors["scrfd"], broken)
    with (broken / "model.onnx").open("ab") as file:
        file.write(b"\0")
    assert run(["bench", str(broken), *FAST, "--output", str(tmp_path / "out")]) == 1
    rows = read_results(tmp_path / "out").absent
    assert "was changed after the export" in rows[0].problem


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--batch", "0"], 2, "whole numbers of 1 or more"),
        (["--batch", "9" * 5000], 2, "whole numbers of 1 or more"),
        (["--batch", "engine"], 2, "whole numbers of 1 or more"),
        (["--threads", "1,x"], 2, "whole numbers of 1 or more"),
        (["--sessions", "onnx"], 1, "no such session"),
        (["--seconds", "30", "--longest", "20"], 1, "contradict each other"),
        (["--seconds", "inf"], 1, "contradict each other"),
        (["--output", "/dev/null/out"], 1, "can't be made"),
        (["--photo", "away.jpg"], 1, "away.jpg"),
        (["--fail-over", "1.1"], 2, "goes with --compare"),
        (["--compare", "a.json", "b.json", "--fail-over", "nan"], 2, "nan is no ratio"),
        (["--compare", "a.json", "b.json"], 2, "takes no BUNDLE"),
    ],
)
def test_wrong_options(
    detectors: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    command = ["bench", str(detectors["scrfd"]), *FAST, "--output", str(tmp_path / "out"), *options]
    assert run(command) == code
    assert message in capsys.readouterr().err


def test_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", str(tmp_path), "--output", str(tmp_path / "out")]) == 1
    assert "is not a bundle" in capsys.readouterr().err
    assert run(["bench"]) == 2
    assert "--compare A B" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (1.0, 20.0, 300.0)),
        ({"seconds": 30.0}, (30.0, 60.0, 300.0)),
        ({"seconds": 200.0}, (200.0, 400.0, 1200.0)),
        ({"longest": 150.0}, (1.0, 150.0, 450.0)),
    ],
)
def test_the_limits_follow_what_is_given(
    given: dict[str, float], expected: tuple[float, ...]
) -> None:
    choices = {"seconds": None, "longest": None, "timeout": None} | given
    settings = picked(Settings, _patient(choices))
    assert (settings.seconds, settings.longest, settings.timeout) == expected


@pytest.fixture
def pair(detectors: dict[str, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Results, and the same with all times 1.5 times as long."""
    first, second = tmp_path / "a", tmp_path / "b.json"
    assert run(["bench", str(detectors["scrfd"]), *FAST, "--output", str(first)]) == 0
    data = json.loads((first / "results.json").read_text())
    for case in data["cases"]:
        case["timing"]["p50_ms"] *= 1.5
    second.write_text(json.dumps(data))
    return first, second


def test_a_comparison_is_a_gate(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = map(str, pair)
    capsys.readouterr()
    assert run(["bench", "--compare", first, second]) == 0
    assert "1.500" in capsys.readouterr().out
    assert run(["bench", "--compare", first, second, "--fail-over", "1.6"]) == 0
    assert run(["bench", "--compare", second, first, "--fail-over", "1.1"]) == 0
    capsys.readouterr()
    assert run(["bench", "--compare", first, second, "--fail-over", "1.1"]) == 1
    shown = capsys.readouterr()
    assert "SLOWER" in shown.out
    assert "above 1.1: model.onnx in onnxruntime/cpu" in shown.err
    assert run(["bench", "--compare", first, second, "--fail-over", "1.1", "--json"]) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["slower"][0]["ratio"] == pytest.approx(1.5)
    assert found["ratios"] == found["slower"]


def test_a_case_that_fails_now_fails_the_gate(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = pair
    data = json.loads(second.read_text())
    for case in data["cases"]:
        case |= {"timing": None, "problem": "it broke"}
    data["environment"]["cpu"] = "another"
    second.write_text(json.dumps(data))
    capsys.readouterr()
    assert run(["bench", "--compare", str(first), str(second)]) == 0
    shown = capsys.readouterr().err
    assert "warning: measured on different machines: cpu" in shown
    assert "fails in B" in shown
    assert run(["bench", "--compare", str(first), str(second), "--fail-over", "2"]) == 1
    data["cases"] = []
    second.write_text(json.dumps(data))
    assert run(["bench", "--compare", str(first), str(second)]) == 1
    assert "no case in common" in capsys.readouterr().err
