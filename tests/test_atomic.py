from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from faceport import atomic
from faceport.atomic import atomic_file, atomic_folder
from faceport.errors import BundleError


def _full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_file(target, BundleError) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_appears_whole(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "b"
    if exists:
        target.mkdir()
        (target / "old").write_text("old")
    with atomic_folder(target, BundleError) as partial:
        (partial / "new").write_text("new")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_folders_are_replaced_where_the_kernel_cannot_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    test_a_folder_appears_whole(tmp_path, exists=True)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_a_stop_in_between_leaves_the_old_one(tmp_path: Path, stop: type[BaseException]) -> None:
    target = tmp_path / "b"
    target.mkdir()
    (target / "old").write_text("old")

    def interrupted() -> None:
        with atomic_folder(target, BundleError) as partial:
            (partial / "new").write_text("new")
            raise stop

    with pytest.raises(stop):
        interrupted()
    assert [p.name for p in target.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("make", [atomic_file, atomic_folder])
def test_a_full_disk_is_our_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object
) -> None:
    monkeypatch.setattr(atomic, "sync_file", _full_disk)
    monkeypatch.setattr(atomic, "sync_folder", _full_disk)
    with pytest.raises(BundleError, match="No space left"), make(tmp_path / "x", BundleError):  # type: ignore[operator]
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(BundleError, match="No such file"),
        atomic_file(tmp_path / "no" / "a", BundleError),
    ):
        pass
