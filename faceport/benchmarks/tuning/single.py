"""One bundle tuned on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.tuning.choosing import choose, device_file, judged
from faceport.benchmarks.tuning.losses import faces_differ, pipeline_loss
from faceport.benchmarks.tuning.pipeline_run import FoundFace, PipelineJob, run_pipeline
from faceport.benchmarks.tuning.real_faces import write_pictures
from faceport.benchmarks.tuning.results import Candidate, Goal, Tuned, Tuning
from faceport.benchmarks.tuning.screening import ALONE, FINALISTS, Bench, Judge, Say, screen
from faceport.benchmarks.tuning.setups import (
    Candidates,
    Setup,
    batches_for,
    default_setup,
    find_candidates,
)
from faceport.bundle import PROOF_INPUT, Bundle
from faceport.errors import BundleError, InputError, SessionError
from faceport.images import load_image

EMBEDDER_BATCHES = (1, 8)
DETECTOR_BATCHES = (1,)

Faces = tuple[tuple[FoundFace, ...], ...]


@dataclass(frozen=True)
class Asked:
    """What to try.

    Attributes:
        sessions: to combine with every artefact.
        threads: thread counts of the CPU.
        batches: pictures a run; None chooses.
        photos: photographs with faces; empty takes the bundle's proof.
    """

    sessions: tuple[SessionChoice, ...]
    threads: tuple[int, ...]
    batches: tuple[int, ...] | None = None
    photos: tuple[Path, ...] = ()


def tune_by_proof(bundle: Bundle, asked: Asked, goal: Goal, folder: Path, say: Say) -> Tuned:
    """Tune a bundle by the pictures of its proof.

    Those are drawn, not photographed: they show whether an engine computes what it should, and only
    roughly what a lower precision costs on faces.

    Raises:
        InputError: nothing runs within the limit.
        BundleError: nothing of the bundle can run here.
    """
    pictures = len(bundle.proof()[PROOF_INPUT])
    of = "embeddings" if bundle.spec.detector is None else "raw outputs"
    on = f"{of} of {_counted(pictures, 'drawn picture')} of the bundle's proof"
    usual = EMBEDDER_BATCHES if bundle.spec.detector is None else DETECTOR_BATCHES
    batches = batches_for(bundle.spec, asked.batches or usual)
    bench = Bench(goal, batches, None, folder, say, FINALISTS, ALONE)
    found = find_candidates(bundle, asked.sessions, asked.threads)

    def loss(candidate: Candidate) -> Candidate:
        return judged(candidate, candidate.loss, goal)

    return Tuned(goal, (tuned(bundle, found, bench, loss, on),))


def tune_detector(
    bundle: Bundle, embedder: Bundle, asked: Asked, goal: Goal, folder: Path, say: Say
) -> Tuned:
    """Tune a detector by what its detections do to embeddings of real faces.

    Raises:
        InputError: nothing runs within the limit, or there is no face.
        BundleError: nothing of the bundle can run here, or one has no fp32 artefact.
        SessionError: the reference did not run.
    """
    reference = reference_faces(bundle, embedder, asked.photos, say)
    batches = batches_for(bundle.spec, asked.batches or DETECTOR_BATCHES)
    inputs = write_pictures(bundle, asked.photos, folder)
    bench = Bench(goal, batches, inputs, folder, say, FINALISTS, ALONE)
    found = find_candidates(bundle, asked.sessions, asked.threads)
    loss = detector_loss(fp32_setup(embedder), asked.photos, reference, goal, say)
    return Tuned(goal, (tuned(bundle, found, bench, loss, faces_text(reference)),))


def tuned(bundle: Bundle, found: Candidates, bench: Bench, judge: Judge, on: str) -> Tuning:
    """Screen a bundle's candidates and choose; the device file is made and not yet written."""
    base, candidates = screen(bench, found.default, found.setups, judge)
    chosen = choose(bundle, [base, *candidates], bench.goal)
    file = device_file(bundle, chosen, bench.goal, on, chosen.best.batch)
    task = bundle.spec.task
    return Tuning(
        bundle.path,
        task,
        bench.goal.objective,
        on,
        base,
        tuple(candidates),
        found.absent,
        chosen,
        file,
    )


def detector_loss(
    embedder: Setup, photos: Sequence[Path], reference: Faces, goal: Goal, say: Say
) -> Judge:
    """Return a function that runs a detector's candidate on photographs and judges the embeddings.

    A face missed or found more puts it out. Threads change no result worth measuring again.
    """
    known: dict[tuple[str, SessionChoice], Candidate] = {}

    def loss(candidate: Candidate) -> Candidate:
        setup = candidate.setup
        key = (setup.artefact, replace(setup.session, spinning=False))
        if key not in known:
            say(f"comparing detections: {setup.label}")
            known[key] = _compared(candidate, embedder, photos, reference, goal)
        return replace(candidate, loss=known[key].loss, out=candidate.out or known[key].out)

    return loss


def _compared(
    candidate: Candidate, embedder: Setup, photos: Sequence[Path], reference: Faces, goal: Goal
) -> Candidate:
    answer = run_pipeline(
        PipelineJob(candidate.setup, embedder, None, tuple(map(str, photos)), 0, compare=True)
    )
    if answer.problem:
        return replace(candidate, loss=None, out=answer.problem)
    if differ := faces_differ(answer.faces, reference):
        return replace(candidate, loss=None, out=differ)
    return judged(candidate, pipeline_loss(answer.faces, reference), goal)


def reference_faces(detector: Bundle, embedder: Bundle, photos: Sequence[Path], say: Say) -> Faces:
    """Return the faces of photographs as both models give them in fp32.

    Raises:
        InputError: there is no face, or a photograph can't be read.
        BundleError: a bundle has no fp32 artefact.
        SessionError: a model did not run.
    """
    for photo in photos:
        # Read here, where an error says what is wrong with a photograph.
        load_image(photo)
    say("finding the faces with the fp32 reference")
    answer = run_pipeline(
        PipelineJob(
            fp32_setup(detector), fp32_setup(embedder), None, tuple(map(str, photos)), 0, True
        )
    )
    if answer.problem:
        raise SessionError(f"the fp32 reference did not run: {answer.problem}")
    if not any(answer.faces):
        names = ", ".join(photo.name for photo in photos[:3])
        raise InputError(f"no face was found in {names}", fix="give photographs with faces")
    return answer.faces


def fp32_setup(bundle: Bundle) -> Setup:
    """Return what is compared with.

    Raises:
        BundleError: the bundle has no fp32 artefact.
    """
    setup = default_setup(bundle)
    if setup is None:
        raise BundleError(
            f"{bundle.path} has no fp32 artefact to compare with",
            received=", ".join(a.precision for a in bundle.manifest.artefacts),
            fix="export the checkpoint again with --precision fp32 among others",
        )
    return setup


def faces_text(reference: Faces) -> str:
    """Return what the loss is measured on, in words."""
    return (
        f"{_counted(sum(map(len, reference)), 'face')} of {_counted(len(reference), 'photograph')}"
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
