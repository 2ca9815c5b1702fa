"""The pictures of a panel, cut again for the few that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from faceport.benchmarks.accuracy.cache import Pixels
from faceport.benchmarks.accuracy.crops import crops_of
from faceport.benchmarks.accuracy.cutter import Cutter
from faceport.benchmarks.accuracy.metrics.folds import FoldAccuracy
from faceport.benchmarks.accuracy.metrics.scores import PairScores
from faceport.benchmarks.accuracy.panel import Row, Tile
from faceport.benchmarks.accuracy.retrieval import Query, queries_of, worst_pairs
from faceport.benchmarks.accuracy.types import Embedded, IdentitySet, Labels, PairSet


@dataclass(frozen=True)
class Panel:
    """Rows to draw, and how to read them."""

    rows: tuple[Row, ...]
    title: str
    note: str


def retrieval_panel(
    identities: IdentitySet | PairSet, embedded: Embedded, cutter: Cutter, seed: int
) -> Panel | None:
    """Return queries with the pictures nearest to them; None where nobody has two pictures.

    Args:
        identities: pictures with labels.
        embedded: what the reference made of them.
        cutter: cuts the pictures shown.
        seed: of the queries that are drawn.
    """
    labels = identities.labels
    queries = [] if labels is None else queries_of(embedded, labels, seed=seed)
    if labels is None or not queries:
        return None
    shown = {query.picture for query in queries}
    shown |= {int(one) for query in queries for one in query.nearest}
    pixels = _pixels(identities, shown, cutter)
    rows = [_query_row(identities, labels, query, pixels) for query in queries]
    note = "✓: the same person; ✗: another, before all pictures of the person were found; "
    note += "hardest queries first, then some drawn"
    return Panel(tuple(rows), "Nearest pictures, with cosines", note)


def pairs_panel(
    pairs: PairSet, scores: PairScores, accuracy: FoldAccuracy | None, cutter: Cutter
) -> Panel | None:
    """Return the pairs that went worst, each judged with the mean of the folds' thresholds.

    Args:
        pairs: of the list, as many as there are scores.
        scores: of the reference.
        accuracy: of the reference; None leaves right and wrong unsaid.
        cutter: cuts the pictures shown.
    """
    threshold = None if accuracy is None else float(np.mean(accuracy.thresholds))
    low, high = worst_pairs(scores)
    chosen = np.concatenate([low, high])
    shown = {int(side[one]) for one in chosen for side in (pairs.left, pairs.right)}
    pixels = _pixels(pairs, shown, cutter)
    rows = []
    for title, which in (("same person,\nlowest cosines", low), ("two people,\nhighest", high)):
        if len(which):
            rows.append(Row(_pair_tiles(pairs, which, scores, pixels, threshold), title=title))
    judged = "" if threshold is None else f"; ✓ and ✗: at threshold {threshold:.3f}"
    return Panel(tuple(rows), "The worst pairs, with cosines", f"two pictures a frame{judged}")


def _query_row(
    listed: IdentitySet | PairSet, labels: Labels, query: Query, pixels: dict[int, Pixels]
) -> Row:
    answers = []
    for rank, picture in enumerate(query.nearest.tolist()):
        same = bool(labels[picture] == labels[query.picture])
        # Past the person's last picture no answer could be right.
        right = True if same else False if rank < query.mates else None
        name = listed.pictures[picture].name
        answers.append(Tile(pixels[picture], name, float(query.scores[rank]), right))
    asked = Tile(pixels[query.picture], listed.pictures[query.picture].name)
    return Row(tuple(answers), asked)


def _pair_tiles(
    pairs: PairSet,
    which: Labels,
    scores: PairScores,
    pixels: dict[int, Pixels],
    threshold: float | None,
) -> tuple[Tile, ...]:
    tiles = []
    for one in which.tolist():
        left, right = int(pairs.left[one]), int(pairs.right[one])
        score = float(scores.scores[one])
        accepted = None if threshold is None else bool((score >= threshold) == pairs.same[one])
        label = f"{pairs.pictures[left].name}\n{pairs.pictures[right].name}"
        both = np.concatenate([pixels[left], pixels[right]], axis=1)
        tiles.append(Tile(both, label, score, accepted))
    return tuple(tiles)


def _pixels(
    listed: IdentitySet | PairSet, shown: Iterable[int], cutter: Cutter
) -> dict[int, Pixels]:
    """Return the crops of some pictures, in RGB."""
    order: Sequence[int] = sorted(shown)
    bgr = cutter.preprocess.color_order == "bgr"
    found: dict[int, Pixels] = {}
    crops = crops_of([listed.pictures[one] for one in order], cutter)
    for one, crop in zip(order, crops, strict=True):
        if crop.pixels is not None:
            found[one] = crop.pixels[..., ::-1] if bgr else crop.pixels
    return found
