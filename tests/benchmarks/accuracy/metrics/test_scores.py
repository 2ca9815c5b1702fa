from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy.metrics import scores as module
from faceport.benchmarks.accuracy.metrics.scores import scores_of
from faceport.benchmarks.accuracy.types import Embedded, PairSet, Picture
from faceport.errors import InputError
from faceport.runtime.fuse import normalized


def pair_set(labels: np.ndarray | None = None) -> PairSet:
    return PairSet(
        name="p",
        pictures=tuple(Picture(str(i), str(i)) for i in range(5)),
        left=np.array([0, 0, 1, 3]),
        right=np.array([1, 2, 2, 4]),
        same=np.array([True, False, False, True]),
        folds=np.array([0, 0, 1, 1]),
        labels=labels,
    )


def embedded() -> Embedded:
    vectors, norms = normalized(np.random.default_rng(0).normal(size=(5, 8)))
    vectors[2], norms[2] = 0, 0
    found = np.array([True, True, False, True, True])
    return Embedded(vectors, norms, found, (("2", "no face"),))


def test_cosines_are_float64_and_failures_are_below_all_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BLOCK", 16)  # two pairs at a time
    made, data = scores_of(pair_set(), embedded()), embedded().vectors.astype(np.float64)
    assert made.scores.dtype == np.float64
    assert made.scores[0] == pytest.approx(data[0] @ data[1], abs=1e-15)
    assert made.scores[3] == pytest.approx(data[3] @ data[4], abs=1e-15)
    assert made.scores[1:3].tolist() == [-np.inf, -np.inf]
    assert made.failed.tolist() == [False, True, True, False]
    assert made.people is None


def test_people_of_each_side_and_pairs_without_failures() -> None:
    made = scores_of(pair_set(np.array([7, 7, 8, 9, 9])), embedded())
    assert made.people is not None
    assert made.people.tolist() == [[7, 7], [7, 8], [7, 8], [9, 9]]
    kept = made.without_failures()
    assert kept.same.tolist() == [True, True]
    assert kept.folds.tolist() == [0, 1]
    assert kept.people is not None
    assert kept.people.tolist() == [[7, 7], [9, 9]]
    assert not kept.failed.any()


def test_embeddings_of_another_set_are_refused() -> None:
    few = Embedded(np.zeros((2, 8), np.float32), np.zeros(2, np.float32), np.zeros(2, bool))
    with pytest.raises(InputError, match="not those of p; received 2; expected 5 pictures"):
        scores_of(pair_set(), few)
