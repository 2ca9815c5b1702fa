"""Which candidate is taken, and the device file that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from faceport.benchmarks.machine.environment import versions
from faceport.benchmarks.tuning.results import BatchTime, Candidate, Goal
from faceport.bundle import Bundle
from faceport.errors import InputError
from faceport.runtime.device import device_id
from faceport.runtime.device_file import DeviceFile


def judged(candidate: Candidate, loss: float | None, goal: Goal) -> Candidate:
    """Return a candidate with its loss, and out if that is not known or above the limit."""
    out = candidate.out
    if not out and loss is None:
        out = "its loss is not known"
    elif not out and loss is not None and loss > goal.max_cosine_loss:
        out = f"loss above the limit of {goal.max_cosine_loss:g}"
    return replace(candidate, loss=loss, out=out)


def choose(bundle: Bundle, candidates: Sequence[Candidate | None], goal: Goal) -> Candidate:
    """Return the fastest that is not out.

    Raises:
        InputError: there is none.
    """
    there = [c for c in candidates if c is not None and c.times and not c.out]
    if not there:
        known = [c for c in candidates if c is not None]
        reasons = dict.fromkeys(f"{c.setup.label}: {_reason(c)}" for c in known)
        raise InputError(
            f"nothing of {bundle.path} runs within the limit",
            received="; ".join([*reasons][:4]),
            expected=f"cosine loss of {goal.max_cosine_loss:g} at most",
            fix="allow more with --max-cosine-loss",
        )
    return min(there, key=lambda candidate: candidate.value(goal.objective))


def device_file(
    bundle: Bundle, chosen: Candidate, goal: Goal, measured_on: str, batch: int
) -> DeviceFile:
    """Return the file that makes the chosen candidate this device's default."""
    setup, time = chosen.setup, _counted(chosen, goal)
    return DeviceFile(
        device=device_id(),
        fingerprint=bundle.spec.fingerprint,
        artefact=setup.artefact,
        sha256=setup.sha256,
        precision=setup.precision,
        backend=setup.session.backend,
        options=setup.session.options(setup.threads),
        batch=batch,
        p50_ms=time.p50_ms,
        measured_batch=time.batch,
        cosine_loss=chosen.loss or 0.0,
        max_cosine_loss=goal.max_cosine_loss,
        measured_on=measured_on,
        objective=goal.objective,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=versions(),
    )


def _counted(chosen: Candidate, goal: Goal) -> BatchTime:
    if goal.objective == "throughput":
        return chosen.best
    return min(chosen.times, key=lambda time: time.batch)


def _reason(candidate: Candidate) -> str:
    loss = "" if candidate.loss is None else f" ({candidate.loss:.1e})"
    return f"{candidate.out or 'not measured'}{loss}"
