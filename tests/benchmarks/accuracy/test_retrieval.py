"""Which queries and pairs a panel shows, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy import retrieval
from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.benchmarks.accuracy.retrieval import HARDEST, TOP, queries_of, worst_pairs
from faceport.benchmarks.accuracy.types import Embedded


def faces(count: int, people: int, seed: int) -> tuple[Embedded, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, people, count)
    centres = rng.normal(size=(people, 8))
    vectors = (centres[labels] + rng.normal(size=(count, 8))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = rng.random(count) > 0.1
    vectors[~found] = 0
    return Embedded(vectors, found.astype(np.float32), found), labels


def margin(embedded: Embedded, labels: np.ndarray, one: int) -> float:
    best = {True: -np.inf, False: -np.inf}
    for other in np.flatnonzero(embedded.found):
        if other != one:
            same = bool(labels[other] == labels[one])
            cosine = float(embedded.vectors[other] @ embedded.vectors[one])
            best[same] = max(best[same], cosine)
    return best[True] - best[False]


@pytest.mark.parametrize("seed", range(3))
def test_the_hardest_queries_come_first(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "BLOCK", 7)
    embedded, labels = faces(60, 12, seed)
    asked = [
        one
        for one in np.flatnonzero(embedded.found)
        if (labels[embedded.found] == labels[one]).sum() > 1
    ]
    margins = sorted((margin(embedded, labels, one), int(one)) for one in asked)
    queries = queries_of(embedded, labels, seed=seed)
    shown = [query.picture for query in queries]
    hardest = [margin(embedded, labels, one) for one in shown[:HARDEST]]
    assert hardest == pytest.approx([value for value, _ in margins[:HARDEST]], abs=1e-6)
    assert len(set(shown)) == len(shown) == min(len(asked), HARDEST + retrieval.DRAWN)
    for query in queries:
        cosines = embedded.vectors @ embedded.vectors[query.picture]
        cosines[~embedded.found] = -np.inf
        cosines[query.picture] = -np.inf
        assert np.allclose(query.scores, np.sort(cosines)[::-1][:TOP], atol=1e-6)
        mates = (labels[embedded.found] == labels[query.picture]).sum() - 1
        assert query.mates == mates


def test_nobody_is_asked_for_who_has_one_picture_or_is_alone() -> None:
    embedded = Embedded(np.eye(3, dtype=np.float32), np.ones(3, np.float32), np.ones(3, bool))
    assert queries_of(embedded, np.array([0, 1, 2])) == []
    assert queries_of(embedded, np.array([0, 0, 0])) == []
    assert len(queries_of(embedded, np.array([0, 0, 1]))) == 2


def test_the_worst_pairs_have_two_faces() -> None:
    scores = np.array([0.5, 0.1, 0.9, -0.2, 0.4, -np.inf])
    same = np.array([True, True, True, False, False, True])
    given = PairScores(scores, same, np.zeros(6, np.int64), None, ~np.isfinite(scores))
    lowest, highest = worst_pairs(given)
    assert lowest.tolist() == [1, 0, 2]
    assert highest.tolist() == [4, 3]
