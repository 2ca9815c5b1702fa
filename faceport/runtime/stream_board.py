"""Which pictures are on their way, and what a worker does next.

A picture goes through three steps: decode, detect, embed. A free worker takes, in this order:

1. a full batch, of the later step first, so that pictures leave soon;
2. the next picture to decode, if memory allows;
3. a batch that is not full, of the earlier step first, so that the later one's batch grows.

So nobody waits for a batch to fill while a core is idle: with a slow source each picture goes
straight through, with a fast one the batches are full.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from faceport.images import Image, ImageSource
from faceport.runtime.results import Result
from faceport.runtime.types import Detection


class Step(Enum):
    """What is done to a picture."""

    DECODE = "decode"
    DETECT = "detect"
    EMBED = "embed"


@dataclass(eq=False, slots=True)
class Ticket:
    """One picture on its way; whichever thread has taken it may change it.

    Attributes:
        source: as the caller gave it.
        image: once it is decoded, until its result is there.
        found: its faces, once they are detected.
        result: what the caller gets.
        failure: what is raised to the caller instead: an error of the source, or a bug.
    """

    source: ImageSource
    image: Image | None = None
    found: list[Detection] | None = None
    result: Result | None = None
    failure: BaseException | None = None

    @property
    def next_step(self) -> Step | None:
        """The step it waits for; None when it is done."""
        if self.result is not None or self.failure is not None:
            return None
        if self.image is None:
            return Step.DECODE
        return Step.DETECT if self.found is None else Step.EMBED


@dataclass(frozen=True)
class Limits:
    """How much is done at once.

    Attributes:
        ahead: most pictures that were read from the source and whose result was not yet taken.
        pixels: no picture is decoded while the decoded ones have so many; a bound to within the
            last picture.
        detect_pictures: of a full batch.
        embed_faces: of a full batch; the faces of one picture are not split.
        detectors: batches that may be detected side by side.
        embedders: batches that may be embedded side by side.
    """

    ahead: int
    pixels: int
    detect_pictures: int
    embed_faces: int
    detectors: int
    embedders: int

    def batch(self, step: Step) -> int:
        """Return the size of a full batch, in what `_weight` counts."""
        sizes = {Step.DETECT: self.detect_pictures, Step.EMBED: self.embed_faces}
        return sizes.get(step, 1)


@dataclass(frozen=True)
class Task:
    """A step to be done to some pictures."""

    step: Step
    tickets: tuple[Ticket, ...]


@dataclass(eq=False, slots=True)
class _Queue:
    waiting: deque[Ticket] = field(default_factory=deque)
    running: int = 0


class Board:
    """The pictures in flight, shared by the reader, the workers and the consumer."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._in_flight: deque[Ticket] = deque()
        self._queues = {step: _Queue() for step in Step}
        self._pixels = 0
        self._last_pixels = 0
        self._ended = False
        self._stopped = False

    def wait_for_room(self) -> bool:
        """Wait until one more picture may be read; False when there is no need to any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or len(self._in_flight) < self._limits.ahead
            )
            return not self._stopped

    def add(self, ticket: Ticket) -> None:
        """Take in the next picture, or the failure that ends the source."""
        with self._changed:
            self._in_flight.append(ticket)
            self._place(ticket)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no picture follows."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def next_task(self) -> Task | None:
        """Wait for something to do; None when it is time to go home."""
        with self._changed:
            while not self._stopped:
                task = self._choose()
                if task is not None:
                    self._queues[task.step].running += 1
                    return task
                self._changed.wait()
            return None

    def done(self, task: Task, pixels: int) -> None:
        """Take back the pictures of a task; `pixels` were decoded (+) or let go (-) by it."""
        with self._changed:
            self._queues[task.step].running -= 1
            self._pixels += pixels
            if task.step is Step.DECODE:
                self._last_pixels = pixels
            for ticket in task.tickets:
                self._place(ticket)
            self._changed.notify_all()

    def next_done(self) -> Ticket | None:
        """Wait for the oldest picture to be done and take it away; None after the last one."""
        with self._changed:
            self._changed.wait_for(self._oldest_is_done)
            if not self._in_flight:
                return None
            ticket = self._in_flight.popleft()
            self._changed.notify_all()
            return ticket

    def stop(self) -> None:
        """Send everybody home after what they are doing."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _oldest_is_done(self) -> bool:
        return self._in_flight[0].next_step is None if self._in_flight else self._ended

    def _place(self, ticket: Ticket) -> None:
        step = ticket.next_step
        if step is not None:
            self._queues[step].waiting.append(ticket)

    def _choose(self) -> Task | None:
        for step in (Step.EMBED, Step.DETECT):
            if self._may_start(step) and self._is_full(step):
                return self._taken(step)
        for step in Step:
            if self._may_start(step):
                return self._taken(step)
        return None

    def _may_start(self, step: Step) -> bool:
        queue = self._queues[step]
        if not queue.waiting:
            return False
        if step is Step.DETECT:
            return queue.running < self._limits.detectors
        if step is Step.EMBED:
            return queue.running < self._limits.embedders
        # The pictures being decoded are taken to be as large as the last one.
        expected = self._pixels + queue.running * self._last_pixels
        return expected < self._limits.pixels or not (self._pixels or queue.running)

    def _is_full(self, step: Step) -> bool:
        waiting = self._queues[step].waiting
        return sum(_weight(step, ticket) for ticket in waiting) >= self._limits.batch(step)

    def _taken(self, step: Step) -> Task:
        """Take the oldest pictures that fit into one batch, at least one."""
        waiting = self._queues[step].waiting
        tickets = [waiting.popleft()]
        total = _weight(step, tickets[0])
        while waiting and (total := total + _weight(step, waiting[0])) <= self._limits.batch(step):
            tickets.append(waiting.popleft())
        return Task(step, tuple(tickets))


def _weight(step: Step, ticket: Ticket) -> int:
    """What a picture counts in a batch: its faces where they are embedded, else one."""
    return len(ticket.found or ()) if step is Step.EMBED else 1
