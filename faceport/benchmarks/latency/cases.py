"""One case of a latency measurement: an artefact, what runs it, and how."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from faceport.runtime.sessions.base import SessionOptions

PRECISION_HINT = "INFERENCE_PRECISION_HINT"
"""OpenVINO's property for the type that it computes in."""


@dataclass(frozen=True, order=True)
class SessionChoice:
    """An engine with a provider, and what it computes in where that is a setting of the engine.

    Attributes:
        backend: a key of `faceport.runtime.sessions.BACKENDS`.
        provider: the execution provider, by faceport's short name.
        compute: OpenVINO's inference precision (`f32`, `bf16`, `f16`); empty for the other engines,
            which compute in what the graph says.
        spinning: see `SessionOptions`.
    """

    backend: str
    provider: str
    compute: str = ""
    spinning: bool = False

    @property
    def label(self) -> str:
        """`backend/provider`, then `@compute`, then `+spinning`, where they are set."""
        compute = f"@{self.compute}" if self.compute else ""
        return f"{self.backend}/{self.provider}{compute}{'+spinning' if self.spinning else ''}"

    def options(self, threads: int | None) -> SessionOptions:
        """Return what to open the session with."""
        settings = {self.provider: {PRECISION_HINT: self.compute}} if self.compute else {}
        return SessionOptions((self.provider,), threads, self.spinning, settings)


@dataclass(frozen=True)
class Case:
    """What is measured in one process.

    Attributes:
        bundle: folder.
        artefact: file in the bundle.
        sha256: of that file, so that a changed artefact is another case.
        format: of the artefact.
        precision: of the artefact.
        session: what runs it.
        threads: inside one operator; None leaves it to the engine.
        batch: pictures a run.
    """

    bundle: Path
    artefact: str
    sha256: str
    format: str
    precision: str
    session: SessionChoice
    threads: int | None
    batch: int

    @property
    def key(self) -> str:
        """Name of the case's file: the same for the same measurement, wherever the bundle lies."""
        threads = self.threads or "default"
        text = f"{self.artefact}-{self.session.label}-t{threads}-b{self.batch}"
        mark = hashlib.sha256(f"{text}\n{self.sha256}".encode()).hexdigest()[:12]
        plain = "".join(c if c.isalnum() or c in "-._" else "_" for c in text)
        return f"{plain}-{mark}"


def threads_text(threads: int | None) -> str:
    """Return a thread count in words."""
    if threads is None:
        return "the engine's threads"
    return f"{threads} thread{'s' if threads > 1 else ''}"
