"""The report of a real evaluation, and its pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceport.benchmarks.accuracy.evaluate import Evaluated
from faceport.benchmarks.accuracy.report import report_lines, write_report
from faceport.benchmarks.accuracy.results import Evaluation, Problem
from faceport.codec import decode
from faceport.errors import InputError

pytestmark = pytest.mark.xdist_group("evaluation")


def test_a_report_has_figures_pictures_and_reasons(evaluated: Evaluated, tmp_path: Path) -> None:
    (tmp_path / "roc.png").write_text("of an earlier run")
    written = write_report(evaluated, tmp_path)
    names = ["results.json", "report.md", "scores.png", "roc.png", "latency.png", "panel.png"]
    assert [path.name for path in written] == names
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert decode(Evaluation, data) == evaluated.evaluation
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| onnx fp32 · onnxruntime/cpu | 100.00 ± 0.00 % |" in text
    assert "1e-01 (32 impostor pairs; needs 300)" in text
    assert "- not run: tensorrt: the bundle has no artefact of format tensorrt" in text
    assert "4 pairs of one person and 32 of two" in text
    for name in names[2:]:
        assert f"]({name})" in text
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_without_plots_none_of_an_earlier_run_is_left(evaluated: Evaluated, tmp_path: Path) -> None:
    (tmp_path / "roc.png").write_text("of an earlier run")
    written = write_report(evaluated, tmp_path, plots=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.md", "results.json"]
    assert len(written) == 2


def test_no_name_breaks_the_report(evaluated: Evaluated) -> None:
    odd = Problem("a|b\n# <img src=x>", "`no` face")
    listed = replace(evaluated.evaluation.listed, problems=(odd,) * 300)
    lines = report_lines(replace(evaluated.evaluation, listed=listed), [])
    assert "- a\\|b\\\\n\\# \\<img src=x\\>: \\`no\\` face" in lines
    assert "- … and 100 more, in results.json" in lines


def test_a_folder_that_is_not_there_is_an_error(evaluated: Evaluated, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="could not be written"):
        write_report(evaluated, tmp_path / "none", plots=False)
