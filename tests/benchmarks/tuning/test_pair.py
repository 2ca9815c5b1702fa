from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from faceport.benchmarks.tuning import pair
from faceport.benchmarks.tuning.pipeline_run import FoundFace, PipelineAnswer, PipelineJob
from faceport.benchmarks.tuning.results import Combination, Goal
from faceport.benchmarks.tuning.setups import Setup
from faceport.errors import InputError

FACE = FoundFace((0.0, 0.0, 9.0, 9.0), (1.0, 0.0))
TURNED = FoundFace((0.0, 0.0, 9.0, 9.0), (0.6, 0.8))
GOAL = Goal(0.001)


def timed(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[PipelineAnswer]]
) -> tuple[Combination, list[Combination], dict[str, int]]:
    """Time pairs, the first of them the default, whose rounds give these answers."""
    asked = dict.fromkeys(answers, 0)

    def fake(job: PipelineJob) -> PipelineAnswer:
        name = job.detector.artefact
        answer = answers[name][min(asked[name], len(answers[name]) - 1)]
        asked[name] += 1
        return answer if job.compare else replace(answer, faces=())

    monkeypatch.setattr(pair, "run_pipeline", fake)
    pairs = [Combination(replace(setup, artefact=name), setup, 1) for name in answers]
    base, found = pair._timed_pairs(pairs, [Path("a.jpg")], ((FACE,),), GOAL, lambda _: None)
    return base, found, asked


def answer(ms: float, face: FoundFace = FACE) -> PipelineAnswer:
    return PipelineAnswer(ms, ((face,),))


def test_the_best_round_counts_and_the_default_is_in_all(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {f"d{i}": [answer(9.0 + i)] for i in range(9)}
    answers["d8"] = [answer(30.0), answer(1.0)]
    base, found, asked = timed(setup, monkeypatch, answers)
    assert found[0].detector.artefact == "d8"
    assert found[0].p50_ms == 1.0
    assert asked["d0"] == asked["d8"] == len(pair.LEFT)
    assert asked["d7"] == 2
    assert pair._best(base, found, GOAL) is found[0]


def test_what_loses_too_much_or_fails_is_out(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "default": [answer(9.0)],
        "turned": [answer(1.0, TURNED)],
        "blind": [PipelineAnswer(1.0, ((),))],
        "broken": [PipelineAnswer(problem="it died")],
    }
    base, found, asked = timed(setup, monkeypatch, answers)
    reasons = {p.detector.artefact: p.out for p in found}
    assert reasons["turned"] == "together above the limit of 0.001"
    assert "faces missed: 1" in reasons["blind"]
    assert reasons["broken"] == "it died"
    assert asked["turned"] == 1
    assert pair._best(base, found, GOAL) is base


def test_the_default_stays_if_nothing_is_faster(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, found, _ = timed(setup, monkeypatch, {"a": [answer(2.0)], "b": [answer(3.0)]})
    assert pair._best(base, found, GOAL) is base


def test_nothing_left_is_an_error(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    base, found, _ = timed(setup, monkeypatch, {"a": [PipelineAnswer(problem="it died")]})
    with pytest.raises(InputError, match=r"it died.*--max-cosine-loss"):
        pair._best(base, found, GOAL)
