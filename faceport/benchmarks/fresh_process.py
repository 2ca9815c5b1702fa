"""The command line of a module of faceport in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import faceport

START = (
    "import sys; root, name = sys.argv[1:3]; del sys.argv[1:3]; "
    "sys.path[:] = [*filter(None, sys.path), root]; "
    "import runpy; runpy.run_module(name, run_name='__main__', alter_sys=True)"
)
"""`python -m` would look for every import in the current folder first, where a file of the user's,
or of a stranger, may be called `onnx.py`."""


def command_of(module: str, *arguments: str) -> list[str]:
    """Return what to run for `python -m module arguments`, whatever the current folder holds."""
    root = Path(faceport.__file__).resolve().parent.parent
    return [sys.executable, "-c", START, str(root), module, *arguments]
