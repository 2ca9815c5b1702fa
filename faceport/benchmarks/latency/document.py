"""`results.json`: everything that one `faceport bench` measured, and what it ran on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from faceport.atomic import atomic_file
from faceport.benchmarks.latency.bounds import Bounds
from faceport.benchmarks.latency.results import Absent, CaseResult, Settings
from faceport.benchmarks.latency.stages import Stages
from faceport.benchmarks.machine.environment import Machine
from faceport.codec import decode, encode
from faceport.errors import InputError, SpecError
from faceport.version import __version__

RESULTS = "results.json"
KIND = "faceport bench"
SCHEMA_VERSION = 1
BUSY = 0.5
"""Share of the cores above which what else runs shows in the figures."""


@dataclass(frozen=True)
class Subject:
    """The model that was measured.

    Attributes:
        bundle: its folder.
        name: family and architecture.
        task: of the model.
        fingerprint: of the model.
        fed: what its input was, in words; the cosine losses are on this.
        pictures: in it.
    """

    bundle: Path
    name: str
    task: str
    fingerprint: str
    fed: str
    pictures: int


@dataclass(frozen=True)
class Results:
    """What one run of `faceport bench` gives.

    Attributes:
        subject: the model.
        environment: the machine.
        settings: how much was measured.
        cases: figures, or the reason why there are none.
        absent: what could not even be tried.
        stages: of the pipeline, one record a session; empty without a detector and a photograph.
        bounds: the physical limit.
        created: UTC, ISO 8601.
        load: of the system before measuring (average of a minute, in busy cores); None where the
            system does not tell.
    """

    subject: Subject
    environment: Machine
    settings: Settings
    cases: tuple[CaseResult, ...]
    absent: tuple[Absent, ...]
    stages: tuple[Stages, ...]
    bounds: Bounds
    created: str
    load: float | None = None
    faceport_version: str = __version__
    kind: str = KIND
    schema_version: int = field(default=SCHEMA_VERSION)

    def __post_init__(self) -> None:
        if (self.kind, self.schema_version) != (KIND, SCHEMA_VERSION):
            raise SpecError(
                "these are results of another kind or schema version",
                received=f"{self.kind} {self.schema_version}",
                expected=f"{KIND} {SCHEMA_VERSION}",
                fix="measure again, or use the faceport version that wrote them",
            )


def busy_text(results: Results) -> str | None:
    """Return a warning if something else had the machine's cores before measuring began."""
    load, cores = results.load, results.environment.cores
    if load is None or load <= BUSY * cores:
        return None
    return (
        f"the machine was busy: load {load:.1f} on {cores} cores before measuring began; "
        "times and ratios between engines are not those of an idle one"
    )


def write_results(folder: Path, results: Results) -> Path:
    """Write `results.json` into a folder and return its path.

    Raises:
        InputError: the folder can't be written.
    """
    target = folder / RESULTS
    text = json.dumps(encode(results), indent=1, allow_nan=False)
    with atomic_file(target, InputError) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return target


def read_results(path: Path) -> Results:
    """Read a `results.json`, or that of a folder.

    Raises:
        InputError: there is none, or it is not of this schema.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        return decode(Results, _current(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, RecursionError, SpecError) as error:
        raise InputError(
            f"{file} holds no results of `faceport bench`: {error}",
            expected=f"the {RESULTS} that it writes, or its folder",
        ) from error


def _current(data: object) -> object:
    """Say first that a file is of another schema: what its keys are is then no matter."""
    version = data.get("schema_version") if isinstance(data, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        raise SpecError(
            "they are of another schema version", received=version, expected=SCHEMA_VERSION
        )
    return data
