"""A module of faceport run in a process of its own: one JSON document in, one out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from faceport.benchmarks.fresh_process import command_of


class ProcessFailure(Exception):
    """A process ended without an answer; the text says why. Never leaves this package."""


def run_module(module: str, question: str, seconds: float) -> Any:
    """Run a module in a fresh process, hand it a JSON text, and return what it answers.

    Args:
        module: to run.
        question: written to its standard input.
        seconds: after which it is killed.

    Raises:
        ProcessFailure: it was killed, failed, or answered nothing.
    """
    command = command_of(module)
    try:
        done = subprocess.run(
            command, input=question, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessFailure(f"no answer within {seconds:g} s") from error
    except OSError as error:
        raise ProcessFailure(f"the process did not start: {error}") from error
    if done.returncode < 0:
        raise ProcessFailure(f"the process was killed by {_signal(-done.returncode)}")
    lines = done.stderr.strip().splitlines()
    last = lines[-1] if lines else "no message"
    if done.returncode > 0:
        raise ProcessFailure(f"the process failed: {last}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise ProcessFailure(f"the process gave no answer: {last}") from error


@contextmanager
def speak_json() -> Iterator[Callable[[object], None]]:
    """Give a function that answers; whatever engines print meanwhile goes to stderr."""
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(value: object) -> None:
        with os.fdopen(out, "w", encoding="utf-8") as stream:
            json.dump(value, stream, allow_nan=False)

    yield answer


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name
