"""Shards on the cores of this machine: one process a worker, each with models of its own.

A worker that dies (out of memory, `kill -9`, a crash in a decoder) is replaced, and its shard begun
again; a shard that three of them died on ends the run. Whatever ends the run, no worker is left.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from faceport.datasets.job import Done, Job, ShardEmbedder
from faceport.errors import DatasetError, FaceportError

MOST_DEATHS = 3
"""Workers that may die on one shard."""

PR_SET_PDEATHSIG = 1


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int | None = None

    def give(self, number: int) -> None:
        self.number = number
        try:
            self.pipe.send(number)
        except OSError:
            # It has just died, which `answer` will tell.
            return

    def answer(self) -> Done | str | None:
        """Return what it sends; None if it is dead."""
        try:
            said: Done | str = self.pipe.recv()
        except (EOFError, OSError):
            return None
        return said

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run_local(job: Job, numbers: Sequence[int], workers: int) -> Generator[Done, None, None]:
    """Embed shards, and give each as it is done, in no fixed order.

    Raises:
        DatasetError: a worker met an error that is not one picture's, or died too often.
    """
    waiting, deaths = deque(numbers), Counter[int]()
    crew: list[_Worker] = []
    try:
        while waiting or any(worker.number is not None for worker in crew):
            _set_to_work(crew, waiting, workers, job)
            for worker in _ready(crew):
                number, answer = worker.number, worker.answer()
                worker.number = None
                if isinstance(answer, Done):
                    yield answer
                elif isinstance(answer, str):
                    raise DatasetError(answer)
                else:
                    crew.remove(worker)
                    worker.end()
                    if number is not None:
                        _count_death(number, deaths)
                        waiting.appendleft(number)
    finally:
        for worker in crew:
            worker.end()


def _set_to_work(crew: list[_Worker], waiting: deque[int], workers: int, job: Job) -> None:
    """Give a shard to everyone who has none, with as many workers as there is work for."""
    for worker in crew:
        if worker.number is None and waiting:
            worker.give(waiting.popleft())
    while len(crew) < workers and waiting:
        worker = _started(job)
        crew.append(worker)
        worker.give(waiting.popleft())


def _started(job: Job) -> _Worker:
    # Not forked: this process may have threads, of a progress bar or a model.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_work, args=(theirs, job, os.getpid()), name="faceport-shards", daemon=True
    )
    process.start()
    # Else its death would not close the pipe.
    theirs.close()
    return _Worker(process, ours)


def _ready(crew: Sequence[_Worker]) -> list[_Worker]:
    ready = wait([worker.pipe for worker in crew])
    return [worker for worker in crew if worker.pipe in ready]


def _count_death(number: int, deaths: Counter[int]) -> None:
    deaths[number] += 1
    if deaths[number] >= MOST_DEATHS:
        raise died_too_often(number)


def died_too_often(number: int) -> DatasetError:
    """Return the error of a shard that nobody survives."""
    return DatasetError(
        f"{MOST_DEATHS} workers died on shard {number}",
        fix="the memory may be too small for so many workers, or one of the shard's pictures "
        "crashes its decoder; smaller shards (in a new --output) narrow it down",
    )


def _work(pipe: Connection, job: Job, parent: int) -> None:
    """Embed what the pipe asks for until it closes; runs in a process of its own."""
    # Ctrl-C goes to everyone at the terminal; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent)
    embedder = ShardEmbedder(job)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        try:
            answer: Done | str = embedder.embed(number)
        except FaceportError as error:
            answer = str(error)
        pipe.send(answer)


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, however that ends."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the kernel was asked.
        os._exit(1)
