from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import GalleryError, InputError
from faceport.gallery import calibration as module
from faceport.gallery.calibration import Faces, calibrate


def people(seed: int, counts: list[int], dim: int = 24) -> Faces:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(counts), dim))
    owner = np.repeat(np.arange(len(counts)), counts).astype(np.intp)
    vectors = centres[owner] + 0.5 * rng.normal(size=(len(owner), dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Faces(vectors.astype(np.float32), owner)


def templates(faces: Faces) -> Faces:
    sums = np.stack([faces.matrix[faces.owner == i].sum(axis=0) for i in np.unique(faces.owner)])
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    return Faces(sums.astype(np.float32), np.unique(faces.owner))


def all_scores(faces: Faces, against: Faces | None) -> np.ndarray:
    """Every impostor pair once, in float64 and in Python."""
    found = []
    others = against or faces
    lone = np.bincount(faces.owner) == 1
    for i, a in enumerate(faces.matrix.astype(np.float64)):
        for j, b in enumerate(others.matrix.astype(np.float64)):
            p, q = faces.owner[i], others.owner[j]
            twice = j <= i if against is None else lone[p] and lone[q] and p > q
            if p != q and not twice:
                found.append(float(a @ b))
    return np.array(found)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    counts=st.lists(st.integers(1, 4), min_size=6, max_size=14),
    target=st.sampled_from((0.05, 0.1, 0.3)),
    block=st.integers(2, 40),
    against=st.sampled_from(("templates", "samples")),
)
def test_it_is_the_lowest_threshold_that_keeps_the_rate(
    seed: int, counts: list[int], target: float, block: int, against: str
) -> None:
    faces = people(seed, counts)
    other = templates(faces) if against == "templates" else None
    scores = all_scores(faces, other)
    if len(scores) * target < 1:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", block)
        found = calibrate(target, faces, other, least_errors=1)
    assert found.impostor_pairs == found.all_pairs == len(scores)
    assert found.identities == len(counts)
    assert found.highest == pytest.approx(scores.max(), abs=1e-5)
    # Scores are sums of float32: what lies within their rounding of the threshold may fall on
    # either side.
    sure = np.abs(scores - found.threshold) > 1e-6
    assert sure.sum() >= len(scores) - 2
    assert (scores[sure] >= found.threshold).sum() <= found.false_accepts
    assert found.far == found.false_accepts / len(scores) <= target
    falling = np.sort(scores)[::-1]
    allowed = int(np.floor(len(scores) * target + 1e-9))
    assert found.false_accepts == allowed
    assert falling[allowed] - 1e-5 <= found.threshold <= falling[allowed - 1] + 1e-5


def test_the_rule_of_30_refuses_what_the_pairs_cant_show() -> None:
    faces = people(0, [1] * 40)
    assert calibrate(0.04, faces).impostor_pairs == 780
    with pytest.raises(GalleryError, match=r"780 impostor pairs.*expected 3000.*enroll more"):
        calibrate(1e-2, faces)
    with pytest.raises(GalleryError, match="0 impostor pairs"):
        calibrate(0.5, people(0, [5]))
    with pytest.raises(GalleryError, match="0 impostor pairs"):
        calibrate(0.5, Faces(np.empty((0, 4), np.float32), np.empty(0, np.intp)))
    with pytest.raises(GalleryError, match="--max-pairs"):
        calibrate(0.1, faces, max_pairs=200)


def test_a_lone_sample_is_its_template_and_its_pairs_count_once() -> None:
    faces = people(0, [1] * 40)
    both = calibrate(0.05, faces, templates(faces)), calibrate(0.05, faces)
    assert both[0].impostor_pairs == both[1].impostor_pairs == 780
    assert both[0].threshold == pytest.approx(both[1].threshold, abs=1e-6)


def test_a_draw_is_repeated_by_its_seed_and_near_the_whole() -> None:
    faces = people(1, [2] * 1500, dim=64)
    whole = calibrate(1e-3, faces)
    assert whole.impostor_pairs == whole.all_pairs == 3000 * 2999 // 2 - 1500
    draws = [calibrate(1e-3, faces, max_pairs=1_000_000, seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    for draw in draws:
        assert 1_000_000 <= draw.impostor_pairs < 1_000_000 + module.BLOCK_ROWS**2
        assert draw.all_pairs == whole.all_pairs
        # 1,000 false accepts: within 30 % of the true rate far more than 90 times in 100.
        true_far = _far(faces, draw.threshold)
        assert 0.7e-3 < true_far < 1.3e-3


def _far(faces: Faces, threshold: float) -> float:
    scores = faces.matrix @ faces.matrix.T
    two = faces.owner[:, None] != faces.owner[None]
    return float((scores[two] >= threshold).mean())


def test_a_person_under_two_names_shows_in_the_highest_score() -> None:
    faces = people(2, [1] * 60)
    faces.matrix[1] = faces.matrix[0]
    assert calibrate(0.05, faces).highest == pytest.approx(1, abs=1e-6)


def test_scores_that_are_all_equal() -> None:
    faces = Faces(np.tile(np.eye(1, 4, dtype=np.float32), (40, 1)), np.arange(40))
    with pytest.raises(GalleryError, match="same vector"):
        calibrate(0.1, faces)


def test_a_threshold_just_above_equal_scores_accepts_none_of_them() -> None:
    faces = Faces(np.eye(40, dtype=np.float32), np.arange(40))
    found = calibrate(0.1, faces)
    assert 0 < found.threshold < 1e-30
    assert (found.false_accepts, found.far) == (0, 0)


@pytest.mark.parametrize("far", [0, 1, -1, float("nan")])
def test_refused(far: float) -> None:
    with pytest.raises(InputError):
        calibrate(far, people(0, [1, 1]))
