"""`results.json`, written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.document import RESULTS, Results, read_results, write_results
from faceport.errors import InputError

ORT = SessionChoice("onnxruntime", "cpu")


def test_what_is_written_is_read(results: Callable[..., Results], tmp_path: Path) -> None:
    made = results({(ORT, 1): 2.0})
    path = write_results(tmp_path, made)
    assert read_results(path) == read_results(tmp_path) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": 2, "news": 1}, "another schema version; received 2; expected 1"),
        ({"kind": "faceport eval"}, "another kind"),
        ({"cases": 3}, r"cases is malformed"),
    ],
)
def test_other_documents_are_refused(
    results: Callable[..., Results], tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    write_results(tmp_path, results({}))
    data = json.loads((tmp_path / RESULTS).read_text())
    (tmp_path / RESULTS).write_text(json.dumps(data | changes))
    with pytest.raises(InputError, match=reason):
        read_results(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_files_that_are_no_results(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match="holds no results of `faceport bench`"):
        read_results(tmp_path / "x.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"away\.json holds no results"):
        read_results(tmp_path / "away.json")


def test_a_path_is_a_text(results: Callable[..., Results], tmp_path: Path) -> None:
    write_results(tmp_path, results({}))
    data = json.loads((tmp_path / RESULTS).read_text())
    assert data["subject"]["bundle"] == "tiny.bundle"
    data["subject"]["bundle"] = 3
    (tmp_path / RESULTS).write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"subject\.bundle is malformed"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "change", [{"p50_ms": 0.0}, {"mean_ms": -1.0}, {"round_p50_ms": []}, {"round_p50_ms": [0.0]}]
)
def test_times_that_no_clock_gives(
    results: Callable[..., Results], tmp_path: Path, change: dict[str, object]
) -> None:
    write_results(tmp_path, results({(ORT, 1): 2.0}))
    data = json.loads((tmp_path / RESULTS).read_text())
    data["cases"][0]["timing"] |= change
    (tmp_path / RESULTS).write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"times; received .* expected one or more above 0"):
        read_results(tmp_path)
