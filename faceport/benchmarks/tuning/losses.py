"""How far embeddings of one pipeline are from those of another, on the same photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceport.benchmarks.tuning.pipeline_run import FoundFace

SAME_FACE = 0.5
"""Overlap (IoU) from which two boxes are of one face."""

Photos = Sequence[Sequence[FoundFace]]


def faces_differ(found: Photos, reference: Photos) -> str:
    """Return how the faces found differ from the reference's; empty where they are the same."""
    for number, (ours, theirs) in enumerate(zip(found, reference, strict=True), 1):
        pairs = _pairs(ours, theirs)
        missed, more = len(theirs) - len(pairs), len(ours) - len(pairs)
        if missed or more:
            return f"photo {number}: faces missed: {missed}, found beyond the reference's: {more}"
    return ""


def pipeline_loss(found: Photos, reference: Photos) -> float:
    """Return 1 - the lowest cosine of a face's two embeddings; the same faces must be there."""
    cosines = [
        _cosine(ours, theirs)
        for mine, others in zip(found, reference, strict=True)
        for ours, theirs in _pairs(mine, others)
    ]
    return max(0.0, 1 - min(cosines, default=1.0))


def _pairs(
    found: Sequence[FoundFace], reference: Sequence[FoundFace]
) -> list[tuple[FoundFace, FoundFace]]:
    """Pair faces by their boxes' overlap, the largest first, each face once."""
    ranked = sorted(
        ((_overlap(a, b), i, j) for i, a in enumerate(found) for j, b in enumerate(reference)),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    for overlap, i, j in ranked:
        if overlap >= SAME_FACE and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return [(found[i], reference[j]) for i, j in pairs.items()]


def _overlap(a: FoundFace, b: FoundFace) -> float:
    ax1, ay1, ax2, ay2 = a.bbox
    bx1, by1, bx2, by2 = b.bbox
    width, height = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    common = max(0.0, width) * max(0.0, height)
    both = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - common
    return common / both if both > 0 else 0.0


def _cosine(a: FoundFace, b: FoundFace) -> float:
    first, second = np.array(a.vector, np.float64), np.array(b.vector, np.float64)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
