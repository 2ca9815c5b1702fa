from __future__ import annotations

import numpy as np
import pytest

from faceport.benchmarks.accuracy.metrics import search as module
from faceport.benchmarks.accuracy.metrics.search import Searches, plan_searches, search
from faceport.benchmarks.accuracy.types import Embedded
from faceport.errors import InputError
from faceport.runtime.fuse import normalized


def noisy(labels: np.ndarray, found: np.ndarray | None = None, seed: int = 0) -> Embedded:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(int(labels.max()) + 1, 8))
    vectors, norms = normalized(centres[labels] + rng.normal(size=(len(labels), 8)) * 0.9)
    there = np.ones(len(labels), bool) if found is None else found
    vectors[~there] = 0
    return Embedded(vectors, norms, there)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_a_search_one_by_one_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small blocks, so that identities cross their borders.
    monkeypatch.setattr(module, "GALLERY_BLOCK", 7)
    monkeypatch.setattr(module, "BUDGET", 8 * 50)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 15, 80)
    embedded = noisy(labels, rng.random(80) > 0.15, seed)
    order = rng.permutation(80)
    gallery, probes = order[:45], order[45:]
    made = search(embedded, labels, Searches(gallery, probes))
    for k, probe in enumerate(probes):
        best: dict[int, float] = {}
        for entry in gallery[embedded.found[gallery]]:
            score = float(
                embedded.vectors[probe].astype(np.float64)
                @ embedded.vectors[entry].astype(np.float64)
            )
            best[labels[entry]] = max(best.get(labels[entry], -np.inf), score)
        assert made.mated[k] == (labels[probe] in labels[gallery])
        assert made.failed[k] == (not embedded.found[probe])
        if made.failed[k]:
            assert (made.own[k], made.other[k], made.rank[k]) == (-np.inf, -np.inf, 0)
            continue
        own = best.pop(labels[probe], -np.inf)
        assert made.own[k] == pytest.approx(own, abs=1e-12)
        assert made.other[k] == pytest.approx(max(best.values()), abs=1e-12)
        expected = 0 if own == -np.inf else 1 + sum(score >= own for score in best.values())
        assert made.rank[k] == expected
    assert made.enrolled == len(set(labels[gallery]))
    usable = gallery[embedded.found[gallery]]
    assert made.not_enrolled == made.enrolled - len(set(labels[usable]))


def test_equal_scores_rank_behind() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    embedded = Embedded(vectors, np.ones(4, np.float32), np.ones(4, bool))
    made = search(embedded, np.array([0, 1, 2, 0]), Searches(np.array([0, 1, 2]), np.array([3])))
    assert (made.rank[0], made.own[0], made.other[0]) == (2, 1, 1)


def test_a_gallery_of_one_or_of_none_with_a_face() -> None:
    labels = np.array([0, 0, 1])
    made = search(noisy(labels), labels, Searches(np.array([0]), np.array([1, 2])))
    assert made.rank.tolist() == [1, 0]
    assert made.other[0] == -np.inf
    assert np.isfinite(made.other[1])
    none = search(
        noisy(labels, np.array([False, True, True])),
        labels,
        Searches(np.array([0]), np.array([1, 2])),
    )
    assert (none.enrolled, none.not_enrolled, none.rank.tolist()) == (1, 1, [0, 0])
    assert none.other.tolist() == [-np.inf, -np.inf]


def test_one_item_a_person_is_enrolled_and_single_items_are_strangers() -> None:
    labels = np.array([3, 1, 3, 2, 1, 3, 5])
    plan = plan_searches(labels, seed=1)
    assert sorted(labels[plan.gallery]) == [1, 3]
    assert sorted([*plan.gallery, *plan.probes]) == list(range(7))
    again = plan_searches(labels, seed=1)
    assert plan.gallery.tolist() == again.gallery.tolist()
    drawn = {tuple(plan_searches(labels, seed).gallery.tolist()) for seed in range(60)}
    assert len(drawn) == 6  # 3 × 2 ways
    with pytest.raises(InputError, match="nobody has two pictures"):
        plan_searches(np.array([0, 1, 2]))


def test_nothing_enrolled_and_other_labels_are_refused() -> None:
    labels = np.array([0, 0, 1])
    nothing = Searches(np.array([], np.int64), np.array([1]))
    with pytest.raises(InputError, match="received 0 enrolled"):
        search(noisy(labels), labels, nothing)
    with pytest.raises(InputError, match="2 labels"):
        search(noisy(labels), labels[:2], Searches(np.array([0]), np.array([1])))


def test_a_large_gallery_takes_bounded_memory() -> None:
    import tracemalloc

    size = 100_000
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(size + 200, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[size:] = vectors[:200]
    embedded = Embedded(vectors, np.ones(size + 200, np.float32), np.ones(size + 200, bool))
    labels = np.concatenate([np.arange(size), np.arange(200)])
    tracemalloc.start()
    try:
        made = search(embedded, labels, Searches(np.arange(size), np.arange(size, size + 200)))
        assert tracemalloc.get_traced_memory()[1] < 200e6  # the scores of all are 160 MB, twice
    finally:
        tracemalloc.stop()
    assert made.own == pytest.approx(1, abs=1e-6)
    assert (made.rank == 1).all()
