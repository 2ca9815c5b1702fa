"""Finished rounds on disk, and which of them are of use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.document import Results
from faceport.benchmarks.latency.kept import (
    CASES,
    Kept,
    make_folder,
    read_kept,
    stamp_of,
    write_kept,
)
from faceport.benchmarks.latency.results import Round, Settings
from faceport.errors import InputError


@pytest.fixture
def kept(make_case: Callable[..., Case], make_round: Callable[..., Round], tmp_path: Path) -> Kept:
    make_folder(tmp_path)
    made = Kept("stamp", make_case(), (make_round(), make_round(9.5)))
    write_kept(tmp_path, made)
    return made


def test_what_is_finished_is_read_again(kept: Kept, tmp_path: Path) -> None:
    assert read_kept(tmp_path, kept.case, "stamp") == (kept, False)
    # The same bundle, somewhere else.
    moved = replace(kept.case, bundle=Path("elsewhere"))
    assert read_kept(tmp_path, moved, "stamp")[0].rounds == kept.rounds


def test_other_conditions_and_damaged_files_count_as_nothing(kept: Kept, tmp_path: Path) -> None:
    assert read_kept(tmp_path, kept.case, "other") == (Kept("other", kept.case), True)
    (file,) = (tmp_path / CASES).iterdir()
    file.write_text(file.read_text()[:-40])
    assert read_kept(tmp_path, kept.case, "stamp") == (Kept("stamp", kept.case), True)


def test_another_case_is_another_file(kept: Kept, tmp_path: Path) -> None:
    for changes in ({"sha256": "1" * 64}, {"batch": 2}, {"threads": None}):
        other = replace(kept.case, **changes)
        assert read_kept(tmp_path, other, "stamp") == (Kept("stamp", other), False)


def test_a_stamp_is_of_what_changes_figures(results: Callable[..., Results]) -> None:
    machine, settings = results({}).environment, Settings()
    stamp = stamp_of(settings, machine, "a")
    same = replace(settings, rounds=9, seed=4, timeout=77.0)
    assert stamp_of(same, machine, "a") == stamp
    newer = replace(machine, versions={**machine.versions, "onnxruntime": "2"})
    others = {
        stamp_of(replace(settings, runs=41), machine, "a"),
        stamp_of(replace(settings, seconds=2.0), machine, "a"),
        stamp_of(settings, newer, "a"),
        stamp_of(settings, machine, "b"),
    }
    assert len(others | {stamp}) == 5


def test_a_bundle_takes_no_results(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="is a bundle"):
        make_folder(tmp_path)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"can't be made.*--output"):
        make_folder(tmp_path / "file")
