"""The pipeline by stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faceport.benchmarks.latency import stages
from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.latency.processes import ProcessFailure
from faceport.benchmarks.latency.stages import (
    DETECT,
    EMBED,
    StageJob,
    Stages,
    measure_here,
    measure_stages,
)
from faceport.bundle import Bundle
from faceport.errors import InputError

ORT = SessionChoice("onnxruntime", "cpu")


@pytest.fixture
def job(tiny_bundle: Callable[..., Bundle], detectors: dict[str, Path], photos: Path) -> StageJob:
    photo = photos / "groups" / "friends_6_faces.jpg"
    # Four a run: the six faces take two, in the stages as in the pipeline.
    return StageJob(detectors["scrfd"], tiny_bundle(max_batch=4).path, photo, ORT, 1, 3)


def test_every_stage_has_a_time(job: StageJob) -> None:
    found = measure_here(job)
    assert (found.faces, found.problem) == (6, "")
    names = [stage.name for stage in found.stages]
    assert names[0] == "decode jpg"
    assert names.index(DETECT) < names.index("align") < names.index(EMBED) < len(names) - 1
    assert all(stage.median_ms > 0 for stage in found.stages)
    assert found.pipeline_ms > 0
    assert found.overhead == found.pipeline_ms / found.bare_ms


def test_a_photograph_without_a_face_is_a_problem(job: StageJob, tmp_path: Path) -> None:
    from PIL import Image

    blank = tmp_path / "blank.png"
    Image.new("RGB", (640, 480)).save(blank)
    empty = StageJob(job.detector, job.embedder, blank, ORT, 1, 3)
    with pytest.raises(InputError, match="no face was found"):
        measure_here(empty)
    # In its own process it is an answer.
    found = measure_stages(empty)
    assert "no face was found" in found.problem
    assert (found.session, found.overhead) == ("onnxruntime/cpu", None)


def test_a_process_that_dies_is_a_problem(job: StageJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: object) -> object:
        raise ProcessFailure("killed by SIGSEGV")

    monkeypatch.setattr(stages, "run_module", dying)
    assert measure_stages(job) == Stages("onnxruntime/cpu", 1, problem="killed by SIGSEGV")
