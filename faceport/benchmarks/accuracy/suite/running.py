"""The runs of a suite, one after the other; what is finished is on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceport.benchmarks.accuracy.embedding import Progress
from faceport.benchmarks.accuracy.evaluate import Say, evaluate
from faceport.benchmarks.accuracy.folders import made_folder
from faceport.benchmarks.accuracy.report import write_text
from faceport.benchmarks.accuracy.results import Evaluation
from faceport.benchmarks.accuracy.suite.keys import run_key
from faceport.benchmarks.accuracy.suite.reading import Run
from faceport.codec import decode, encode
from faceport.errors import FaceportError, SpecError

RUNS = "runs"


@dataclass(frozen=True)
class Done:
    """What came of one run.

    Attributes:
        run: what was asked for.
        file: its results, relative to the suite's folder; empty where there are none.
        evaluation: the figures; None where there is a `problem`.
        problem: why there are none; empty where there are.
        resumed: whether it was finished before.
    """

    run: Run
    file: str
    evaluation: Evaluation | None
    problem: str = ""
    resumed: bool = False


def run_suite(
    runs: Sequence[Run],
    folder: Path,
    *,
    cache: Path | None = None,
    resume: bool = True,
    say: Say | None = None,
    progress: Progress | None = None,
) -> list[Done]:
    """Do the runs that are not finished yet, and return all.

    Each finished run is a file of its own in `folder/runs` at once. A run that fails has a reason,
    and the next call tries it again.

    Args:
        runs: of a suite.
        folder: made if need be.
        cache: of crops, shared by all; None keeps none.
        resume: False does all again.
        say: told what is being done.
        progress: told how many pictures of a run are done.

    Raises:
        InputError: the folder can't be written.
    """
    say = say or (lambda _: None)
    made_folder(folder / RUNS)
    done = []
    for number, run in enumerate(runs, 1):
        name = f"{RUNS}/{run_key(run.settings)}.json"
        kept = _kept(folder / name) if resume else None
        if kept is not None:
            done.append(Done(run, name, kept, resumed=True))
            continue
        head = f"run {number} of {len(runs)}, {run.label}"
        done.append(_done(run, folder, name, cache, _led(say, head), progress))
    return done


def _done(
    run: Run, folder: Path, name: str, cache: Path | None, say: Say, progress: Progress | None
) -> Done:
    try:
        evaluation = evaluate(
            run.settings, cache=cache, say=say, progress=progress, panel=False
        ).evaluation
    except FaceportError as error:
        return Done(run, "", None, str(error))
    write_text(folder / name, json.dumps(encode(evaluation), indent=1, allow_nan=False) + "\n")
    return Done(run, name, evaluation)


def _kept(file: Path) -> Evaluation | None:
    """Return a finished run; None where there is none, or none that this version reads."""
    try:
        return decode(Evaluation, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, SpecError):
        return None


def _led(say: Say, head: str) -> Callable[[str], None]:
    return lambda text: say(f"{head}: {text}")
