"""When a finished run counts: the same content, wherever it lies."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.accuracy.suite.keys import run_key


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    work = tmp_path / "work"
    for bundle in ("a.bundle", "det.bundle"):
        (work / bundle).mkdir(parents=True)
        (work / bundle / "manifest.json").write_text(bundle)
    (work / "people" / "one").mkdir(parents=True)
    (work / "people" / "one" / "1.jpg").write_bytes(b"123")
    (work / "pairs.csv").write_text("a,b,same\n")
    return Settings(
        str(work / "a.bundle"), str(work / "pairs.csv"), str(work / "det.bundle"),
        root=str(work / "people"),
    )  # fmt: skip


def test_a_folder_that_was_moved_keeps_its_runs(settings: Settings, tmp_path: Path) -> None:
    before = run_key(settings)
    shutil.move(tmp_path / "work", tmp_path / "moved")

    def moved(path: str | None) -> str:
        return str(path).replace("work", "moved")

    assert settings.detector is not None
    after = replace(
        settings,
        bundle=moved(settings.bundle),
        listing=moved(settings.listing),
        detector=moved(settings.detector),
        root=moved(settings.root),
    )
    assert run_key(after) == before
    assert run_key(settings) != before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.bundle/manifest.json", "other"),
        ("det.bundle/manifest.json", "other"),
        ("pairs.csv", "a,b,same\nx,y,1\n"),
        ("people/one/1.jpg", "1234"),
        ("people/one/2.jpg", "123"),
    ],
)
def test_what_changed_is_run_again(
    settings: Settings, tmp_path: Path, file: str, content: str
) -> None:
    before = run_key(settings)
    (tmp_path / "work" / file).write_text(content)
    assert run_key(settings) != before


def test_pictures_beside_their_list_are_in_the_key(settings: Settings, tmp_path: Path) -> None:
    beside = replace(settings, root=None)
    (tmp_path / "work" / "pairs.csv").write_text("a,b,same\nx.jpg,people/one/1.jpg,1\n")
    (tmp_path / "work" / "x.jpg").write_bytes(b"1")
    before = run_key(beside)
    (tmp_path / "work" / "another.jpg").write_bytes(b"1")
    assert run_key(beside) == before
    (tmp_path / "work" / "x.jpg").write_bytes(b"12")
    assert run_key(beside) != before
    (tmp_path / "work" / "x.jpg").unlink()
    assert run_key(beside) != before


def test_settings_are_in_the_key(settings: Settings) -> None:
    keys = {
        run_key(replace(settings, **changed))
        for changed in ({}, {"flip": True}, {"seed": 1}, {"detector": None}, {"root": None})
    }
    assert len(keys) == 5
