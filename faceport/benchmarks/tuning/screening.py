"""Candidates measured by successive halving: one round for all, more rounds for fewer of them.

What counts of a candidate is the median of its best round. Whatever else a machine does only ever
adds time, often for seconds on end, so the best of some processes that lie apart tells more of a
candidate than the middle of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.benchmarks.latency.results import CaseResult, Settings
from faceport.benchmarks.latency.rounds import measure_cases
from faceport.benchmarks.tuning.results import BatchTime, Candidate, Goal
from faceport.benchmarks.tuning.setups import Setup

QUICK = Settings(runs=12, seconds=0.25, longest=3.0, timeout=120.0)
"""Of one process."""
SHARES = (1.0, 0.6, 0.35)
"""Share of the candidates that have a first, a second, a third round."""
ALONE, TOGETHER = 6, 3
"""Rounds of the finalists: where that decides, and where whole pipelines are timed after it."""
FINALISTS = 4

Say = Callable[[str], None]
Judge = Callable[[Candidate], Candidate]
"""Returns the candidate with its loss, and with `out` if the loss is too large."""


@dataclass(frozen=True)
class Bench:
    """How candidates of one bundle are measured.

    Attributes:
        goal: what is wanted.
        batches: pictures a run.
        inputs: NPZ file to feed; None feeds the bundle's proof.
        folder: where finished rounds are kept.
        say: told what is being done.
        finalists: how many are measured to the end.
        rounds: of those.
    """

    goal: Goal
    batches: tuple[int, ...]
    inputs: Path | None
    folder: Path
    say: Say
    finalists: int
    rounds: int

    def measure(self, setups: Sequence[Setup], rounds: int) -> list[Candidate]:
        """Measure setups in all batches up to a number of rounds; earlier ones count."""
        cases = [setup.case(batch) for setup in setups for batch in self.batches]
        feeds = {setup.bundle: self.inputs for setup in setups if self.inputs is not None}
        settings = replace(QUICK, rounds=rounds)
        results = measure_cases(cases, settings, self.folder, inputs=feeds, say=self.say)
        size = len(self.batches)
        return [
            _candidate(setup, results[i * size : (i + 1) * size]) for i, setup in enumerate(setups)
        ]


def screen(
    bench: Bench, default: Setup | None, setups: Sequence[Setup], judge: Judge
) -> tuple[Candidate | None, list[Candidate]]:
    """Measure candidates and the default until the best few within the limit are left.

    Returns:
        The default and the candidates: those measured to the end first, those that are out last,
        and in each group the fastest first.
    """
    found, out = [Candidate(setup) for setup in setups], list[Candidate]()
    base, done = None, 0
    for rounds, most in _stages(bench, len(setups)):
        out += [replace(c, out=f"slower: given up after round {done}") for c in found[most:]]
        left = [candidate.setup for candidate in found[:most]]
        judged = [judge(c) for c in bench.measure([*left, *([default] if default else [])], rounds)]
        base = judged.pop() if default else None
        out += [candidate for candidate in judged if candidate.out]
        found = _sorted([candidate for candidate in judged if not candidate.out], bench.goal)
        done = rounds
    return base, [*(replace(c, final=True) for c in found), *_sorted(out, bench.goal)]


def _stages(bench: Bench, count: int) -> list[tuple[int, int]]:
    """Return up to how many rounds how many candidates are measured."""
    shares = [max(bench.finalists, math.ceil(share * count)) for share in SHARES]
    return [*enumerate(shares, 1), (bench.rounds, bench.finalists)]


def _sorted(candidates: Sequence[Candidate], goal: Goal) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: candidate.value(goal.objective))


def _candidate(setup: Setup, results: Sequence[CaseResult]) -> Candidate:
    times = tuple(
        BatchTime(result.case.batch, min(result.timing.round_p50_ms))
        for result in results
        if result.timing
    )
    problem = next((result.problem for result in results if result.problem), "")
    losses = [result.cosine_loss for result in results if result.cosine_loss is not None]
    # Of a session that fails in one batch nothing is kept: a pipeline may come to any batch.
    return Candidate(setup, () if problem else times, max(losses, default=None), out=problem)
