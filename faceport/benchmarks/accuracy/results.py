"""What an evaluation gives: frozen, JSON both ways by `codec`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faceport.benchmarks.accuracy.cost import Change, Loss
from faceport.benchmarks.accuracy.metrics.identification import Identification
from faceport.benchmarks.accuracy.metrics.verification import Verification
from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.machine.environment import Machine
from faceport.errors import SpecError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Problem:
    """A picture without a crop, and why."""

    picture: str
    reason: str


@dataclass(frozen=True)
class SetFacts:
    """The list, and what came of its pictures.

    Attributes:
        name: of the list.
        kind: pairs, or pictures of identities.
        sha256: of the list's content: names, pairs and labels, not the pictures.
        pictures: in the list.
        people: identities; None where the list does not say.
        found: pictures with a face.
        several: pictures with more faces than one, of which one was chosen.
        problems: every picture without a crop, and why.
    """

    name: str
    kind: Literal["pairs", "identities"]
    sha256: str
    pictures: int
    people: int | None
    found: int
    several: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class ModelFacts:
    """The embedder that was evaluated."""

    bundle: str
    family: str
    arch: str
    dim: int
    fingerprint: str


@dataclass(frozen=True)
class Spread:
    """Cosines of the pairs that have two faces; None where there are none of a kind.

    With few pairs every rate is 0 or 1, and the gap between the two kinds says more.

    Attributes:
        lowest_genuine: of pairs of one person.
        mean_genuine: likewise.
        mean_impostor: of pairs of two people.
        highest_impostor: likewise.
    """

    lowest_genuine: float | None
    mean_genuine: float | None
    mean_impostor: float | None
    highest_impostor: float | None


@dataclass(frozen=True)
class ArtefactResult:
    """Figures of one artefact in one session, or the reason that there are none.

    Attributes:
        label: `format precision · session`.
        artefact: file in the bundle.
        format: of the artefact.
        precision: of the artefact.
        session: label of what ran it.
        sha256: of the artefact's file.
        size_bytes: of the artefact's file.
        p50_ms: median time from one crop to its vector; None where it was not measured.
        spread: of the cosines.
        verification: 1:1 figures.
        identification: 1:N figures; None where the set does not support them.
        loss: of the vectors, against the reference; None for the reference.
        change: of the decisions, against the reference; None for the reference, and where there is
            no accuracy to compare.
        problem: why it has no figures; empty where it has.
    """

    label: str
    artefact: str
    format: str
    precision: str
    session: str
    sha256: str
    size_bytes: int
    p50_ms: float | None = None
    spread: Spread | None = None
    verification: Verification | None = None
    identification: Identification | None = None
    loss: Loss | None = None
    change: Change | None = None
    problem: str = ""


@dataclass(frozen=True)
class Evaluation:
    """One run.

    Attributes:
        settings: what was asked for.
        model: what was evaluated.
        detector: what ran, as `backend/provider`, with its fingerprint's beginning; empty where the
            pictures were crops.
        listed: the set.
        artefacts: one an artefact and session, the reference first.
        reference: label of the artefact that the others are compared with; empty where none ran.
        absent: sessions that were asked for and have nothing to run, and why, one line each.
        no_identification: why there are no 1:N figures; empty where there are.
        possible_pairs: that the set has; the figures rest on a sample where they are fewer.
        machine: what it ran on.
        created: UTC, ISO 8601.
        seconds: that the run took.
    """

    settings: Settings
    model: ModelFacts
    detector: str
    listed: SetFacts
    artefacts: tuple[ArtefactResult, ...]
    reference: str
    absent: tuple[str, ...]
    no_identification: str
    possible_pairs: int
    machine: Machine
    created: str
    seconds: float
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise SpecError(
                "the results are of another schema version",
                received=self.schema_version,
                expected=SCHEMA_VERSION,
                fix="run the evaluation again",
            )
