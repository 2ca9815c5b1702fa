"""Runs commands in the test's own process, as they are typed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from faceport.commands import run


class Cli:
    """Runs a command, checks its exit code and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *before: str) -> None:
        """`before` are words that come first in every command."""
        self._capsys = capsys
        self._before = before
        self.err = ""

    def __call__(self, *args: object, code: int = 0) -> str:
        self._capsys.readouterr()
        found = run([*self._before, *(str(arg) for arg in args)])
        captured = self._capsys.readouterr()
        self.err = captured.err
        assert found == code, captured.err
        return captured.out

    def json(self, *args: object, code: int = 0) -> Any:
        return json.loads(self(*args, "--json", code=code))
