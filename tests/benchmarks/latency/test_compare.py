"""Two results against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.compare import compare_results
from faceport.benchmarks.latency.document import Results
from faceport.benchmarks.latency.results import Absent, CaseResult

ORT = SessionChoice("onnxruntime", "cpu")
VINO = SessionChoice("openvino", "cpu", "f32")
Make = Callable[..., Results]


def test_ratios_are_after_over_before_slowest_first(results: Make) -> None:
    before = results({(ORT, 1): 2.0, (ORT, 8): 10.0, (VINO, 1): 4.0})
    after = results({(ORT, 1): 1.0, (ORT, 8): 12.0, (ORT, 32): 9.0})
    found = compare_results(before, after)
    assert [(r.before_ms, r.after_ms, r.ratio) for r in found.ratios] == [
        (10.0, 12.0, pytest.approx(1.2)),
        (2.0, 1.0, pytest.approx(0.5)),
    ]
    assert found.ratios[0].case == "model.onnx in onnxruntime/cpu, batch 8, 1 thread"
    assert found.only_before == ("model.onnx in openvino/cpu@f32, batch 1, 1 thread",)
    assert found.only_after == ("model.onnx in onnxruntime/cpu, batch 32, 1 thread",)
    assert (found.failed, found.warnings, found.notes) == ((), (), ())
    assert [r.ratio > 1.1 for r in found.slower(1.1)] == [True]
    assert found.slower(1.3) == ()


def test_a_new_file_of_the_same_name_is_the_same_case(results: Make) -> None:
    before = results({(ORT, 1): 2.0})
    (old,) = before.cases
    after = replace(before, cases=(replace(old, case=replace(old.case, sha256="9" * 64)),))
    assert [r.ratio for r in compare_results(before, after).ratios] == [1.0]


def test_noise_is_how_far_rounds_are_apart(results: Make) -> None:
    before = results({(ORT, 1): 2.0})
    (old,) = before.cases
    assert old.timing is not None
    shaky = replace(old, timing=replace(old.timing, round_p50_ms=(2.0, 3.0)))
    (ratio,) = compare_results(before, replace(before, cases=(shaky,))).ratios
    assert ratio.noise == 1.5


def test_what_fails_now_is_named(results: Make) -> None:
    before = results({(ORT, 1): 2.0})
    broken = CaseResult(before.cases[0].case, 1, problem="it broke")
    found = compare_results(before, replace(before, cases=(broken,)))
    assert [problem for _, problem in found.failed] == ["it broke"]
    assert found.ratios == found.only_before == ()
    # What failed before and runs now is new.
    assert compare_results(replace(before, cases=(broken,)), before).only_after


def test_an_engine_that_is_gone_fails_the_gate(results: Make) -> None:
    before = results({(ORT, 1): 2.0, (VINO, 1): 1.0})
    gone = Absent("openvino/cpu@f32", "", "openvino is not installed")
    found = compare_results(before, results({(ORT, 1): 2.0}, absent=(gone,)))
    case = "model.onnx in openvino/cpu@f32, batch 1, 1 thread"
    assert found.failed == ((case, "openvino is not installed"),)
    assert found.only_before == ()
    other = replace(gone, artefact="model.int8.onnx")
    found = compare_results(before, results({(ORT, 1): 2.0}, absent=(other,)))
    assert (found.failed, found.only_before) == ((), (case,))


def test_a_busy_machine_is_a_warning(results: Make) -> None:
    before = results({(ORT, 1): 2.0}, load=1.0)
    found = compare_results(before, replace(before, load=1.1))
    assert [text[:31] for text in found.warnings] == ["B: the machine was busy: load 1"]


def test_another_machine_is_a_warning_and_another_version_a_note(results: Make) -> None:
    before = results({(ORT, 1): 2.0})
    there = replace(before.environment, cpu="another", versions={"faceport": "2"})
    subject = replace(before.subject, fingerprint="e" * 64)
    after = replace(before, environment=there, subject=subject)
    found = compare_results(before, after)
    assert found.warnings == ("measured on different machines: cpu a processor | another",)
    assert found.notes[:2] == ("faceport 1 | 2", "onnxruntime 1.32 | none")
    assert "fingerprint" in found.notes[2]
