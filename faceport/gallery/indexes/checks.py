"""What an index refuses to be built of or asked for."""

from __future__ import annotations

import numpy as np

from faceport.errors import InputError
from faceport.gallery.types import Float


def check_matrix(matrix: Float) -> None:
    """Check the shape and type of the rows to search.

    Raises:
        InputError: not (rows, D) float32.
    """
    if matrix.ndim != 2 or matrix.dtype != np.float32:
        raise InputError(
            "the rows of an index",
            received=f"shape {matrix.shape}, {matrix.dtype}",
            expected="(rows, D) float32",
        )


def check_queries(queries: Float, matrix: Float, k: int) -> None:
    """Check what an index of a matrix is asked; one without rows takes queries of any length.

    Raises:
        InputError: not (n, D) float32 of finite numbers, or k is less than 1.
    """
    dim = matrix.shape[1] if len(matrix) else "D"
    if queries.ndim != 2 or queries.dtype != np.float32 or dim not in ("D", queries.shape[1]):
        raise InputError(
            "queries of an index",
            received=f"shape {queries.shape}, {queries.dtype}",
            expected=f"(n, {dim}) float32",
        )
    if not np.isfinite(queries).all():
        raise InputError(
            "queries of an index", received="NaN or infinity", expected="finite numbers"
        )
    if k < 1:
        raise InputError("the number of rows to find", received=k, expected="1 or more")
