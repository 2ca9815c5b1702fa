"""Progress in a pipe: a line now and then, with the time that is left."""

from __future__ import annotations

import pytest

from faceport.commands import screen as module
from faceport.commands.screen import Screen, screen


def test_a_pipe_gets_a_line_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    shown = Screen(quiet=False)
    shown.say("cutting")
    for done in range(1, 31):
        clock[0] += 1.0
        shown.pictures(done, 600)
    assert capsys.readouterr().err.splitlines() == [
        "cutting …",
        "  10 of 600 pictures, 1.0 pictures/s, about 10 min left",
        "  20 of 600 pictures, 1.0 pictures/s, about 10 min left",
        "  30 of 600 pictures, 1.0 pictures/s, about 10 min left",
    ]


def test_quiet_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)
    with screen(quiet=True) as shown:
        shown.say("cutting")
        shown.pictures(1, 10)
    assert capsys.readouterr().err == ""
