"""Processes that answer, and those that don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.latency.processes import ProcessFailure, run_module

ECHO = """
import json, os, sys
from faceport.benchmarks.latency.processes import speak_json
with speak_json() as answer:
    print("an engine prints")
    os.write(1, b"so does its C code")
    answer({"heard": json.load(sys.stdin)})
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "spoken.py"


def test_what_engines_print_is_not_in_the_answer(module: Path) -> None:
    module.write_text(ECHO)
    assert run_module("spoken", '["é", 1]', 60) == {"heard": ["é", 1]}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", r"killed by SIGKILL \(out of memory\?\)"),
        ("import os; os.abort()", "killed by SIGABRT"),
        ("raise ValueError('what is wrong')", "failed: ValueError: what is wrong"),
        ("print('hello')", "gave no answer"),
    ],
)
def test_a_process_without_an_answer_says_why(module: Path, code: str, reason: str) -> None:
    module.write_text(code)
    with pytest.raises(ProcessFailure, match=reason):
        run_module("spoken", "null", 60)


def test_a_process_that_hangs_is_given_up(module: Path) -> None:
    module.write_text("import time; time.sleep(60)")
    with pytest.raises(ProcessFailure, match=r"no answer within 0\.2 s"):
        run_module("spoken", "null", 0.2)


def test_a_file_in_the_current_folder_is_not_imported(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module.write_text(ECHO)
    here = tmp_path / "here"
    here.mkdir()
    for name in ("runpy", "numpy", "json", "spoken"):
        (here / f"{name}.py").write_text("raise SystemExit('a file of the current folder was run')")
    monkeypatch.chdir(here)
    assert run_module("spoken", '"heard"', 60) == {"heard": "heard"}
