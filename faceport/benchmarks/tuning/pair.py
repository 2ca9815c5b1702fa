"""A detector and an embedder tuned together: what is fastest alone may not be so side by side.

Threads that one engine keeps awake, or pools of two engines on the same cores, slow the other model
(docs/performance.md). So each is screened alone, and the best few of both are timed as a whole
pipeline, each combination in fresh processes.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.benchmarks.tuning.choosing import device_file, judged
from faceport.benchmarks.tuning.losses import faces_differ, pipeline_loss
from faceport.benchmarks.tuning.pipeline_run import PipelineAnswer, PipelineJob, run_pipeline
from faceport.benchmarks.tuning.real_faces import write_faces, write_pictures
from faceport.benchmarks.tuning.results import (
    Candidate,
    Combination,
    Goal,
    Objective,
    Tuned,
    Tuning,
)
from faceport.benchmarks.tuning.screening import TOGETHER, Bench, Judge, Say, screen
from faceport.benchmarks.tuning.setups import Candidates, Setup, batches_for, find_candidates
from faceport.benchmarks.tuning.single import (
    DETECTOR_BATCHES,
    Asked,
    Faces,
    detector_loss,
    faces_text,
    fp32_setup,
    reference_faces,
)
from faceport.bundle import Bundle
from faceport.errors import InputError

DETECTORS, EMBEDDERS = 3, 4
"""How many of each are combined."""
RUNS = 15
LEFT = (99, 99, 6, 6, 3, 3, 3)
"""How many combinations are in each round; the default is in all of them."""
MOST_FACES = 16
"""Largest batch that is tried by default: the pipeline gathers no more pictures."""


def tune_pair(
    embedder: Bundle, detector: Bundle, asked: Asked, goal: Goal, folder: Path, say: Say
) -> Tuned:
    """Tune both for one process.

    Raises:
        InputError: nothing runs within the limit, or there is no face.
        BundleError: nothing of a bundle can run here, or one has no fp32 artefact.
        SessionError: the reference did not run.
    """
    reference = reference_faces(detector, embedder, asked.photos, say)
    on = faces_text(reference)
    finders = _screened_detectors(detector, embedder, asked, goal, folder, reference, say)
    makers = _screened_embedders(embedder, detector, asked, goal, folder, reference, say)
    default = Combination(fp32_setup(detector), fp32_setup(embedder), None)
    pairs = [
        Combination(finder.setup, maker.setup, maker.best.batch)
        for finder in finders.finalists
        for maker in makers.finalists
    ]
    if not pairs:
        raise InputError(
            "nothing of the two bundles runs within the limit",
            expected=f"cosine loss of {goal.max_cosine_loss:g} at most",
            fix="allow more with --max-cosine-loss",
        )
    base, measured = _timed_pairs([default, *pairs], asked.photos, reference, goal, say)
    best = _best(base, measured, goal)
    models = (
        _tuning(finders, best.detector, None, goal, on),
        _tuning(makers, best.embedder, best.batch, goal, on),
    )
    return Tuned(goal, models, base, tuple(measured))


@dataclass(frozen=True)
class _Screened:
    """What came of one of the two models alone."""

    bundle: Bundle
    objective: Objective
    found: Candidates
    base: Candidate | None
    candidates: tuple[Candidate, ...]

    @property
    def finalists(self) -> list[Candidate]:
        return [c for c in self.candidates if c.final and not c.out]


def _screened_detectors(
    detector: Bundle,
    embedder: Bundle,
    asked: Asked,
    goal: Goal,
    folder: Path,
    reference: Faces,
    say: Say,
) -> _Screened:
    inputs = write_pictures(detector, asked.photos, folder)
    batches = batches_for(detector.spec, DETECTOR_BATCHES)
    wanted = replace(goal, objective="latency")
    bench = Bench(wanted, batches, inputs, folder, say, DETECTORS, TOGETHER)
    judge = detector_loss(fp32_setup(embedder), asked.photos, reference, goal, say)
    return _screened(detector, asked, bench, judge)


def _screened_embedders(
    embedder: Bundle,
    detector: Bundle,
    asked: Asked,
    goal: Goal,
    folder: Path,
    reference: Faces,
    say: Say,
) -> _Screened:
    inputs = write_faces(embedder, detector.path, asked.photos, folder)
    faces = round(statistics.median(len(found) for found in reference if found))
    batches = batches_for(embedder.spec, asked.batches or (1, min(faces, MOST_FACES)))
    # What a face takes among the others of its picture is what counts in a pipeline.
    wanted = replace(goal, objective="throughput")
    bench = Bench(wanted, batches, inputs, folder, say, EMBEDDERS, TOGETHER)

    def judge(candidate: Candidate) -> Candidate:
        return judged(candidate, candidate.loss, goal)

    return _screened(embedder, asked, bench, judge)


def _screened(bundle: Bundle, asked: Asked, bench: Bench, judge: Judge) -> _Screened:
    # Spinning threads were never faster with a second model in the process, and they would crowd
    # out what is.
    sessions = [session for session in asked.sessions if not session.spinning]
    found = find_candidates(bundle, sessions, asked.threads)
    base, candidates = screen(bench, found.default, found.setups, judge)
    return _Screened(bundle, bench.goal.objective, found, base, tuple(candidates))


def _timed_pairs(
    pairs: Sequence[Combination], photos: Sequence[Path], reference: Faces, goal: Goal, say: Say
) -> tuple[Combination, list[Combination]]:
    """Time pairs in rounds, fewer of them as it goes on; the first, the default, in all of them.

    Returns:
        The default, and the others: those in the most rounds first, those that are out last.
    """
    order = random.Random(0)
    names = tuple(map(str, photos))
    found = list(pairs)
    for number, most in enumerate(LEFT, 1):
        left = [0, *_fastest(found, number - 1)[:most]]
        order.shuffle(left)
        for place, index in enumerate(left, 1):
            say(f"pipeline, round {number} of {len(LEFT)}: {place} of {len(left)}")
            pair = found[index]
            job = PipelineJob(pair.detector, pair.embedder, pair.batch, names, RUNS, number == 1)
            found[index] = _with_round(pair, run_pipeline(job), reference, goal)
    return found[0], sorted(found[1:], key=_rank)


def _fastest(found: Sequence[Combination], rounds: int) -> list[int]:
    """Return the places of those that were in all rounds so far, the fastest first."""
    there = [i for i, pair in enumerate(found) if i and pair.rounds == rounds and not pair.out]
    return sorted(there, key=lambda i: found[i].p50_ms or 0.0)


def _with_round(
    pair: Combination, answer: PipelineAnswer, reference: Faces, goal: Goal
) -> Combination:
    if answer.problem or answer.p50_ms is None:
        return replace(pair, out=answer.problem or "it was not timed")
    judged = _judged_pair(pair, answer, reference, goal) if answer.faces else pair
    best = min(answer.p50_ms, pair.p50_ms or answer.p50_ms)
    return replace(judged, p50_ms=best, rounds=pair.rounds + 1)


def _judged_pair(
    pair: Combination, answer: PipelineAnswer, reference: Faces, goal: Goal
) -> Combination:
    if differ := faces_differ(answer.faces, reference):
        return replace(pair, out=differ)
    loss = pipeline_loss(answer.faces, reference)
    above = loss > goal.max_cosine_loss
    out = f"together above the limit of {goal.max_cosine_loss:g}" if above else ""
    return replace(pair, loss=loss, out=out)


def _rank(pair: Combination) -> tuple[bool, int, float]:
    return bool(pair.out), -pair.rounds, pair.p50_ms or float("inf")


def _best(base: Combination, pairs: Sequence[Combination], goal: Goal) -> Combination:
    there = [p for p in (base, *pairs) if p.p50_ms is not None and not p.out]
    if not there:
        raise InputError(
            "no combination of the two bundles stays within the limit",
            received="; ".join(dict.fromkeys(p.out for p in (base, *pairs))),
            expected=f"cosine loss of {goal.max_cosine_loss:g} at most",
            fix="allow more with --max-cosine-loss",
        )
    # Those that were given up after the first round come last.
    return min(there, key=_rank)


def _tuning(screened: _Screened, setup: Setup, batch: int | None, goal: Goal, on: str) -> Tuning:
    there = [*screened.finalists, *([screened.base] if screened.base else [])]
    chosen = next(candidate for candidate in there if candidate.setup == setup)
    file = device_file(screened.bundle, chosen, goal, on, batch or chosen.best.batch)
    return Tuning(
        screened.bundle.path,
        screened.bundle.spec.task,
        screened.objective,
        on,
        screened.base,
        screened.candidates,
        screened.found.absent,
        chosen,
        file,
    )
