"""Vectors in int8, and how far a score of theirs can be from the true one.

A row x is kept as scale * codes, with scale = max|x| / 127 and codes = round(x / scale). With
residuals x - x' and q - q' the Cauchy-Schwarz inequality gives

    |q.x - q'.x'|  =  |q.(x - x') + (q - q').x'|  <=  |q| |x - x'| + |q - q'| |x'|

so that the lengths of the residuals, which are known, bound the error of every score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.gallery.types import Float

LARGEST = 127
STEP = 512
"""Rows coded together: 1 MB at 512, which stays in a cache over all the steps."""
ROUNDING = np.float32(1e-5)
"""More than float32 can lose when a sum of int32 is scaled twice."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Rows in int8.

    Attributes:
        values: (rows, D) int8.
        scales: (rows,) float32; a row is about `scales[i] * values[i]`.
        residual: the longest |x - x'|.
        length: the longest |x'|.
    """

    values: NDArray[np.int8]
    scales: Float
    residual: float
    length: float

    @property
    def nbytes(self) -> int:
        """Memory that the codes take."""
        return self.values.nbytes + self.scales.nbytes


def coded(matrix: Float) -> Codes:
    """Code rows (rows, D), which may be memory-mapped.

    Raises:
        InputError: a row has numbers that are not finite.
    """
    values = np.empty(matrix.shape, np.int8)
    scales = np.empty(len(matrix), np.float32)
    residual = length = 0.0
    for start in range(0, len(matrix), STEP):
        part = slice(start, start + STEP)
        rows = np.asarray(matrix[part])
        scales[part] = np.maximum(np.abs(rows).max(axis=1), np.finfo(np.float32).tiny) / LARGEST
        scale = scales[part, np.newaxis]
        length = max(length, _longest(rows))
        np.rint(rows / scale, out=values[part], casting="unsafe")
        restored = values[part] * scale
        residual = max(residual, _longest(rows - restored))
        length = max(length, _longest(restored))
    return Codes(values, scales, residual, length)


def extended(codes: Codes, matrix: Float) -> Codes:
    """Put the codes of further rows behind others."""
    new = coded(matrix)
    return Codes(
        np.concatenate([codes.values, new.values]),
        np.concatenate([codes.scales, new.scales]),
        max(codes.residual, new.residual),
        max(codes.length, new.length),
    )


def score_errors(queries: Float, coded_queries: Codes, rows: Codes) -> Float:
    """Return (n,) the most by which a score of each query may be wrong."""
    lost = queries - coded_queries.values * coded_queries.scales[:, np.newaxis]
    bound: Float = _lengths(queries) * rows.residual + _lengths(lost) * rows.length
    bound += ROUNDING * (1 + _lengths(queries))
    return bound


def _lengths(rows: Float) -> Float:
    lengths: Float = np.sqrt(np.einsum("rd,rd->r", rows, rows, dtype=np.float32))
    return lengths


def _longest(rows: Float) -> float:
    longest = float(_lengths(rows).max(initial=0))
    if not math.isfinite(longest):
        raise InputError("rows of an index", received="NaN or infinity", expected="finite numbers")
    return longest
