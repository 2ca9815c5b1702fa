"""All artefacts of an evaluation over the same crops, in one pass.

Only one batch of crops is in memory, however long the list is. An artefact that does not load, or
fails on the way, keeps its reason, and the others go on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from faceport.benchmarks.accuracy.cache import Pixels
from faceport.benchmarks.accuracy.crops import Crop
from faceport.benchmarks.accuracy.subjects import Subject
from faceport.benchmarks.accuracy.types import Embedded
from faceport.benchmarks.overhead import interleaved_medians
from faceport.bundle import Bundle
from faceport.errors import FaceportError
from faceport.runtime.embedder import SessionEmbedder

Progress = Callable[[int, int], None]
"""Takes how many pictures are done, and of how many."""

CROPS = 32
"""That are in memory at a time; the embedder batches them as it does anywhere."""

TIMED_CROPS = 8
"""Different faces that the timing goes round: a few, so that it is of no single one."""


@dataclass(eq=False)
class Runner:
    """One subject while it is evaluated.

    Attributes:
        subject: what is evaluated.
        embedder: the loaded model; None where there is a `problem`.
        problem: why it does not run; empty while it does.
        embedded: what came of it; filled as the crops pass.
        p50_ms: median time of one picture; None until it was measured.
    """

    subject: Subject
    embedder: SessionEmbedder | None = None
    problem: str = ""
    embedded: Embedded | None = None
    p50_ms: float | None = None

    def close(self) -> None:
        """Free the model."""
        if self.embedder is not None:
            self.embedder.close()
            self.embedder = None

    def fail(self, error: FaceportError) -> None:
        """Keep why it does not run, and nothing of what it made."""
        self.problem, self.embedded, self.p50_ms = str(error), None, None
        self.close()


@dataclass(frozen=True)
class Passed:
    """What is known of the pictures after a pass.

    Attributes:
        found: with a face.
        several: with more faces than one, of which one was chosen.
        cached: whose crop was in the cache.
        problems: name of each picture without a face, and why.
    """

    found: int
    several: int
    cached: int
    problems: tuple[tuple[str, str], ...]


@contextmanager
def opened(
    bundle: Bundle, subjects: Sequence[Subject], threads: int | None
) -> Iterator[list[Runner]]:
    """Load all subjects that can be, and close them at the end."""
    runners: list[Runner] = []
    try:
        for subject in subjects:
            runner = Runner(subject)
            runners.append(runner)
            try:
                runner.embedder = subject.open(bundle, threads)
            except FaceportError as error:
                runner.fail(error)
        yield runners
    finally:
        for runner in runners:
            runner.close()


def embed_all(
    runners: Sequence[Runner],
    crops: Iterable[Crop],
    count: int,
    *,
    flip: bool = False,
    progress: Progress | None = None,
) -> Passed:
    """Run every loaded subject over the crops and fill its `embedded`.

    Args:
        runners: of one bundle.
        crops: `count` of them, in the order of the set's pictures.
        count: of the pictures.
        flip: embed the mirror image too and fuse the two, weighted by norm.
        progress: told after every batch.
    """
    several, cached, done = 0, 0, 0
    problems: list[tuple[str, str]] = []
    found = np.zeros(count, dtype=np.bool_)
    for runner in _alive(runners):
        dim = runner.embedder.dim if runner.embedder else 0
        runner.embedded = Embedded(
            np.zeros((count, dim), np.float32), np.zeros(count, np.float32), found
        )
    for batch in _batches(crops, CROPS):
        rows, pixels = [], []
        for row, crop in enumerate(batch, done):
            several += crop.faces > 1
            cached += crop.cached
            if crop.pixels is None:
                problems.append((crop.name, crop.problem))
            else:
                rows.append(row)
                pixels.append(crop.pixels)
        found[rows] = True
        if pixels:
            for runner in _alive(runners):
                _run(runner, np.stack(pixels), rows, flip=flip)
        done += len(batch)
        if progress is not None:
            progress(done, count)
    for runner in _alive(runners):
        if runner.embedded is not None:
            kept = runner.embedded
            runner.embedded = Embedded(kept.vectors, kept.norms, found, tuple(problems))
    return Passed(int(found.sum()), several, cached, tuple(problems))


def time_all(
    runners: Sequence[Runner], crops: Sequence[Pixels], rounds: int, *, flip: bool = False
) -> None:
    """Fill every loaded subject's `p50_ms`: one crop to its vector, the input tensor included.

    The subjects take turns, so that a busy machine slows all of them alike.
    """
    alive = _alive(runners)
    if not crops or not alive or rounds < 1:
        return
    medians = interleaved_medians([_timed_call(one, crops, flip) for one in alive], rounds)
    for runner, median in zip(alive, medians, strict=True):
        if not runner.problem:
            runner.p50_ms = median


def _timed_call(runner: Runner, crops: Sequence[Pixels], flip: bool) -> Callable[[], object]:
    turns = itertools.cycle([crop[None] for crop in crops[:TIMED_CROPS]])
    return lambda: _once(runner, next(turns), flip)


def _once(runner: Runner, crop: Pixels, flip: bool) -> None:
    if runner.embedder is None:
        return
    try:
        runner.embedder.features(crop, flip=flip)
    except FaceportError as error:
        runner.fail(error)


def _run(runner: Runner, pixels: Pixels, rows: list[int], *, flip: bool) -> None:
    if runner.embedder is None or runner.embedded is None:
        return
    try:
        features = runner.embedder.features(pixels, flip=flip)
    except FaceportError as error:
        runner.fail(error)
        return
    runner.embedded.vectors[rows] = features.vectors
    runner.embedded.norms[rows] = features.norms


def _alive(runners: Sequence[Runner]) -> list[Runner]:
    return [runner for runner in runners if runner.embedder is not None]


def _batches(crops: Iterable[Crop], size: int) -> Iterator[list[Crop]]:
    remaining = iter(crops)
    while batch := list(itertools.islice(remaining, size)):
        yield batch
