"""Ultralytics' package: imported when asked for, and what its import changes is put back."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import faceport
from faceport.converters import ultralytics_package
from faceport.converters.ultralytics_package import import_ultralytics
from faceport.errors import MissingDependencyError

UNCHANGED = """
import os, sys, cv2, numpy, torch, PIL.Image
def state():
    functions = (PIL.Image.open, cv2.imread, cv2.imwrite, cv2.imshow, torch.save, torch.load)
    printed = (str(torch.arange(3.0) / 3), str(numpy.arange(3.0) / 3), cv2.getNumThreads())
    return functions, printed, dict(os.environ), list(sys.meta_path)
before = state()
import faceport.converters.convert
from faceport.converters.ultralytics_package import import_ultralytics
assert "ultralytics" not in sys.modules
tasks = import_ultralytics()
assert tasks.PoseModel
assert state() == before, (state(), before)
assert "torchvision" not in sys.modules
print("unchanged")
"""


def test_the_import_changes_nothing_prints_nothing_and_needs_no_torchvision() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNCHANGED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("unchanged\n", "")


def test_a_second_import_gives_the_same_module() -> None:
    assert import_ultralytics() is import_ultralytics() is sys.modules["ultralytics.nn.tasks"]


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ultralytics_package, "NETWORKS", "ultralytics_missing.nn.tasks")
    with pytest.raises(MissingDependencyError, match=r"ultralytics_missing is not.*\[yolo\]"):
        import_ultralytics()


def test_a_package_that_does_not_import_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_ultralytics.py").write_text("raise RuntimeError('another torch')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(ultralytics_package, "NETWORKS", "broken_ultralytics")
    with pytest.raises(MissingDependencyError, match=r"does not import.*another torch"):
        import_ultralytics()


def test_one_module_imports_it() -> None:
    root = Path(faceport.__file__).parent
    importers = [
        path.name
        for path in root.rglob("*.py")
        if re.search(
            r"^\s*(import|from) ultralytics|import_module\(NETWORKS", path.read_text(), re.M
        )
    ]
    assert importers == ["ultralytics_package.py"]
