"""A process that changes a gallery until it is killed, and says on stdout what is done.

    python gallery_worker.py JOB.json

The job: `location`, `operations` (gallery_model's), and where wanted `max_bytes` (the largest file
that the process may write), `key` (hexadecimal), `index` (its kind), `reopen` (whether to close and
open the gallery after every operation), `every_statement` (a folder: see there), `hashes` (false:
the samples have none).
Lines: `opening`, `ready`, the number of each finished operation, `error TYPE: MESSAGE`, `end`.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gallery_model as model

if TYPE_CHECKING:
    from faceport.gallery import Gallery


def say(text: str) -> None:
    # Unbuffered: what was said before a kill has been said.
    os.write(1, f"{text}\n".encode())


def change(job: dict[str, Any]) -> None:
    """Do all operations of a job."""
    from faceport.errors import FaceportError

    if "max_bytes" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["max_bytes"], resource.RLIM_INFINITY))
    say("opening")
    try:
        gallery = _opened(job)
        say("ready")
        for number, operation in enumerate(job["operations"]):
            model.perform(gallery, operation)
            if job.get("reopen"):
                gallery.close()
                gallery = _opened(job)
            say(str(number))
        gallery.close()
        say("end")
    except FaceportError as error:
        say(f"error {type(error).__name__}: {error}")


def every_statement(job: dict[str, Any]) -> None:
    """Do each operation on copies of the gallery, killed before its 1st, 2nd, … SQL statement.

    Says `killed` for each kill, after which the copy was sound and held the old or the new.
    """
    folder = Path(job["every_statement"])
    copy = {**job, "location": str(folder / Path(job["location"]).name)}
    _copy(job, folder)
    before = _sound(copy)
    for operation in job["operations"]:
        possible = [before, model.after(before, operation)]
        statement = 0
        while _killed(job, copy, operation, statement):
            assert _sound(copy) in possible
            say("killed")
            statement += 1
        assert _sound(copy) == possible[1]


def _copy(job: dict[str, Any], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(job["location"]).parent, folder)


def _killed(
    job: dict[str, Any], copy: dict[str, Any], operation: model.Operation, statement: int
) -> bool:
    _copy(job, Path(job["every_statement"]))
    child = os.fork()
    if child == 0:
        _kill_before(statement)
        with _opened(copy) as gallery:
            model.perform(gallery, operation)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0
    return False


def _kill_before(statement: int) -> None:
    left = [statement]

    def count(_: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    connect = sqlite3.connect

    def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


def _sound(job: dict[str, Any]) -> model.State:
    with _opened(job) as gallery:
        assert gallery.check() == []
        found = model.read(gallery, hashes=job.get("hashes", True))
        model.check_templates(gallery, found)
    return found


def _opened(job: dict[str, Any]) -> Gallery:
    from faceport.gallery import Gallery

    return Gallery.open(job["location"], key=_key(job), index=job.get("index", "exact"))


def _key(job: dict[str, Any]) -> bytes | None:
    return bytes.fromhex(job["key"]) if job.get("key") else None


def main(job: dict[str, Any]) -> None:
    if "every_statement" in job:
        every_statement(job)
    else:
        change(job)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
