from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import onnx
import pytest
from onnx import helper

from faceport.bundle import Parity
from faceport.errors import ParityError
from faceport.exporters.base import ExportOptions
from faceport.exporters.precision.base import Job
from faceport.exporters.precision.judge import Judge
from faceport.exporters.precision.search import GROUPS, keep_back


@dataclass
class Layers:
    """A pretended network: each lowered layer costs so much cosine, and they add up."""

    costs: dict[str, float]
    broken: frozenset[str] = frozenset()
    built: list[frozenset[str]] = field(default_factory=list)

    def build(self, kept: frozenset[str]) -> onnx.ModelProto:
        self.built.append(kept)
        graph = helper.make_graph([], ",".join(sorted(kept)) or "-", [], [])
        return helper.make_model(graph)

    def figures(self, path: Path) -> tuple[Parity, ...]:
        kept = set(onnx.load(path).graph.name.split(","))
        lowered = set(self.costs) - kept
        if lowered & self.broken:
            raise ParityError("not finite")
        return (Parity(1, 0.0, 1 - sum(self.costs[name] for name in lowered)),)

    def passes(self, figures: tuple[Parity, ...]) -> bool:
        return figures[0].min_cosine >= 0.99

    def job(self, folder: Path) -> Job:
        judge = cast(Judge, self)
        nothing: Any = None
        return Job(nothing, ExportOptions(), judge, None, folder, lambda _: None, "int8")


def test_where_the_tolerance_holds_nothing_is_kept_or_measured(tmp_path: Path) -> None:
    layers = Layers(dict.fromkeys("abcd", 0.001))
    found = keep_back(layers.build, "abcd", layers.job(tmp_path))
    assert (found.kept, found.costs) == ((), {})
    assert layers.built == [frozenset()]


@pytest.mark.parametrize("dear", [1, 2, 3, 5])
def test_the_dearest_are_kept_and_no_more_than_needed(tmp_path: Path, dear: int) -> None:
    names = [f"layer{number}" for number in range(12)]
    costs = dict.fromkeys(names, 0.0001) | {n: 0.02 + i / 1000 for i, n in enumerate(names[-dear:])}
    layers = Layers(costs)
    found = keep_back(layers.build, names, layers.job(tmp_path))
    assert found.kept == tuple(reversed(names[-dear:]))
    assert found.costs == pytest.approx(costs)
    assert found.model.graph.name == ",".join(sorted(found.kept))


def test_a_layer_that_breaks_the_outputs_is_the_first_to_be_kept(tmp_path: Path) -> None:
    layers = Layers(dict.fromkeys("abcd", 0.001), broken=frozenset("c"))
    assert keep_back(layers.build, "abcd", layers.job(tmp_path)).kept == ("c",)


def test_the_work_is_bounded_and_a_hopeless_graph_is_given_back(tmp_path: Path) -> None:
    names = [f"layer{number:03}" for number in range(300)]
    layers = Layers(dict.fromkeys(names, 0.01))
    found = keep_back(layers.build, names, layers.job(tmp_path))
    assert len(layers.built) <= GROUPS + 10
    assert 0.4 * len(names) < len(found.kept) <= 0.55 * len(names)
