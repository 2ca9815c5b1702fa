"""Tables, report and plots of given results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.latency.bounds import Bound, Bounds
from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.document import Results
from faceport.benchmarks.latency.plots import accuracy_figure, latency_figure, write_plots
from faceport.benchmarks.latency.report import write_report
from faceport.benchmarks.latency.results import CaseResult
from faceport.benchmarks.latency.rows import (
    CASE_HEADER,
    SHORT_HEADER,
    case_rows,
    loss_text,
    number,
    problem_rows,
    short_rows,
    stage_table,
)
from faceport.benchmarks.latency.stages import Stage, Stages
from faceport.benchmarks.machine.limits import Limits
from faceport.benchmarks.machine.macs import Work
from faceport.images import load_image

ORT = SessionChoice("onnxruntime", "cpu")
VINO = SessionChoice("openvino", "cpu", "bf16")
Make = Callable[..., Results]


@pytest.fixture
def full(results: Make) -> Results:
    made = results({(ORT, 1): 2.0, (VINO, 1): 1.5, (ORT, 8): 16.0})
    broken = replace(made.cases[0].case, session=VINO, batch=8)
    also = replace(broken, batch=32)
    cases = (
        *made.cases,
        CaseResult(broken, 1, problem="a | b"),
        CaseResult(also, 1, problem="a | b"),
    )
    work = Work(221_000_000, 5_000_000, 100, 100)
    bounds = Bounds((Limits(1, 1e11, 2e10),), (Bound(made.cases[0].case.key, work, 1.1, 0.55),))
    stages = (
        Stages("onnxruntime/cpu", 1, 6, (Stage("decode jpg", 4.0),), 12.0, 10.0),
        Stages("openvino/cpu@f32", 1, problem="it is not there"),
    )
    return replace(made, cases=cases, bounds=bounds, stages=stages)


def test_rows_are_sorted_by_batch_and_time(full: Results) -> None:
    rows = [dict(zip(CASE_HEADER, row, strict=True)) for row in case_rows(full)]
    assert [(r["session"], r["batch"]) for r in rows] == [
        ("openvino/cpu@bf16", "1"),
        ("onnxruntime/cpu", "1"),
        ("onnxruntime/cpu", "8"),
    ]
    assert rows[2]["pictures/s"] == "500.0"
    assert rows[0]["p99 ms"] == "1.500"
    assert rows[0]["ran on"] == "cpu"
    assert {len(row) for row in short_rows(full)} == {len(SHORT_HEADER)}


def test_what_fails_alike_is_one_row(full: Results) -> None:
    assert problem_rows(full) == [
        ("tensorrt/cuda", "all", "no | engine"),
        ("openvino/cpu@bf16", "model.onnx", "batch 8, 32: a | b"),
    ]


def test_stages_are_columns_of_sessions(full: Results) -> None:
    header, rows = stage_table(full.stages)
    assert header[1:] == ["onnxruntime/cpu"]
    assert rows[0] == ["decode jpg", "4.00"]
    assert rows[-1] == ["overhead", "1.200"]
    assert stage_table(full.stages[1:]) == ([], [])


def test_the_report_says_everything(full: Results, tmp_path: Path) -> None:
    text = write_report(tmp_path, full, ["latency-batch-1.png"]).read_text()
    for wanted in (
        *("openvino/cpu@bf16", "batch 8, 32: a \\| b", "no \\| engine", "a processor"),
        *("![latency-batch-1](latency-batch-1.png)", "it is not there", "100.0 GFLOP/s"),
        *("| 221.0 | 5.00 | 1.100 | 2.000 | 55% |", "decode jpg", "40 runs and 1 s"),
    ):
        assert wanted in text
    assert text.count("## ") == 4
    assert "Warning" not in text
    busy = write_report(tmp_path, replace(full, load=9.0), []).read_text()
    assert "**Warning: the machine was busy: load 9.0 on 2 cores" in busy


def test_plots_are_pictures_with_something_on_them(full: Results, tmp_path: Path) -> None:
    names = write_plots(tmp_path, full)
    assert names == ["latency-batch-1.png", "latency-batch-8.png", "latency-accuracy.png"]
    for name in names:
        pixels = load_image(tmp_path / name).pixels
        assert pixels.shape[1] == 1200
        assert np.std(pixels) > 5


def test_the_bars_are_the_medians_and_the_labels_the_cases(full: Results) -> None:
    (axes,) = latency_figure(full.cases[:2], "tiny").axes
    assert [bar.get_width() for bar in axes.patches] == [1.5, 2.0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "model.onnx · openvino/cpu@bf16, 1 thread"
    assert axes.get_xscale() == "linear"


def test_the_front_is_of_what_nothing_beats(full: Results) -> None:
    fast, slow = replace(full.cases[1], cosine_loss=0.1), replace(full.cases[0], cosine_loss=0.0)
    (axes,) = accuracy_figure([fast, slow], "tiny", "faces").axes
    assert axes.lines[0].get_xydata().tolist() == [[1.5, 0.1], [2.0, 1e-7]]
    (axes,) = accuracy_figure([replace(fast, cosine_loss=0.0), slow], "tiny", "faces").axes
    assert len(axes.lines[0].get_xydata()) == 1


def test_nothing_measured_is_nothing_drawn(results: Make, tmp_path: Path) -> None:
    assert write_plots(tmp_path, results({})) == []
    assert "tensorrt/cuda" in write_report(tmp_path, results({}), []).read_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1234.5, "1234"), (12.345, "12.35"), (0.12345, "0.1235"), (0.0, "0.0e+00")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("loss", "text"), [(None, "–"), (1e-9, "0"), (5.4e-4, "5.4e-04"), (0.0194, "0.0194")]
)
def test_losses(loss: float | None, text: str) -> None:
    assert loss_text(loss) == text


@pytest.mark.parametrize("name", ["$\\bad$.jpg", "r\udcff.jpg", "名前.jpg"])
def test_names_are_drawn_as_they_are(full: Results, tmp_path: Path, name: str) -> None:
    write_plots(tmp_path, replace(full, subject=replace(full.subject, name=name, fed=name)))
    assert (tmp_path / "latency-accuracy.png").stat().st_size > 1000
