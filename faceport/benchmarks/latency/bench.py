"""All of `faceport bench` but its command line: plan, measure, put the figures together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from faceport.benchmarks.latency.bounds import best_limits, bounds_of, measured_limits
from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.document import Results, Subject, write_results
from faceport.benchmarks.latency.inputs import read_inputs, write_real_inputs
from faceport.benchmarks.latency.kept import make_folder
from faceport.benchmarks.latency.planning import Plan, plan_cases, runnable
from faceport.benchmarks.latency.plots import write_plots
from faceport.benchmarks.latency.probe import absent_sessions
from faceport.benchmarks.latency.report import write_report
from faceport.benchmarks.latency.results import Settings
from faceport.benchmarks.latency.rounds import Say, measure_cases
from faceport.benchmarks.latency.stages import StageJob, Stages, measure_stages
from faceport.benchmarks.machine.environment import describe_machine
from faceport.bundle import PROOF, Bundle
from faceport.errors import MissingDependencyError
from faceport.images import load_image

STAGE_ROUNDS = 30


@dataclass(frozen=True)
class Asked:
    """What to measure of a bundle.

    Attributes:
        sessions: to combine with its artefacts.
        batches: pictures a run.
        threads: inside one operator; None leaves it to the engine.
        detector: bundle that finds the faces of the photograph.
        photo: whose faces (for a detector: which) are fed; None feeds the bundle's proof.
    """

    sessions: tuple[SessionChoice, ...]
    batches: tuple[int, ...]
    threads: tuple[int | None, ...]
    detector: Path | None = None
    photo: Path | None = None


@dataclass(frozen=True)
class _Fed:
    path: Path
    text: str


def run_bench(
    path: Path, asked: Asked, settings: Settings, folder: Path, *, resume: bool, say: Say
) -> Results:
    """Measure a bundle and write `results.json`, `report.md` and the plots into a folder.

    Raises:
        BundleError: there is no bundle, or its proof is damaged.
        InputError: a number is out of range, the photograph has no face, or the folder can't be
            written.
    """
    bundle = Bundle.open(path)
    load = _load()
    make_folder(folder)
    say("looking for engines")
    absent = absent_sessions(runnable(bundle, asked.sessions))
    plan = plan_cases(bundle, asked.sessions, asked.batches, asked.threads, absent)
    fed = _feed(bundle, asked, folder)
    machine = describe_machine()
    say("measuring what the machine can do at most")
    before = measured_limits(plan.cases, machine.cores)
    cases = measure_cases(
        plan.cases, settings, folder, inputs={bundle.path: fed.path}, resume=resume, say=say
    )
    stages = _stages(bundle, asked, plan, say)
    say("measuring once more what the machine can do at most")
    limits = best_limits([before, measured_limits(plan.cases, machine.cores)])
    inputs, _ = read_inputs(fed.path, bundle.spec)
    size = _size(bundle, inputs.shape)
    spec = bundle.spec
    results = Results(
        subject=Subject(
            bundle.path,
            f"{spec.family} {spec.arch}",
            spec.task,
            spec.fingerprint,
            fed.text,
            len(inputs),
        ),
        environment=machine,
        settings=settings,
        cases=tuple(cases),
        absent=plan.absent,
        stages=tuple(stages),
        bounds=bounds_of(cases, limits, machine.cores, {bundle.path: size}),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        load=load,
    )
    write_results(folder, results)
    plots = _plots(folder, results, say)
    write_report(folder, results, plots)
    return results


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _feed(bundle: Bundle, asked: Asked, folder: Path) -> _Fed:
    if asked.photo is None:
        bundle.checked_file(bundle.manifest.proof)
        return _Fed(bundle.path / PROOF, "the drawn pictures of the bundle's proof")
    image = load_image(asked.photo)
    path, count = write_real_inputs(bundle, image, asked.detector, folder)
    what = "the photograph" if bundle.spec.task == "detector" else f"{count} faces of"
    return _Fed(path, f"{what} {asked.photo.name}")


def _stages(bundle: Bundle, asked: Asked, plan: Plan, say: Say) -> list[Stages]:
    """Measure the pipeline with each session that is here, with the most of the threads."""
    if asked.photo is None or asked.detector is None or bundle.spec.task != "embedder":
        return []
    detector = Bundle.open(asked.detector)
    here = dict.fromkeys(case.session for case in plan.cases if case.precision == "fp32")
    most = None if None in asked.threads else max(n for n in asked.threads if n is not None)
    found = []
    for session in runnable(detector, list(here)):
        say(f"stages of the pipeline in {session.label}")
        job = StageJob(detector.path, bundle.path, asked.photo, session, most, STAGE_ROUNDS)
        found.append(measure_stages(job))
    return found


def _plots(folder: Path, results: Results, say: Say) -> Sequence[str]:
    try:
        return write_plots(folder, results)
    except MissingDependencyError as error:
        say(f"no plots: {error}")
        return ()


def _size(bundle: Bundle, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the height and width of what is fed."""
    axis = 2 if bundle.spec.preprocess.layout == "nchw" else 1
    return shape[axis], shape[axis + 1]
