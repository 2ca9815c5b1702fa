"""One pass over the crops for all artefacts, of which some fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from faceport.benchmarks.accuracy.crops import Crop
from faceport.benchmarks.accuracy.embedding import Runner, embed_all, time_all
from faceport.benchmarks.accuracy.subjects import Subject
from faceport.benchmarks.latency.cases import SessionChoice
from faceport.bundle import Artefact, FileRecord
from faceport.errors import SessionError
from faceport.runtime.embedder import SessionEmbedder
from faceport.runtime.sessions.base import Array
from faceport.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from conftest import TinyModel


@dataclass(eq=False)
class Sums:
    """A session whose embedding is sums of pixels; it fails after so many runs."""

    spec: ModelSpec
    runs_left: int = 1000
    batches: list[int] = field(default_factory=list)
    closed: bool = False
    backend = "sums"
    provider = "cpu"

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.spec.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.spec.outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        if self.runs_left == 0:
            raise SessionError("out of memory")
        self.runs_left -= 1
        (tensor,) = feeds.values()
        self.batches.append(len(tensor))
        rows = tensor.reshape(len(tensor), 16, -1).astype(np.float64).mean(axis=2) + 10
        return {"embedding": rows.astype(np.float32), "norm": np.full((len(tensor), 1), 2.0, "f4")}

    def close(self) -> None:
        self.closed = True


def runner(session: Sums) -> Runner:
    artefact = Artefact("onnx", "fp32", FileRecord("model.onnx", "0" * 64, 10), ())
    subject = Subject(artefact, SessionChoice("onnxruntime", "cpu"))
    return Runner(subject, SessionEmbedder(session, session.spec))


def crops(count: int, *, without: tuple[int, ...] = ()) -> list[Crop]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 32, 24, 3), np.uint8)
    return [
        Crop(f"p{n}", None, 0, "no face found")
        if n in without
        else Crop(f"p{n}", pixels[n], 1 + n % 2, cached=n < 10)
        for n in range(count)
    ]


def test_rows_are_those_of_their_pictures(tiny_model: TinyModel) -> None:
    session = Sums(tiny_model.spec)
    one = runner(session)
    told: list[tuple[int, int]] = []
    given = crops(70, without=(0, 33, 69))
    passed = embed_all([one], given, 70, progress=lambda done, of: told.append((done, of)))
    assert told == [(32, 70), (64, 70), (70, 70)]
    assert sum(session.batches) == 67
    assert (passed.found, passed.cached, passed.several) == (67, 9, 33)
    assert [name for name, _ in passed.problems] == ["p0", "p33", "p69"]
    assert one.embedded is not None
    assert np.flatnonzero(~one.embedded.found).tolist() == [0, 33, 69]
    assert not one.embedded.vectors[33].any()
    assert one.embedder is not None
    for row in (1, 32, 34, 68):
        pixels = given[row].pixels
        assert pixels is not None
        alone = one.embedder.features(pixels[None])
        assert np.allclose(one.embedded.vectors[row], alone.vectors[0], atol=1e-6)
        assert one.embedded.norms[row] == 2.0


def test_who_fails_on_the_way_keeps_the_reason_and_the_others_go_on(tiny_model: TinyModel) -> None:
    failing, fine = Sums(tiny_model.spec, runs_left=1), Sums(tiny_model.spec)
    runners = [runner(failing), runner(fine)]
    passed = embed_all(runners, crops(70), 70)
    assert passed.found == 70
    assert runners[0].problem == "out of memory"
    assert runners[0].embedded is None
    assert failing.closed
    assert runners[1].problem == ""
    assert runners[1].embedded is not None
    assert runners[1].embedded.vectors.all(axis=1).all()


def test_timing_takes_turns_and_survives_a_failure(tiny_model: TinyModel) -> None:
    failing, fine = Sums(tiny_model.spec, runs_left=3), Sums(tiny_model.spec)
    runners = [runner(failing), runner(fine)]
    pixels = [crop.pixels for crop in crops(3) if crop.pixels is not None]
    time_all(runners, pixels, 4)
    assert runners[0].problem == "out of memory"
    assert runners[0].p50_ms is None
    assert runners[1].p50_ms is not None
    assert set(fine.batches) == {1}


@pytest.mark.parametrize("rounds", [0, 2])
def test_nothing_is_timed_without_crops_or_rounds(tiny_model: TinyModel, rounds: int) -> None:
    one = runner(Sums(tiny_model.spec))
    time_all([one], [] if rounds else [np.zeros((32, 24, 3), np.uint8)], rounds)
    assert one.p50_ms is None
