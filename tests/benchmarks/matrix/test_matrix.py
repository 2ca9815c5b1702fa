"""The matrix command on the smallest real files, and its table."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from faceport.benchmarks.matrix.__main__ import main
from faceport.benchmarks.matrix.rows import Row
from faceport.benchmarks.matrix.table import table
from faceport.bundle import Parity


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_a_detector_fills_a_row(shared: Path, tmp_path: Path) -> None:
    output = tmp_path / "matrix.md"
    arguments = ["--shared", str(shared), "--only", "yunet_n_dynamic.onnx", "--output", str(output)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (row,) = cells(output.read_text())
    assert row[:4] == ["yunet onnx", "real", "onnx", "fp32"]
    assert float(row[6]) >= 0.999999


def test_the_worst_figures_are_shown_and_what_was_not_run_is_said() -> None:
    two = (Parity(1, 0.25, 0.99, 0.995), Parity(5, 0.125, 0.98, 0.999))
    rows = [
        Row("a b", "real", "onnx", "fp32", 4_000_000, two),
        Row("a b", "real", "onnx", "int8", 1_000_000, two, two),
        Row("a b", "real", "tensorrt", "all", problem="not made: a | b"),
    ]
    text = table(rows, 61.4)
    first, second, third = cells(text)
    assert first[4:8] == ["4.0", "1.00", "0.980000", "2.5e-01"]
    assert second[4:10] == ["1.0", "0.25", "0.980000", "2.5e-01", "0.980000", "0.995000"]
    assert third[4:10] == [""] * 6
    assert r"not made: a \| b" in text
    assert "in 61 s" in text
    assert "mean cosine ≥ 0.99" in text


@pytest.mark.parametrize("name", ["nothing"])
def test_an_unknown_name_gives_an_empty_table(shared: Path, name: str) -> None:
    done = CliRunner().invoke(main, ["--shared", str(shared), "--only", name])
    assert done.exit_code == 0
    assert cells(done.output) == []
