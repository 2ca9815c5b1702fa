"""From a bundle, sessions, batches and threads to the cases to measure, and what can't be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faceport.benchmarks.latency.cases import Case, SessionChoice
from faceport.benchmarks.latency.results import Absent
from faceport.bundle import Artefact, Bundle
from faceport.errors import BundleIntegrityError, InputError
from faceport.runtime.sessions import BACKEND_FORMATS, DEVICE_FORMATS
from faceport.runtime.verify import engine_limit

EVERY = "every session"
CPU = "cpu"


@dataclass(frozen=True)
class Plan:
    """What to measure of a bundle, and why the rest is not."""

    cases: tuple[Case, ...]
    absent: tuple[Absent, ...]


def plan_cases(
    bundle: Bundle,
    sessions: Sequence[SessionChoice],
    batches: Sequence[int],
    threads: Sequence[int | None],
    absent: Mapping[SessionChoice, str],
) -> Plan:
    """Combine every artefact with every session that runs its format, batch and thread count.

    Threads are the CPU's: on a GPU or another device there is one case with the engine's own.

    Args:
        bundle: whose artefacts are to run; their hashes are checked.
        sessions: to combine with.
        batches: pictures a run.
        threads: inside one operator.
        absent: sessions that can't be opened here, with the reason.

    Raises:
        InputError: a batch or thread count is below 1.
    """
    numbers = (*batches, *(count for count in threads if count is not None))
    if not batches or not threads or min(numbers, default=0) < 1:
        raise InputError(
            "batch and threads",
            received=", ".join(map(str, numbers)) or "none",
            expected="whole numbers of 1 or more",
        )
    problems = [Absent(session.label, "", reason) for session, reason in absent.items()]
    problems += _without_artefact(bundle, sessions)
    cases: list[Case] = []
    for artefact in bundle.manifest.artefacts:
        fitting = [s for s in sessions if artefact.format in BACKEND_FORMATS[s.backend]]
        there = [session for session in fitting if session not in absent]
        try:
            bundle.checked_file(artefact.file)
        except BundleIntegrityError as error:
            problems.append(Absent(EVERY, artefact.file.path, str(error)))
            continue
        fits, too_large = _batches(bundle, artefact, batches)
        if too_large and there:
            problems.append(Absent(EVERY, artefact.file.path, too_large))
        cases += [
            _case(bundle, artefact, session, count, batch)
            for batch in fits
            for session in there
            for count in _threads(session, threads)
        ]
    return Plan(tuple(cases), tuple(problems))


def runnable(bundle: Bundle, sessions: Sequence[SessionChoice]) -> list[SessionChoice]:
    """Return the sessions that run a format which the bundle has."""
    there = {artefact.format for artefact in bundle.manifest.artefacts}
    return [s for s in sessions if there.intersection(BACKEND_FORMATS[s.backend])]


def _without_artefact(bundle: Bundle, sessions: Sequence[SessionChoice]) -> Iterator[Absent]:
    fitting = runnable(bundle, sessions)
    for session in sessions:
        if session in fitting:
            continue
        (format, *_) = BACKEND_FORMATS[session.backend]
        fix = (
            f"faceport build-engine {bundle.path} --backend {format} on the device"
            if format in DEVICE_FORMATS
            else f"faceport export … --formats {format}"
        )
        yield Absent(session.label, "", f"the bundle has no {format} artefact; make one: {fix}")


def _batches(
    bundle: Bundle, artefact: Artefact, batches: Sequence[int]
) -> tuple[list[int], str | None]:
    """Return the batches that an artefact takes, and what is wrong with the others."""
    limits = [n for n in (bundle.spec.max_batch, engine_limit(artefact)) if n is not None]
    most = min(limits, default=max(batches))
    large = [str(batch) for batch in batches if batch > most]
    fits = list(dict.fromkeys(batch for batch in batches if batch <= most))
    problem = f"batch {', '.join(large)}: it takes at most {most} at once" if large else None
    return fits, problem


def _threads(session: SessionChoice, threads: Sequence[int | None]) -> Sequence[int | None]:
    return tuple(dict.fromkeys(threads)) if session.provider == CPU else (None,)


def _case(
    bundle: Bundle, artefact: Artefact, session: SessionChoice, threads: int | None, batch: int
) -> Case:
    return Case(
        bundle.path,
        artefact.file.path,
        artefact.file.sha256,
        artefact.format,
        artefact.precision,
        session,
        threads,
        batch,
    )
