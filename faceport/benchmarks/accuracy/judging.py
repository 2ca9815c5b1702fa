"""From what every artefact made of the pictures to its figures, against the reference's."""

from __future__ import annotations

from collections.abc import Sequence

from faceport.benchmarks.accuracy.cost import Change, Loss, change_against, loss_against
from faceport.benchmarks.accuracy.embedding import Runner
from faceport.benchmarks.accuracy.protocol import Judged, Protocol, judge
from faceport.benchmarks.accuracy.results import ArtefactResult, Spread
from faceport.benchmarks.accuracy.settings import Settings


def judged_runners(
    runners: Sequence[Runner], protocol: Protocol, settings: Settings
) -> list[Judged | None]:
    """Return the figures of every runner; None for one that did not run."""
    return [
        None if one.embedded is None else judge(protocol, one.embedded, settings) for one in runners
    ]


def artefact_results(
    runners: Sequence[Runner],
    judged: Sequence[Judged | None],
    protocol: Protocol,
    settings: Settings,
) -> tuple[ArtefactResult, ...]:
    """Return a row a runner; the first one that ran is the reference of the others."""
    reference = next((n for n, answer in enumerate(judged) if answer is not None), None)
    rows = []
    for number, (runner, answer) in enumerate(zip(runners, judged, strict=True)):
        loss = change = None
        if reference is not None and number != reference:
            loss = _loss(runners[reference], runner, protocol)
            change = _change(judged[reference], answer, settings.seed)
        rows.append(_row(runner, answer, loss, change))
    return tuple(rows)


def _row(
    runner: Runner, answer: Judged | None, loss: Loss | None, change: Change | None
) -> ArtefactResult:
    artefact = runner.subject.artefact
    return ArtefactResult(
        label=runner.subject.label,
        artefact=artefact.file.path,
        format=artefact.format,
        precision=artefact.precision,
        session=runner.subject.session.label,
        sha256=artefact.file.sha256,
        size_bytes=artefact.file.size_bytes,
        p50_ms=runner.p50_ms,
        spread=None if answer is None else _spread(answer),
        verification=None if answer is None else answer.verification,
        identification=None if answer is None else answer.identification,
        loss=loss,
        change=change,
        problem=runner.problem,
    )


def _spread(answer: Judged) -> Spread:
    found = answer.every.without_failures()
    genuine, impostor = found.scores[found.same], found.scores[~found.same]
    return Spread(
        lowest_genuine=float(genuine.min()) if len(genuine) else None,
        mean_genuine=float(genuine.mean()) if len(genuine) else None,
        mean_impostor=float(impostor.mean()) if len(impostor) else None,
        highest_impostor=float(impostor.max()) if len(impostor) else None,
    )


def _loss(reference: Runner, other: Runner, protocol: Protocol) -> Loss | None:
    if reference.embedded is None or other.embedded is None:
        return None
    return loss_against(reference.embedded, other.embedded, protocol.pictures)


def _change(reference: Judged | None, other: Judged | None, seed: int) -> Change | None:
    if reference is None or other is None:
        return None
    before, after = reference.verification.accuracy, other.verification.accuracy
    if before is None or after is None:
        return None
    return change_against((reference.scores, before), (other.scores, after), seed=seed)
