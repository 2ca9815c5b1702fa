"""Cases of a bundle, and reasons where there are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.planning import EVERY, plan_cases
from faceport.bundle import Bundle
from faceport.errors import InputError

Make = Callable[..., Bundle]
ORT = SessionChoice("onnxruntime", "cpu")
CUDA = SessionChoice("onnxruntime", "cuda")
SCRIPT = SessionChoice("torchscript", "cpu")
ENGINE = SessionChoice("tensorrt", "cuda")


def test_every_combination_is_a_case_of_its_own(tiny_bundle: Make) -> None:
    plan = plan_cases(tiny_bundle(), [ORT], [1, 8, 8], [1, None, 1], {})
    found = {(c.artefact, c.precision, c.threads, c.batch) for c in plan.cases}
    assert len(plan.cases) == len(found) == len({c.key for c in plan.cases}) == 2 * 2 * 2
    assert plan.absent == ()


def test_threads_are_the_cpus(tiny_bundle: Make) -> None:
    plan = plan_cases(tiny_bundle(), [ORT, CUDA], [1], [1, 2], {})
    assert [c.threads for c in plan.cases if c.session == CUDA] == [None, None]
    assert [c.threads for c in plan.cases if c.session == ORT] == [1, 2, 1, 2]


def test_what_is_not_here_is_one_row(tiny_bundle: Make) -> None:
    plan = plan_cases(tiny_bundle(), [ORT, CUDA, SCRIPT, ENGINE], [1, 8], [1, 2], {CUDA: "no GPU"})
    assert {case.session for case in plan.cases} == {ORT}
    problems = {item.session: item.problem for item in plan.absent}
    assert len(plan.absent) == 3
    assert problems["onnxruntime/cuda"] == "no GPU"
    assert "--formats torchscript" in problems["torchscript/cpu"]
    assert "build-engine" in problems["tensorrt/cuda"]


def test_a_batch_that_the_model_does_not_take_is_a_row(tiny_bundle: Make) -> None:
    plan = plan_cases(tiny_bundle(max_batch=4), [ORT], [1, 4, 8, 32], [1], {})
    assert {case.batch for case in plan.cases} == {1, 4}
    assert [(a.session, a.artefact) for a in plan.absent] == [
        (EVERY, "model.onnx"),
        (EVERY, "model.int8.onnx"),
    ]
    assert "8, 32: it takes at most 4" in plan.absent[0].problem


def test_a_changed_artefact_is_a_row_and_the_others_are_cases(tiny_bundle: Make) -> None:
    bundle = tiny_bundle()
    with (bundle.path / "model.int8.onnx").open("ab") as file:
        file.write(b"\0")
    plan = plan_cases(bundle, [ORT], [1], [1], {})
    assert [case.artefact for case in plan.cases] == ["model.onnx"]
    assert "was changed after the export" in plan.absent[0].problem


@pytest.mark.parametrize(("batches", "threads"), [([0], [1]), ([1], [-2]), ([], [1]), ([1], [])])
def test_numbers_that_make_no_sense(
    tiny_bundle: Make, batches: list[int], threads: list[int]
) -> None:
    with pytest.raises(InputError, match="batch and threads"):
        plan_cases(tiny_bundle(), [ORT], batches, threads, {})
