"""Layers kept back, by measurement, until a graph of lower precision holds its tolerance.

First all layers are lowered; where that holds, nothing more is measured. Where not, each layer is
lowered alone and its cost measured; then the dearest are kept back, in growing numbers, until the
tolerance holds. The work is bounded: at most `GROUPS` single runs, and two a doubling after that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faceport.bundle import Parity
from faceport.errors import ParityError
from faceport.exporters.precision.base import Job
from faceport.exporters.precision.judge import written

if TYPE_CHECKING:
    from onnx import ModelProto

GROUPS = 64
"""Neighbouring layers share a measurement where a network has more than this."""

MOST_KEPT = 0.5
"""A graph of which more than this share is kept back is not of the lower precision any more."""

WORST = 2.0
"""The cost of a layer whose outputs cannot be compared at all."""

Build = Callable[[frozenset[str]], "ModelProto"]


@dataclass(frozen=True)
class Found:
    """What the search came to.

    Attributes:
        model: of lower precision; it holds the tolerance if any did.
        kept: names of the layers that were kept back, the dearest first.
        costs: 1 - cosine of each measured group with nothing else lowered, by its first layer's
            name; empty where none had to be measured.
    """

    model: ModelProto
    kept: tuple[str, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)


def keep_back(build: Build, layers: Sequence[str], job: Job) -> Found:
    """Find the fewest layers to keep back, of those that cost the most.

    Args:
        build: makes the graph with the layers named kept in fp32.
        layers: that may be kept, in the graph's order.
        job: measures.
    """
    model = build(frozenset())
    if _holds(model, job) or not layers:
        return Found(model)
    groups = _grouped(layers)
    costs = {}
    for number, group in enumerate(groups, 1):
        job.on_step(f"onnx {job.precision}: cost of layer {number} of {len(groups)}")
        costs[group[0]] = _cost(build(frozenset(layers) - frozenset(group)), job)
    ranked = sorted(groups, key=lambda group: -costs[group[0]])
    return _fewest(build, ranked, costs, job)


def _fewest(build: Build, ranked: list[list[str]], costs: Mapping[str, float], job: Job) -> Found:
    """Double the number kept until the tolerance holds, then halve the last step's distance."""

    def with_kept(count: int) -> Found:
        job.on_step(f"onnx {job.precision}: {count} of {len(ranked)} kept in fp32")
        kept = tuple(name for group in ranked[:count] for name in group)
        return Found(build(frozenset(kept)), kept, costs)

    most = max(1, int(len(ranked) * MOST_KEPT))
    failed, count = 0, 1
    found = with_kept(count)
    while not _holds(found.model, job):
        if count == most:
            return found
        failed, count = count, min(2 * count, most)
        found = with_kept(count)
    while count - failed > 1:
        middle = (count + failed) // 2
        candidate = with_kept(middle)
        if _holds(candidate.model, job):
            count, found = middle, candidate
        else:
            failed = middle
    return found


def _holds(model: ModelProto, job: Job) -> bool:
    try:
        return job.judge.passes(_figures(model, job))
    except ParityError:
        return False


def _cost(model: ModelProto, job: Job) -> float:
    try:
        figures = _figures(model, job)
    except ParityError:
        return WORST
    return max(1 - (record.min_cosine) for record in figures)


def _figures(model: ModelProto, job: Job) -> tuple[Parity, ...]:
    return job.judge.figures(written(model, job.scratch / "trial.onnx"))


def _grouped(layers: Sequence[str]) -> list[list[str]]:
    size = -(-len(layers) // GROUPS)
    return [list(layers[start : start + size]) for start in range(0, len(layers), size)]
