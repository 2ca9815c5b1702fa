"""What is compared in one evaluation: artefacts of a bundle, each with what runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.bundle import Artefact, Bundle
from faceport.errors import InputError, SessionError
from faceport.runtime.embedder import SessionEmbedder, open_embedder
from faceport.runtime.sessions import BACKEND_FORMATS, DEVICE_FORMATS, FORMAT_BACKENDS


@dataclass(frozen=True)
class Subject:
    """An artefact of the bundle and what runs it.

    Attributes:
        artefact: as the manifest describes it.
        session: what runs it.
    """

    artefact: Artefact
    session: SessionChoice

    @property
    def label(self) -> str:
        """`format precision · session`."""
        return f"{self.artefact.format} {self.artefact.precision} · {self.session.label}"

    def open(self, bundle: Bundle, threads: int | None) -> SessionEmbedder:
        """Load it; raises as `open_embedder` does."""
        embedder = open_embedder(
            bundle.path,
            self.session.options(threads),
            backend=self.session.backend,
            precision=self.artefact.precision,
        )
        if not isinstance(embedder, SessionEmbedder):
            raise SessionError(f"{bundle.path} did not open as a model")
        return embedder


def subjects_of(
    bundle: Bundle,
    precisions: Sequence[str] | None = None,
    sessions: Sequence[SessionChoice] | None = None,
) -> list[Subject]:
    """Return what to evaluate, the reference first: the most exact artefact that there is.

    Engines of several devices in one precision count once: the session takes the fitting one.

    Args:
        bundle: of an embedder.
        precisions: only these; None takes all that the bundle has.
        sessions: each with every artefact that it runs; None runs each artefact in the backend
            that is its first choice.

    Raises:
        InputError: nothing is left, or a precision that the bundle lacks.
    """
    artefacts = {(a.format, a.precision): a for a in bundle.manifest.artefacts}
    there = sorted({precision for _, precision in artefacts}, key=_exactness)
    for precision in precisions or ():
        if precision not in there:
            raise InputError(
                f"{bundle.path} has no such precision",
                received=precision,
                expected=", ".join(there),
                fix=f"export the checkpoint again with --precision {precision}",
            )
    chosen = [a for a in artefacts.values() if a.precision in (precisions or there)]
    found = [Subject(one, session) for one in chosen for session in _sessions_for(one, sessions)]
    found.sort(key=lambda one: (_exactness(one.artefact.precision), _rounds(one.session)))
    if not found:
        raise InputError(
            f"no session that was asked for runs an artefact of {bundle.path}",
            received=", ".join(session.label for session in sessions or ()),
            expected="a session for: " + ", ".join(f"{a.format} {a.precision}" for a in chosen),
        )
    return found


def sessions_without_artefact(
    bundle: Bundle, sessions: Sequence[SessionChoice] | None
) -> list[str]:
    """Return why a session that was asked for has nothing to run, one line a backend."""
    formats = {artefact.format for artefact in bundle.manifest.artefacts}
    lines: dict[str, None] = {}
    for session in sessions or ():
        wanted = BACKEND_FORMATS[session.backend]
        if formats.isdisjoint(wanted):
            lines[f"{session.backend}: the bundle has no artefact of format {wanted[0]}"] = None
    return list(lines)


def _sessions_for(
    artefact: Artefact, sessions: Sequence[SessionChoice] | None
) -> list[SessionChoice]:
    if sessions is None:
        provider = "cuda" if artefact.format in DEVICE_FORMATS else "cpu"
        return [SessionChoice(FORMAT_BACKENDS[artefact.format], provider)]
    return [one for one in sessions if artefact.format in BACKEND_FORMATS[one.backend]]


def _rounds(session: SessionChoice) -> bool:
    """Tell whether a session computes in less than the graph's precision."""
    return session.compute not in ("", "f32")


def _exactness(precision: str) -> int:
    order = ("fp32", "fp16", "int8")
    return order.index(precision) if precision in order else len(order)
