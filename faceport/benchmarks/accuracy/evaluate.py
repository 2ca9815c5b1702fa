"""One evaluation: a bundle's artefacts over one list, on the same crops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from faceport.benchmarks.accuracy.cache import CropCache, Pixels
from faceport.benchmarks.accuracy.crops import Crop, crops_of
from faceport.benchmarks.accuracy.cutter import Cutter, DetectorChoice, detector_identity
from faceport.benchmarks.accuracy.embedding import (
    TIMED_CROPS,
    Passed,
    Progress,
    Runner,
    embed_all,
    opened,
    time_all,
)
from faceport.benchmarks.accuracy.judging import artefact_results, judged_runners
from faceport.benchmarks.accuracy.lists import open_list
from faceport.benchmarks.accuracy.panel_rows import Panel, pairs_panel, retrieval_panel
from faceport.benchmarks.accuracy.plots import ScoreSet
from faceport.benchmarks.accuracy.protocol import Judged, Protocol, protocol_of, set_hash
from faceport.benchmarks.accuracy.results import Evaluation, ModelFacts, Problem, SetFacts
from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.accuracy.subjects import sessions_without_artefact, subjects_of
from faceport.benchmarks.accuracy.types import IdentitySet, PairSet
from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.sessions import pick_sessions
from faceport.benchmarks.machine.environment import describe_machine
from faceport.bundle import Bundle
from faceport.errors import InputError
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.parts import close_part
from faceport.runtime.sessions import SessionOptions
from faceport.spec import PreprocessSpec

Say = Callable[[str], None]
"""Takes a line about what is being done."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """An evaluation and what its pictures are drawn from.

    Attributes:
        evaluation: the figures.
        scores: cosines of each artefact that ran, in their order.
        panel: None where there is nothing to show.
    """

    evaluation: Evaluation
    scores: tuple[ScoreSet, ...]
    panel: Panel | None


def evaluate(
    settings: Settings,
    *,
    cache: Path | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
    panel: bool = True,
) -> Evaluated:
    """Evaluate a bundle's artefacts over a list.

    Crops that are in the cache are not made again, so an evaluation that was interrupted goes on
    where it stopped.

    Args:
        settings: what is evaluated.
        cache: folder of crops; None keeps none.
        say: told what is being done.
        progress: told how many pictures are done.
        panel: whether to gather the pictures of the panel.

    Raises:
        InputError: settings that contradict each other or the list, pictures of a wrong size, or no
            picture with a face.
        BundleError: a bundle is missing or damaged.
        SessionError: the detector did not load or run.
        MissingDependencyError: the detector's engine is not installed.
    """
    start = time.perf_counter()
    say = say or (lambda _: None)
    bundle, listed, sessions = _opened_inputs(settings)
    protocol = protocol_of(listed, settings)
    subjects = subjects_of(bundle, settings.precisions, sessions)
    store = None if cache is None else CropCache(cache)
    with (
        _cutter(settings, listed, bundle.spec.preprocess, store) as (cutter, detector),
        opened(bundle, subjects, settings.threads) as runners,
    ):
        passed = _run(settings, listed, cutter, runners, say, progress)
        say("computing the figures")
        judged = judged_runners(runners, protocol, settings)
        shown = _panel(settings, listed, protocol, runners, judged, cutter) if panel else None
        evaluation = Evaluation(
            settings=settings,
            model=_model(bundle),
            detector=detector,
            listed=_facts(listed, passed),
            artefacts=artefact_results(runners, judged, protocol, settings),
            reference=next((one.subject.label for one in runners if not one.problem), ""),
            absent=tuple(sessions_without_artefact(bundle, sessions)),
            no_identification=protocol.no_identification,
            possible_pairs=protocol.possible_pairs,
            machine=describe_machine(),
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - start, 2),
        )
    return Evaluated(evaluation, _score_sets(runners, judged), shown)


def _opened_inputs(
    settings: Settings,
) -> tuple[Bundle, PairSet | IdentitySet, tuple[SessionChoice, ...] | None]:
    bundle = Bundle.open(settings.bundle)
    if bundle.spec.task != "embedder":
        raise InputError(
            f"{settings.bundle} is no embedder",
            received=f"task {bundle.spec.task} ({bundle.spec.arch})",
            fix="give it with --detector, and a recogniser's bundle as the first argument",
        )
    listed = open_list(settings.listing, root=settings.root, aligned=settings.aligned)
    sessions = None if settings.sessions is None else pick_sessions(settings.sessions)
    return bundle, listed, sessions


@contextmanager
def _cutter(
    settings: Settings,
    listed: PairSet | IdentitySet,
    preprocess: PreprocessSpec,
    cache: CropCache | None,
) -> Iterator[tuple[Cutter, str]]:
    """Give the cutter, and what its detector is, in words; crops need none."""
    if settings.detector is None or all(picture.aligned for picture in listed.pictures):
        yield Cutter(preprocess), ""
        return
    choice = DetectorChoice(
        settings.detector,
        SessionOptions(threads=settings.threads),
        settings.detector_backend,
        settings.detector_precision,
        score_threshold=settings.score_threshold,
        nms_threshold=settings.nms_threshold,
        min_size=settings.min_size,
    )
    detector = choice.open()
    try:
        identity = detector_identity(detector, settings.detector_precision)
        words = detector.provider
        if isinstance(detector, FaceDetector):
            spec = detector.spec
            words = f"{spec.family} {spec.arch} ({spec.fingerprint[:16]}) in {words}"
        yield Cutter(preprocess, detector, identity, settings.face, cache), words
    finally:
        close_part(detector)


def _run(
    settings: Settings,
    listed: PairSet | IdentitySet,
    cutter: Cutter,
    runners: Sequence[Runner],
    say: Say,
    progress: Progress | None,
) -> Passed:
    alive = sum(not runner.problem for runner in runners)
    say(f"{len(listed.pictures)} pictures of {listed.name}, {alive} artefacts")
    kept: list[Pixels] = []
    crops = _keeping(crops_of(listed.pictures, cutter), kept)
    count = len(listed.pictures)
    passed = embed_all(runners, crops, count, flip=settings.flip, progress=progress)
    if passed.found == 0:
        name, reason = passed.problems[0]
        raise InputError(f"no picture of {listed.name} has a face", received=f"{name}: {reason}")
    say(f"{passed.found} faces, {passed.cached} of {count} pictures known from the cache")
    if settings.timing_rounds:
        say("measuring the latency")
        time_all(runners, kept, settings.timing_rounds, flip=settings.flip)
    return passed


def _keeping(crops: Iterable[Crop], kept: list[Pixels]) -> Iterator[Crop]:
    """Pass crops on, and keep the first few for the timing."""
    for crop in crops:
        if crop.pixels is not None and len(kept) < TIMED_CROPS:
            kept.append(crop.pixels)
        yield crop


def _panel(
    settings: Settings,
    listed: PairSet | IdentitySet,
    protocol: Protocol,
    runners: Sequence[Runner],
    judged: Sequence[Judged | None],
    cutter: Cutter,
) -> Panel | None:
    for runner, answer in zip(runners, judged, strict=True):
        if answer is None or runner.embedded is None:
            continue
        panel = retrieval_panel(listed, runner.embedded, cutter, settings.seed)
        if panel is None and isinstance(listed, PairSet):
            return pairs_panel(protocol.pairs, answer.every, answer.verification.accuracy, cutter)
        return panel
    return None


def _model(bundle: Bundle) -> ModelFacts:
    spec = bundle.spec
    name = bundle.path.resolve().name
    return ModelFacts(name, spec.family, spec.arch, spec.embedding_dim or 0, spec.fingerprint)


def _facts(listed: PairSet | IdentitySet, passed: Passed) -> SetFacts:
    identities = isinstance(listed, IdentitySet)
    return SetFacts(
        name=listed.name,
        kind="identities" if identities else "pairs",
        sha256=set_hash(listed),
        pictures=len(listed.pictures),
        people=len(set(listed.labels.tolist())) if listed.labels is not None else None,
        found=passed.found,
        several=passed.several,
        problems=tuple(Problem(*problem) for problem in passed.problems),
    )


def _score_sets(runners: Sequence[Runner], judged: Sequence[Judged | None]) -> tuple[ScoreSet, ...]:
    return tuple(
        ScoreSet(
            runner.subject.label,
            answer.scores.scores[answer.scores.same],
            answer.scores.scores[~answer.scores.same],
        )
        for runner, answer in zip(runners, judged, strict=True)
        if answer is not None
    )
