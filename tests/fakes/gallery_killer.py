"""Starts workers on a gallery and kills them with SIGKILL at random moments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery_model import Operation

WORKER = Path(__file__).with_name("gallery_worker.py")
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Outcome:
    """How far a worker came.

    Attributes:
        acknowledged: how many operations it said were done.
        killed: whether the kill met it alive.
        errors: the faceport errors that it said.
        lines: all that it said.
    """

    acknowledged: int
    killed: bool
    errors: tuple[str, ...]
    lines: tuple[str, ...]


def start(
    folder: Path, location: str, operations: Sequence[Operation], **job: Any
) -> subprocess.Popen[str]:
    """Start a worker; its job is written into `folder`."""
    file = folder / f"job{time.monotonic_ns()}.json"
    file.write_text(json.dumps({"location": location, "operations": list(operations), **job}))
    command = [sys.executable, str(WORKER), str(file)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def wait_for(worker: subprocess.Popen[str], word: str) -> None:
    """Read a worker's lines up to `word`."""
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.strip() == word:
            return
    assert worker.stderr is not None
    raise AssertionError(f"the worker never said {word}: {worker.stderr.read()}")


def finish(worker: subprocess.Popen[str]) -> Outcome:
    """Wait for a worker's end and read what it said."""
    assert worker.stdout is not None
    assert worker.stderr is not None
    # Not communicate(): it would miss what `wait_for` has read ahead.
    out, err = worker.stdout.read(), worker.stderr.read()
    worker.stdout.close()
    worker.stderr.close()
    worker.wait(timeout=60)
    lines = tuple(out.splitlines())
    errors = tuple(line for line in lines if line.startswith("error "))
    assert "Traceback" not in err, err
    killed = worker.returncode == -9
    assert killed or worker.returncode == 0, (worker.returncode, out, err)
    return Outcome(sum(line.isdigit() for line in lines), killed, errors, lines)


def kill_after(worker: subprocess.Popen[str], word: str, seconds: float) -> Outcome:
    """Kill a worker so many seconds after it said `word`."""
    wait_for(worker, word)
    time.sleep(seconds)
    worker.kill()
    return finish(worker)


def report(what: str, **figures: int) -> None:
    """Add a line of JSON to the file that FACEPORT_TEST_REPORT names, for a long run."""
    path = os.environ.get("FACEPORT_TEST_REPORT")
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps({"what": what, **figures}) + "\n")
