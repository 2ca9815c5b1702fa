"""Tuning's results as rows of tables."""

from __future__ import annotations

from collections.abc import Iterator

from faceport.benchmarks.tuning.results import Candidate, Combination, Tuned, Tuning

HEADER = ("artefact", "session", "threads", "batch: p50 ms", "loss", "of default", "")
ABSENT_HEADER = ("session", "artefact", "why not")
PAIR_HEADER = ("detector", "embedder", "faces a run", "p50 ms", "loss", "of default", "")

Row = tuple[str, ...]


def candidate_rows(tuning: Tuning) -> list[Row]:
    """Return the default and all candidates, the fastest first, those that are out last."""
    base = tuning.default
    rows = [_candidate_row(base, tuning, "default")] if base else []
    return [*rows, *(_candidate_row(c, tuning, c.out) for c in tuning.candidates)]


def absent_rows(tuning: Tuning) -> list[Row]:
    """Return what could not be tried."""
    return [(item.session, item.artefact or "all", _short(item.problem)) for item in tuning.absent]


def pair_rows(done: Tuned) -> list[Row]:
    """Return the combinations, the default first."""
    return list(_pair_rows(done))


def _candidate_row(candidate: Candidate, tuning: Tuning, remark: str) -> Row:
    setup, base = candidate.setup, tuning.default
    times = ", ".join(f"{time.batch}: {time.p50_ms:.2f}" for time in candidate.times)
    ratio = ""
    if base is not None and base.times and candidate.times:
        quick = "" if candidate.final else "≈ "
        ratio = f"{quick}{candidate.value(tuning.objective) / base.value(tuning.objective):.2f}"
    words = [remark, "chosen" if candidate.setup == tuning.chosen.setup else ""]
    return (
        setup.artefact,
        setup.session.label,
        "engine's" if setup.threads is None else str(setup.threads),
        times,
        _loss(candidate.loss),
        ratio,
        ", ".join(word for word in words if word),
    )


def _pair_rows(done: Tuned) -> Iterator[Row]:
    base = done.default
    if base is None:
        return
    yield _pair_row(base, base, "default")
    setups = {tuning.chosen.setup for tuning in done.models}
    for pair in done.combinations:
        chosen = {pair.detector, pair.embedder} == setups
        yield _pair_row(pair, base, pair.out or ("chosen" if chosen else ""))


def _pair_row(pair: Combination, base: Combination, remark: str) -> Row:
    known = pair.p50_ms is not None and base.p50_ms is not None
    quick = "" if pair.rounds == base.rounds else "≈ "
    return (
        pair.detector.label,
        pair.embedder.label,
        "" if pair.batch is None else f"up to {pair.batch}",
        f"{quick}{pair.p50_ms:.2f}" if pair.p50_ms is not None else "",
        _loss(pair.loss),
        f"{quick}{(pair.p50_ms or 0) / (base.p50_ms or 1):.2f}" if known else "",
        remark,
    )


def _short(problem: str) -> str:
    """Return an error without what to do about it: there are many, and most are of no use here."""
    return "; ".join(problem.split("; ")[:2])


def _loss(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.1e}"
