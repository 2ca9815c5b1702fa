"""A threshold from a gallery's own impostors: pairs of two identities.

A search compares a face with templates (or samples), so the impostor pairs are each sample with
each other identity's template (or sample). The threshold is the lowest at which at most the target
share of them is accepted; it is counted, not fitted, and refused where the pairs are too few for
the rate (`faceport.rates`).

Of a gallery with more pairs than wanted, tiles of the score matrix are drawn: rows and columns in
an order shuffled by the seed, cut into blocks, and some pairs of blocks compared. Any pair is in
exactly one tile, so none counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceport.errors import GalleryError, InputError
from faceport.rates import LEAST_ERRORS, allowed_accepts, supports, trials_needed

Float = NDArray[np.float32]
Rows = NDArray[np.intp]

MAX_PAIRS = 20_000_000
BLOCK_ROWS = 512


@dataclass(frozen=True, eq=False)
class Faces:
    """Unit vectors (rows, D) float32 and the number of each one's identity (rows,)."""

    matrix: Float
    owner: Rows


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it rests on.

    Attributes:
        threshold: accepted is a score that is at least this.
        target_far: the false accept rate asked for.
        far: share of the impostor pairs at or above the threshold, at most `target_far`.
        false_accepts: their number.
        impostor_pairs: how many pairs were compared.
        all_pairs: how many there are in the gallery.
        identities: how many people they are of.
        highest: the highest score of an impostor pair; near 1 where one person has two names.
    """

    threshold: float
    target_far: float
    far: float
    false_accepts: int
    impostor_pairs: int
    all_pairs: int
    identities: int
    highest: float


def calibrate(
    target_far: float,
    probes: Faces,
    templates: Faces | None = None,
    *,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
    least_errors: int = LEAST_ERRORS,
) -> Calibration:
    """Find the threshold of a false accept rate.

    Args:
        target_far: share of impostor pairs that may be accepted, above 0 and below 1.
        probes: the gallery's samples.
        templates: what a search compares with; None compares the samples with each other.
        max_pairs: where there are more, so many are drawn, to about a tile.
        seed: of the drawing.
        least_errors: false accepts that the threshold must rest on.

    Raises:
        GalleryError: the pairs are too few for the rate, or too many are of equal vectors.
        InputError: an argument is out of its range.
    """
    if not 0 < target_far < 1 or max_pairs < 1 or least_errors < 1:
        raise InputError(
            "the limits of a calibration are out of range",
            received=f"false accept rate {target_far}, {max_pairs} pairs, {least_errors} errors",
            expected="a rate above 0 and below 1; 1 pair and error or more",
        )
    tiles = _Tiles.of(probes, templates, seed)
    everything = _impostor_pairs(probes.owner, None if templates is None else templates.owner)
    # Refused before the work is done: a draw has no more pairs than the gallery.
    _check_support(min(everything, max_pairs), everything, target_far, least_errors)
    top, pairs = _highest_scores(tiles, max_pairs, target_far)
    _check_support(pairs, everything, target_far, least_errors)
    threshold = _threshold(top, allowed_accepts(pairs, target_far))
    if threshold > 1:
        raise GalleryError(
            f"no threshold keeps a false accept rate of {target_far:g}",
            received="as many pairs of two identities with the same vector as may be accepted",
            fix="merge those who are one person: faceport gallery duplicates",
        )
    # numpy would round the threshold to float32, up or down on to a score that it lies between.
    accepts = int((top.astype(np.float64) >= threshold).sum())
    return Calibration(
        threshold=threshold,
        target_far=target_far,
        far=accepts / pairs,
        false_accepts=accepts,
        impostor_pairs=pairs,
        all_pairs=everything,
        identities=len(np.unique(probes.owner)),
        highest=float(top[0]),
    )


@dataclass(frozen=True, eq=False)
class _Tiles:
    """The score matrix in blocks of shuffled rows; `same` if rows and columns are the same."""

    rows: Faces
    columns: Faces
    same: bool
    places: NDArray[np.intp] = field(repr=False)

    @classmethod
    def of(cls, probes: Faces, templates: Faces | None, seed: int) -> _Tiles:
        rng = np.random.default_rng(seed)
        rows = _shuffled(probes, rng)
        columns = rows if templates is None else _shuffled(templates, rng)
        high, wide = _blocks(rows), _blocks(columns)
        i, j = np.triu_indices(high) if templates is None else np.indices((high, wide))
        places = np.stack([i.ravel(), j.ravel()], axis=1)
        return cls(rows, columns, templates is None, rng.permutation(places))

    def scores(self, single: NDArray[np.bool_]) -> Iterator[Float]:
        """Give the scores of the impostor pairs of each tile."""
        for i, j in self.places.tolist():
            high = slice(i * BLOCK_ROWS, (i + 1) * BLOCK_ROWS)
            wide = slice(j * BLOCK_ROWS, (j + 1) * BLOCK_ROWS)
            a, b = self.rows.owner[high, None], self.columns.owner[None, wide]
            counted = a != b
            if not self.same:
                # A lone sample is its template: the pair of two such people is there twice.
                counted &= ~(single[a] & single[b] & (a > b))
            elif i == j:
                counted &= np.triu(np.ones(counted.shape, bool), 1)
            yield (self.rows.matrix[high] @ self.columns.matrix[wide].T)[counted]


def _highest_scores(tiles: _Tiles, max_pairs: int, target: float) -> tuple[Float, int]:
    """Return the scores that may be accepted and the next below, falling, and how many there are.

    Of the drawn pairs only as many are kept as the rate can accept.
    """
    keep = allowed_accepts(max_pairs + BLOCK_ROWS**2, target) + 1
    counts = np.bincount(tiles.rows.owner) if len(tiles.rows.owner) else np.zeros(1, np.intp)
    parts: list[Float] = []
    held = pairs = 0
    floor = -np.inf
    for scores in tiles.scores(counts == 1):
        pairs += len(scores)
        parts.append(scores[scores >= floor])
        held += len(parts[-1])
        if held > 2 * keep + BLOCK_ROWS**2:
            top = np.concatenate(parts)
            parts = [np.partition(top, len(top) - keep)[len(top) - keep :]]
            held, floor = keep, float(parts[0].min())
        if pairs >= max_pairs:
            break
    top = np.sort(np.concatenate(parts))[::-1] if parts else np.empty(0, np.float32)
    return top[:keep], pairs


def _threshold(top: Float, allowed: int) -> float:
    """Return what lies halfway between the highest score to refuse and the next above it."""
    barred = float(top[allowed]) if allowed < len(top) else float(top[-1])
    above = top[top > barred]
    if not len(above):
        return float(np.nextafter(barred, np.inf))
    least = float(above[-1])
    middle = barred + (least - barred) / 2
    return middle if middle > barred else least


def _impostor_pairs(rows: Rows, columns: Rows | None) -> int:
    """Count the pairs of two identities, each once."""
    own = np.bincount(rows).astype(object) if len(rows) else np.zeros(1, object)
    if columns is None:
        return int((len(rows) ** 2 - (own**2).sum()) // 2)
    other = np.bincount(columns, minlength=len(own)).astype(object)
    own = np.concatenate([own, np.zeros(len(other) - len(own), object)])
    lone = int((own == 1).sum())
    return int(len(rows) * len(columns) - (own * other).sum()) - lone * (lone - 1) // 2


def _shuffled(faces: Faces, rng: np.random.Generator) -> Faces:
    order = rng.permutation(len(faces.owner))
    return Faces(faces.matrix[order], faces.owner[order])


def _blocks(faces: Faces) -> int:
    return -(-len(faces.owner) // BLOCK_ROWS)


def _check_support(pairs: int, everything: int, target: float, least_errors: int) -> None:
    if supports(pairs, target, least_errors):
        return
    needed = trials_needed(target, least_errors)
    more_fix = f"draw at least {needed} pairs (--max-pairs), or"
    raise GalleryError(
        f"the gallery can't support a false accept rate of {target:g}",
        received=f"{pairs} impostor pairs of {everything}",
        expected=f"{needed}, so that {least_errors} may be accepted (the rule of 30)",
        fix=f"{more_fix if everything >= needed else 'enroll more identities,'} ask for a higher "
        f"rate{'' if everything >= needed else ', or set --threshold by hand'}",
    )
