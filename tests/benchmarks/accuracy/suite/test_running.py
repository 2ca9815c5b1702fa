"""Runs of a suite: each kept at once, failures as rows, what is finished not done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.accuracy.suite import running
from faceport.benchmarks.accuracy.suite.reading import Run
from faceport.benchmarks.accuracy.suite.report import failures, suite_table, write_suite
from faceport.benchmarks.accuracy.suite.running import run_suite

pytestmark = pytest.mark.xdist_group("evaluation")


@pytest.fixture
def runs(people_settings: Settings) -> list[Run]:
    quick = replace(people_settings, sessions="onnxruntime/cpu", timing_rounds=1)
    return [
        Run("blocks", "scrfd", "people", "plain", quick),
        Run("none", "scrfd", "people", "plain", replace(quick, bundle="none.bundle")),
        Run("blocks", "scrfd", "people", "mirrored", replace(quick, flip=True)),
    ]


def test_what_is_finished_is_not_done_again_and_what_failed_is(
    runs: list[Run], crop_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_suite(runs, tmp_path, cache=crop_folder)
    assert [bool(one.evaluation) for one in first] == [True, False, True]
    assert "none.bundle is not a bundle" in first[1].problem
    assert len(list((tmp_path / "runs").iterdir())) == 2
    asked: list[str] = []
    real = running.evaluate

    def watched(settings: Settings, **options: object) -> object:
        asked.append(settings.bundle)
        return real(settings, **options)

    monkeypatch.setattr(running, "evaluate", watched)
    again = run_suite(runs, tmp_path, cache=crop_folder)
    assert asked == ["none.bundle"]
    assert [one.resumed for one in again] == [True, False, True]
    assert [one.evaluation for one in again] == [one.evaluation for one in first]
    (tmp_path / first[0].file).write_text("{}")
    run_suite(runs[:1], tmp_path, cache=crop_folder)
    assert len(asked) == 2
    run_suite(runs[:1], tmp_path, cache=crop_folder, resume=False)
    assert len(asked) == 3


def test_the_report_has_a_row_for_all_and_plots(
    runs: list[Run], crop_folder: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    done = run_suite(runs, tmp_path, cache=crop_folder, say=said.append)
    assert any(line.startswith("run 3 of 3, blocks · people · scrfd · mirrored") for line in said)
    table = suite_table(done)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert [row[4].split(":")[0] for row in table.rows] == [
        "onnx fp32 · onnxruntime/cpu",
        "failed",
        "onnx fp32 · onnxruntime/cpu",
    ]
    assert table.rows[0][5] == "100.00 ± 0.00 %"
    assert len(failures(done)) == 1
    write_suite(done, tmp_path, "suite.yaml")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "3 runs, 1 of them failed" in text
    for name in ("accuracy.png", "latency-1.png"):
        assert f"({name})" in text
        assert (tmp_path / name).stat().st_size > 5000
