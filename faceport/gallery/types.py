"""What a gallery gives back."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"
"""The name of a face whose best score is under the threshold."""


@dataclass(frozen=True)
class Identity:
    """A person of the gallery and how many embeddings are held."""

    name: str
    embeddings: int


@dataclass(frozen=True)
class Match:
    """One candidate for a face.

    Attributes:
        name: of the identity.
        score: cosine with the identity's nearest embedding, -1 to 1.
        known: whether the score reaches the threshold.
    """

    name: str
    score: float
    known: bool
