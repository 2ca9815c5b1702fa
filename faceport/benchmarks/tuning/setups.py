"""One way to run a bundle: an artefact, what runs it, and with how many threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceport.benchmarks.latency.cases import Case, SessionChoice
from faceport.benchmarks.latency.planning import plan_cases, runnable
from faceport.benchmarks.latency.probe import absent_sessions
from faceport.benchmarks.latency.results import Absent
from faceport.bundle import Artefact, Bundle
from faceport.errors import BundleError
from faceport.runtime.sessions import FORMAT_BACKENDS
from faceport.spec import ModelSpec


@dataclass(frozen=True)
class Setup:
    """A way to run a bundle.

    Attributes:
        bundle: folder.
        artefact: file in the bundle.
        sha256: of that file.
        format: of the artefact.
        precision: of the artefact.
        session: what runs it.
        threads: inside one operator; None leaves it to the engine.
    """

    bundle: Path
    artefact: str
    sha256: str
    format: str
    precision: str
    session: SessionChoice
    threads: int | None

    @property
    def label(self) -> str:
        """`artefact in session, threads`."""
        threads = (
            "" if self.threads is None else f", {self.threads} thread{'s' * (self.threads > 1)}"
        )
        return f"{self.artefact} in {self.session.label}{threads}"

    def case(self, batch: int) -> Case:
        """Return what to measure of it at a batch size."""
        return Case(
            self.bundle,
            self.artefact,
            self.sha256,
            self.format,
            self.precision,
            self.session,
            self.threads,
            batch,
        )


@dataclass(frozen=True)
class Candidates:
    """What can be tried with a bundle.

    Attributes:
        default: what runs without a device file; None where the bundle has no fp32 artefact.
        setups: all, the default left out.
        absent: what can't be tried, and why.
    """

    default: Setup | None
    setups: tuple[Setup, ...]
    absent: tuple[Absent, ...]


def find_candidates(
    bundle: Bundle, sessions: Sequence[SessionChoice], threads: Sequence[int]
) -> Candidates:
    """Combine artefacts, the sessions that are here, and thread counts.

    Raises:
        InputError: a thread count is below 1.
        BundleError: nothing of it can run here.
    """
    fitting = runnable(bundle, sessions)
    plan = plan_cases(bundle, fitting, (1,), threads, absent_sessions(fitting))
    default = default_setup(bundle)
    setups = [setup_of(case) for case in plan.cases]
    # One thread has no others that could spin.
    found = [s for s in setups if not (s.session.spinning and s.threads == 1)]
    if not found:
        reasons = "; ".join(dict.fromkeys(item.problem for item in plan.absent))
        raise BundleError(
            f"nothing of {bundle.path} can run here", received=reasons or "no session"
        )
    return Candidates(default, tuple(found), plan.absent)


def default_setup(bundle: Bundle) -> Setup | None:
    """Return what `Pipeline.load` runs of a bundle without a device file."""
    for format, backend in FORMAT_BACKENDS.items():
        for artefact in bundle.manifest.artefacts:
            if (artefact.format, artefact.precision) == (format, "fp32"):
                return _setup(bundle, artefact, SessionChoice(backend, "cpu"), None)
    return None


def setup_of(case: Case) -> Setup:
    """Return a case without its batch."""
    return Setup(
        case.bundle,
        case.artefact,
        case.sha256,
        case.format,
        case.precision,
        case.session,
        case.threads,
    )


def batches_for(spec: ModelSpec, batches: Iterable[int]) -> tuple[int, ...]:
    """Return the batch sizes that a model takes, 1 always among them."""
    most = spec.max_batch
    return tuple(sorted({1, *(n for n in batches if most is None or n <= most)}))


def _setup(
    bundle: Bundle, artefact: Artefact, session: SessionChoice, threads: int | None
) -> Setup:
    return Setup(
        bundle.path,
        artefact.file.path,
        artefact.file.sha256,
        artefact.format,
        artefact.precision,
        session,
        threads,
    )
