from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from PIL import Image

from faceport.commands import COMMANDS, run
from faceport.commands.lazy import LazyGroup
from faceport.errors import BundleError
from faceport.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def callback() -> None:
        raise error

    command = click.Command("inspect", callback=callback)
    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: command)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("args", [["nothing"], ["inspect"], ["inspect", "a", "--no"], ["export"]])
def test_wrong_usage_is_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error" in captured.err


def test_an_unknown_command_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    run(["enrol"])
    assert ", ".join(COMMANDS) in " ".join(capsys.readouterr().err.split())


def test_our_error_is_1_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, BundleError("broken\nbundle", fix="mend it"))
    assert run(["inspect"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "faceport: error: broken bundle; mend it\n"
    assert captured.out == ""


def test_a_bug_is_3_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, ZeroDivisionError("oops"))
    assert run(["inspect"]) == 3
    assert "Traceback" in (err := capsys.readouterr().err)
    assert "bug" in err


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch, stop: BaseException) -> None:
    fail_with(monkeypatch, stop)
    assert run(["inspect"]) == 130


def test_a_reader_that_has_enough_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} cli.py --help | head -n 1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.stdout.startswith(b"Usage: faceport")
    assert done.stderr == b""


def cli(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "cli.py", *args],
        cwd=ROOT,
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_terminal_without_unicode_is_no_bug(tmp_path: Path) -> None:
    photo = tmp_path / "nø.png"
    Image.new("RGB", (8, 8)).save(photo)
    for encoding in ("ascii", "utf-8:strict"):
        done = cli("detect", str(photo), "--detector", "stub", PYTHONIOENCODING=encoding)
        assert done.returncode == 0
        assert b"stub/none" in done.stdout
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("target", "code"), [(">&-", 0), ("> /dev/full", 1)])
def test_a_stdout_that_takes_nothing_is_no_bug(target: str, code: int) -> None:
    command = f"{sys.executable} cli.py --help {target}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_polite_kill_removes_what_is_half_written(tmp_path: Path) -> None:
    script = """
import os, signal
from pathlib import Path
from faceport import commands
from faceport.bundle import write_bundle

class Half:
    def main(self, **_):
        with write_bundle(Path("m.bundle")) as folder:
            (folder / "model.onnx").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("not reached")

commands.cli = Half()
commands.main()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    assert done.returncode == 128 + 15
    assert list(tmp_path.iterdir()) == []


def test_the_launcher_and_the_installed_command_are_the_same() -> None:
    outputs = [
        subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, check=True).stdout
        for command in (
            [sys.executable, "cli.py"],
            [str(Path(sys.executable).with_name("faceport"))],
        )
    ]
    assert outputs[0] == outputs[1]
    assert all(name in outputs[0].decode() for name in COMMANDS)
