"""Cases measured in rounds, so that a noisy machine hits all alike; what is finished is on disk."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from faceport.atomic import alone_in
from faceport.benchmarks.latency.cases import Case, threads_text
from faceport.benchmarks.latency.kept import Kept, make_folder, read_kept, stamp_of, write_kept
from faceport.benchmarks.latency.processes import ProcessFailure, run_module
from faceport.benchmarks.latency.progress import Progress
from faceport.benchmarks.latency.results import CaseResult, Settings
from faceport.benchmarks.latency.summary import result_of
from faceport.benchmarks.latency.worker import Answer, Job
from faceport.benchmarks.machine.environment import describe_machine
from faceport.bundle import PROOF, sha256_of
from faceport.codec import decode, encode
from faceport.errors import InputError, SpecError

Say = Callable[[str], None]
"""Takes a line about what is being done."""

WORKER = "faceport.benchmarks.latency.worker"


def measure_cases(
    cases: Sequence[Case],
    settings: Settings,
    folder: Path,
    *,
    inputs: Mapping[Path, Path] | None = None,
    resume: bool = True,
    say: Say | None = None,
) -> list[CaseResult]:
    """Measure cases, each in fresh processes, and return one result a case, in their order.

    In a round every case has one process, in an order shuffled by the seed. Each finished round is
    in `folder/cases/` at once, and a later call with the same settings does what is missing. A case
    that fails has a `problem`, is left alone for the rest of the call and tried again by the next.

    Args:
        cases: what to measure.
        settings: how much.
        folder: made if need be.
        inputs: bundle folder to an NPZ file like its `proof.npz`, with the pictures to feed; where
            there is none, the bundle's proof is fed.
        resume: False starts over.
        say: told what is being done, and how long it will take.

    Raises:
        InputError: the folder can't be written, another process measures into it, or a file to
            feed is not there.
    """
    make_folder(folder)
    given = inputs or {}
    feeds = {case.bundle: given.get(case.bundle, case.bundle / PROOF) for case in cases}
    run = _Run(settings, folder, feeds, say or _silent)
    # Two at once would also disturb each other's times.
    with alone_in(folder, InputError):
        run.look(cases, resume=resume)
        run.measure()
    return [run.result(case) for case in cases]


@dataclass
class _Run:
    """One call: what is there of each case, and what went wrong."""

    settings: Settings
    folder: Path
    feeds: Mapping[Path, Path]
    say: Say
    kept: dict[Case, Kept] = field(default_factory=dict)
    problems: dict[Case, str] = field(default_factory=dict)

    def look(self, cases: Sequence[Case], *, resume: bool) -> None:
        """See what is on disk already."""
        machine = describe_machine()
        stamps = {
            bundle: stamp_of(self.settings, machine, _hash(path))
            for bundle, path in self.feeds.items()
        }
        useless = 0
        for case in cases:
            stamp = stamps[case.bundle]
            self.kept[case], other = read_kept(self.folder, case, stamp)
            useless += other
            if not resume:
                self.kept[case] = Kept(stamp, case)
        if useless and resume:
            self.say(
                f"{useless} cases start over: what is in {self.folder} of them was measured with "
                "other settings, other inputs, or on another machine or libraries"
            )

    def measure(self) -> None:
        """Do what is missing, round by round."""
        todo = self._missing()
        progress, total = Progress(self.settings), len(todo)
        if total:
            self.say(progress.estimate(total))
        for place, (number, case) in enumerate(todo):
            if case in self.problems:
                continue
            rest = [one for _, one in todo[place:] if one not in self.problems]
            self.say(
                f"{place + 1} of {total}, round {number}: {describe(case)}; {progress.left(rest)}"
            )
            start = time.perf_counter()
            self._one(case)
            progress.taken[case] = time.perf_counter() - start

    def _missing(self) -> list[tuple[int, Case]]:
        """Return round and case of each process to run, in order; each round is shuffled."""
        order = random.Random(self.settings.seed)
        missing = []
        for number in range(self.settings.rounds):
            todo = [case for case, kept in self.kept.items() if len(kept.rounds) <= number]
            order.shuffle(todo)
            missing += [(number + 1, case) for case in todo]
        return missing

    def _one(self, case: Case) -> None:
        answer = ask_worker(Job(case, self.feeds[case.bundle], self.settings))
        if answer.round is None:
            self.problems[case] = answer.problem
            return
        old = self.kept[case]
        self.kept[case] = replace(old, rounds=(*old.rounds, answer.round))
        write_kept(self.folder, self.kept[case])

    def result(self, case: Case) -> CaseResult:
        """Return what came of a case."""
        size = (case.bundle / case.artefact).stat().st_size
        problem = self.problems.get(case)
        if problem is not None:
            return CaseResult(case, size, problem=problem)
        return result_of(case, size, self.kept[case].rounds[: self.settings.rounds])


def ask_worker(job: Job) -> Answer:
    """Measure in a fresh process; whatever happens to it is an answer with a problem."""
    try:
        data = run_module(WORKER, json.dumps(encode(job)), job.settings.timeout)
        return decode(Answer, data)
    except (ProcessFailure, SpecError) as error:
        return Answer(problem=str(error))


def describe(case: Case) -> str:
    """Return a case in words."""
    threads = threads_text(case.threads)
    return f"{case.artefact} in {case.session.label}, batch {case.batch}, {threads}"


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error


def _silent(_: str) -> None:
    pass
