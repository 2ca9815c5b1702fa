"""The steps of a stream: what a worker does to pictures that it was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceport.errors import FaceportError
from faceport.runtime.results import Result
from faceport.runtime.sources import divisor_of, load_source
from faceport.runtime.stream_board import Step, Task, Ticket
from faceport.runtime.stub import StubEmbedder, whole_of_bytes
from faceport.runtime.types import Detector, Embedder, Face
from faceport.spec import ColorOrder


@dataclass(frozen=True, eq=False)
class Steps:
    """A pipeline's parts and the choices of one stream.

    Attributes:
        detector: finds the faces.
        embedder: embeds them.
        color_order: of arrays.
        max_pixels: pictures of more pixels are refused.
        want_bytes: whether bytes that are no picture have an answer too (the stub's).
        flip: embed the mirror image too and fuse the two.
    """

    detector: Detector
    embedder: Embedder
    color_order: ColorOrder | None
    max_pixels: int
    want_bytes: bool
    flip: bool

    def do(self, task: Task) -> int:
        """Do a step; return the pixels that were decoded (+) or let go (-). Never raises."""
        before = _pixels(task.tickets)
        steps = {Step.DECODE: self._decode, Step.DETECT: self._detect, Step.EMBED: self._embed}
        try:
            _together_or_apart(steps[task.step], task.tickets)
        # A bug, or too little memory: the caller is told, not this thread's log.
        except BaseException as error:
            for ticket in task.tickets:
                ticket.failure = error
        for ticket in task.tickets:
            if ticket.next_step is None:
                ticket.image = ticket.found = None
        return _pixels(task.tickets) - before

    def _decode(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            loaded = load_source(
                ticket.source,
                self.color_order,
                self.max_pixels,
                want_bytes=self.want_bytes,
                divisor=divisor_of(self.detector),
            )
            if loaded.image is not None:
                ticket.image = loaded.image
            elif loaded.data is not None and isinstance(self.embedder, StubEmbedder):
                face = Face(whole_of_bytes(), self.embedder.embed_bytes(loaded.data))
                ticket.result = Result(ticket.source, (face,))
            else:
                ticket.result = Result(ticket.source, error=loaded.error)

    def _detect(self, tickets: Sequence[Ticket]) -> None:
        images = [ticket.image for ticket in tickets if ticket.image is not None]
        for ticket, found in zip(tickets, self.detector.detect(images), strict=True):
            ticket.found = found
            if not found:
                ticket.result = Result(ticket.source)

    def _embed(self, tickets: Sequence[Ticket]) -> None:
        places = [
            (ticket.image, one)
            for ticket in tickets
            if ticket.image is not None
            for one in ticket.found or ()
        ]
        embeddings = self.embedder.embed(places, flip=self.flip)
        faces = iter([Face(one, own) for (_, one), own in zip(places, embeddings, strict=True)])
        for ticket in tickets:
            ticket.result = Result(ticket.source, tuple(next(faces) for _ in ticket.found or ()))


def _together_or_apart(step: Callable[[Sequence[Ticket]], None], tickets: Sequence[Ticket]) -> None:
    """Do a step to all together; where that fails, to each alone, to find whose error it is."""
    try:
        step(tickets)
    except FaceportError as error:
        if len(tickets) == 1:
            tickets[0].result = Result(tickets[0].source, error=error)
            return
        for ticket in tickets:
            _together_or_apart(step, [ticket])


def _pixels(tickets: Sequence[Ticket]) -> int:
    images = [ticket.image for ticket in tickets if ticket.image is not None]
    return sum(image.height * image.width for image in images)
