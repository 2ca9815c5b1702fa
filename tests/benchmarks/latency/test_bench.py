"""A whole measurement with a photograph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faceport.benchmarks.latency import bench
from faceport.benchmarks.latency.bench import Asked, run_bench
from faceport.benchmarks.latency.document import read_results
from faceport.benchmarks.latency.results import Settings
from faceport.benchmarks.latency.sessions import pick_sessions
from faceport.benchmarks.machine.limits import Limits
from faceport.bundle import Bundle
from faceport.errors import InputError, MissingDependencyError

SHORT = Settings(rounds=1, runs=2, seconds=0.0)


@pytest.fixture
def asked(
    detectors: dict[str, Path], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Asked]:
    monkeypatch.setattr(bench, "STAGE_ROUNDS", 3)
    monkeypatch.setattr(bench, "measured_limits", lambda *_: (Limits(1, 1e11, 1e10),))

    def ask(sessions: str) -> Asked:
        photo = photos / "groups" / "friends_6_faces.jpg"
        return Asked(pick_sessions(sessions), (8,), (1,), detectors["scrfd"], photo)

    return ask


def test_a_photograph_brings_its_faces_and_the_stages(
    asked: Callable[..., Asked], tiny_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    said: list[str] = []
    wanted, out = asked("onnxruntime/cpu,torchscript/cpu"), tmp_path / "out"
    found = run_bench(tiny_bundle().path, wanted, SHORT, out, resume=True, say=said.append)
    assert found == read_results(out)
    assert found.subject.fed == "6 faces of friends_6_faces.jpg"
    assert [(one.session, one.faces) for one in found.stages] == [("onnxruntime/cpu", 6)]
    losses = {result.case.precision: result.cosine_loss or 0.0 for result in found.cases}
    assert losses["fp32"] < 1e-6
    assert losses["int8"] > 1e-4
    assert [item.session for item in found.absent] == ["torchscript/cpu"]
    assert {bound.work.macs for bound in found.bounds.cases} == {8 * 48 * 8}
    assert "## Stages of the pipeline" in (out / "report.md").read_text()
    assert "looking for engines" in said[0]


def test_without_matplotlib_there_is_everything_else(
    asked: Callable[..., Asked],
    tiny_bundle: Callable[..., Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> list[str]:
        raise MissingDependencyError("matplotlib", "bench")

    monkeypatch.setattr(bench, "write_plots", missing)
    said: list[str] = []
    wanted = asked("pt2")
    run_bench(tiny_bundle().path, wanted, SHORT, tmp_path / "out", resume=True, say=said.append)
    assert "pip install 'faceport[bench]'" in said[-1]
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Not measured" in text
    assert ".png" not in text


def test_an_embedder_needs_a_detector_for_a_photograph(
    asked: Callable[..., Asked], tiny_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    whole = asked("onnxruntime/cpu")
    alone = Asked(whole.sessions, (1,), (1,), None, whole.photo)
    with pytest.raises(InputError, match="--detector"):
        run_bench(tiny_bundle().path, alone, SHORT, tmp_path, resume=True, say=lambda _: None)
