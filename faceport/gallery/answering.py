"""From nearest identities to answers: names, decisions, margins, and the sample that is nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceport.gallery.nearest import Candidate
from faceport.gallery.stores.base import Reader
from faceport.gallery.types import Against, Answer, Float, Match
from faceport.runtime.types import Embedding


@dataclass(frozen=True)
class Question:
    """What was asked of a search: see `Gallery.search`."""

    threshold: float
    top_k: int
    against: Against
    min_norm: float | None


def answers(
    reader: Reader,
    question: Question,
    embeddings: Sequence[Embedding],
    queries: Float,
    found: Sequence[Sequence[Candidate]],
) -> list[Answer]:
    """Make an answer of each query's nearest identities, at least two where there are two.

    All names and sources are read in the snapshot in which the search was made.
    """
    shown = [candidates[: question.top_k] for candidates in found]
    names = reader.names(sorted({c.identity_id for each in shown for c in each}))
    samples = _nearest_samples(reader, question.against, queries, shown)
    sources = reader.sources(sorted(set(samples.values())))
    return [
        Answer(
            tuple(
                Match(
                    names[c.identity_id],
                    c.score,
                    c.score >= question.threshold,
                    sources.get(samples.get((query, c.identity_id), -1), ""),
                )
                for c in shown[query]
            ),
            question.threshold,
            candidates[0].score - candidates[1].score if len(candidates) > 1 else None,
            question.min_norm is not None and embedding.norm < question.min_norm,
        )
        for query, (embedding, candidates) in enumerate(zip(embeddings, found, strict=True))
    ]


def _nearest_samples(
    reader: Reader, against: Against, queries: Float, shown: Sequence[Sequence[Candidate]]
) -> dict[tuple[int, int], int]:
    """Sample ids by query and identity."""
    if against == "samples":
        return {(q, c.identity_id): c.sample_id for q, each in enumerate(shown) for c in each}
    wanted = sorted({c.identity_id for each in shown for c in each})
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for block in reader.vectors("samples", wanted) if wanted else ():
        owners, starts = np.unique(block.identity_ids, return_index=True)
        # An identity's rows lie together.
        ends = [*starts[1:].tolist(), len(block.matrix)]
        spans = dict(zip(owners.tolist(), zip(starts.tolist(), ends, strict=True), strict=True))
        for query, candidates in enumerate(shown):
            for owner in (c.identity_id for c in candidates if c.identity_id in spans):
                start, end = spans[owner]
                scores = block.matrix[start:end] @ queries[query]
                row = int(scores.argmax())
                found = (float(scores[row]), int(block.sample_ids[start + row]))
                best[query, owner] = max(found, best.get((query, owner), found))
    return {key: sample for key, (_, sample) in best.items()}
