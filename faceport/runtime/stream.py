"""Pictures through a pipeline with all cores at work, results in order.

A reader takes pictures from the caller's source, workers decode, detect and embed, and the caller
gets the results. All are threads: what takes the time (decoding, the models, OpenCV) lets other
threads run meanwhile. See `stream_board` for who does what when, and `docs/adr/0085`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator

from faceport.errors import InputError
from faceport.images import ImageSource
from faceport.runtime.device import usable_cores
from faceport.runtime.embedder import CPU_BATCH, SessionEmbedder
from faceport.runtime.reduced import ReducingEmbedder
from faceport.runtime.results import Result
from faceport.runtime.sessions.base import parallel_limit
from faceport.runtime.stream_board import Board, Limits, Ticket
from faceport.runtime.stream_steps import Steps
from faceport.runtime.stub import StubDetector, StubEmbedder

CPU_PICTURES = 1
"""Pictures a detector's run on a CPU: more of them are no faster, and hold memory."""

DEVICE_PICTURES = 8
"""Pictures a detector's run on another device, which a single picture does not fill."""

PIXELS_A_WORKER = 16_000_000
"""Decoded pixels held for each worker, of 3 bytes: a picture of 12 megapixels and small ones."""

GRACE_S = 1.0
"""How long an ending stream waits for its source to give what it was asked for."""


def stream(
    steps: Steps, sources: Iterable[ImageSource], *, workers: int | None, ahead: int | None
) -> Generator[Result, None, None]:
    """Check the arguments and give the results; see `Pipeline.stream`.

    Raises:
        InputError: a number is below 1.
    """
    for name, value in (("workers", workers), ("ahead", ahead)):
        if value is not None and not (isinstance(value, int) and value >= 1):
            raise InputError(
                name, received=repr(value), expected="a whole number of 1 or more, or None"
            )
    count = workers or usable_cores()
    return _results(steps, iter(sources), count, limits_for(steps, count, ahead))


def limits_for(steps: Steps, workers: int, ahead: int | None = None) -> Limits:
    """Choose batches and bounds for a number of workers.

    A batch is no larger than half of what is in flight: else all others would wait for it.
    """
    faces = _faces_a_run(steps.embedder, steps.flip)
    pictures = CPU_PICTURES if _on_cpu(steps.detector) else DEVICE_PICTURES
    ahead = ahead or 2 * max(faces, pictures) + 4 * workers
    most = max(1, ahead // 2)
    return Limits(
        ahead=ahead,
        pixels=PIXELS_A_WORKER * workers,
        detect_pictures=min(pictures, most),
        embed_faces=min(faces, most),
        detectors=_parallel(steps.detector, workers),
        embedders=_parallel(steps.embedder, workers),
    )


def _results(
    steps: Steps, sources: Iterator[ImageSource], workers: int, limits: Limits
) -> Generator[Result, None, None]:
    board = Board(limits)
    # Daemons, so that a source that never gives another picture does not keep the process alive.
    reader = threading.Thread(
        target=_read, args=(board, sources), name="faceport-read", daemon=True
    )
    crew = [
        threading.Thread(target=_work, args=(board, steps), name=f"faceport-{n}", daemon=True)
        for n in range(workers)
    ]
    started: list[threading.Thread] = []
    try:
        for thread in (*crew, reader):
            thread.start()
            started.append(thread)
        while (ticket := board.next_done()) is not None:
            if ticket.failure is not None:
                raise ticket.failure
            if ticket.result is not None:
                yield ticket.result
    finally:
        board.stop()
        for thread in started:
            thread.join(GRACE_S if thread is reader else None)


def _read(board: Board, sources: Iterator[ImageSource]) -> None:
    while board.wait_for_room():
        try:
            ticket = Ticket(next(sources))
        except StopIteration:
            board.end()
            return
        # Whatever the caller's own code raises is the caller's, who gets it in its turn.
        except BaseException as error:
            board.add(Ticket("", failure=error))
            return
        board.add(ticket)


def _work(board: Board, steps: Steps) -> None:
    while (task := board.next_task()) is not None:
        board.done(task, steps.do(task))


def _on_cpu(part: object) -> bool:
    """Whether a part runs on the CPU; the stub and a caller's own are taken to."""
    session = getattr(part, "session", None)
    return session is None or getattr(session, "provider", "cpu") == "cpu"


def _parallel(part: object, workers: int) -> int:
    """Return how many threads may use a part at once; one a caller wrote may not be made for it."""
    if isinstance(part, StubDetector | StubEmbedder):
        return workers
    session = getattr(part, "session", None)
    limit = 1 if session is None else parallel_limit(session)
    return workers if limit is None else min(limit, workers)


def _faces_a_run(embedder: object, flip: bool) -> int:
    models = SessionEmbedder, ReducingEmbedder
    most = embedder.batch if isinstance(embedder, models) else CPU_BATCH
    return max(1, most // 2) if flip else most
