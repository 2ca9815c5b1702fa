"""Whether the contestants computed the same.

Detectors place the picture differently in their input (insightface in the upper left corner,
faceport in the middle), so landmarks differ by a pixel or two, and embeddings with them. So there
are two cosines: of what each gave, and of what faceport gives for the peer's own landmarks. The
second tells whether crop, colour order, mean, std and graph are the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from faceport.images import load_image
from faceport.runtime.embedder import open_embedder
from faceport.runtime.types import Detection

NEAR = 0.5
"""Two boxes that overlap by more (intersection over union) are of one face."""


def agreement(rows: list[dict[str, Any]], embedder: Path, photo: Path) -> dict[str, dict[str, Any]]:
    """Compare each peer's faces with those of its row of faceport's."""
    by_name = {row["name"]: row["faces"] for row in rows}
    recogniser, image = open_embedder(embedder), load_image(photo)
    answer = {}
    for row in (row for row in rows if row["faces"] and row["name"] != row["against"]):
        faces, ours = row["faces"], by_name[row["against"]]
        pairs = [(face, _same(face, ours)) for face in faces]
        again = recogniser.embed([(image, _detection(face)) for face in faces])
        answer[row["name"]] = {
            "faces": len(faces),
            "matched": sum(other is not None for _, other in pairs),
            "cosine": min(
                (_cosine(face["vector"], other["vector"]) for face, other in pairs if other),
                default=None,
            ),
            "cosine_same_landmarks": min(
                _cosine(face["vector"], own.vector) for face, own in zip(faces, again, strict=True)
            ),
        }
    return answer


def _same(face: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any] | None:
    best = max(others, key=lambda other: _overlap(face["box"], other["box"]), default=None)
    return best if best and _overlap(face["box"], best["box"]) > NEAR else None


def _detection(face: dict[str, Any]) -> Detection:
    box = np.array(face["box"], np.float32)
    return Detection(box, 1.0, np.array(face["landmarks"], np.float32).reshape(5, 2))


def _cosine(first: Any, second: Any) -> float:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _overlap(first: list[float], second: list[float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return shared / (sum(areas) - shared)
