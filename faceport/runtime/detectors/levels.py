"""What the decoders share: the grid of one stride, and the rows of an output that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import SessionError, SpecError
from faceport.runtime.detectors.candidates import Outputs
from faceport.runtime.types import Float
from faceport.spec import DetectorSpec


@dataclass(frozen=True)
class Grid:
    """The cells of one stride, row by row; a side that does not divide has one cell more."""

    stride: int
    rows: int
    columns: int

    @classmethod
    def of(cls, height: int, width: int, stride: int) -> Grid:
        """Lay the grid over an input of a height and width in pixels."""
        return cls(stride, -(-height // stride), -(-width // stride))

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.rows * self.columns

    def positions(self, cells: NDArray[np.intp]) -> Float:
        """Return (N, 2) float32, column and row of each cell number."""
        row, column = np.divmod(cells, self.columns)
        return np.stack([column, row], axis=1).astype(np.float32)


def named(spec: DetectorSpec, role: str, count: int) -> tuple[str, ...]:
    """Return the outputs of a role.

    Raises:
        SpecError: the spec does not name as many.
    """
    names = spec.outputs.get(role, ())
    if len(names) != count:
        raise SpecError(
            f"detector.outputs of a {spec.decoder} model",
            received=f"{len(names)} outputs of role {role!r}",
            expected=count,
            fix="import the ONNX file again",
        )
    return names


def shaped(outputs: Outputs, name: str, *shape: int) -> NDArray[Any]:
    """Return an output in a shape, whatever axes of 1 it came with; one size may be -1.

    Raises:
        SessionError: the output is missing or has another number of values.
    """
    array = outputs.get(name)
    if array is None:
        raise SessionError(
            "the detector lacks an output", received=", ".join(outputs), expected=name
        )
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise SessionError(
            f"output {name!r} of the detector does not fit its spec",
            received=f"shape {array.shape}",
            expected=" × ".join(str(size) for size in shape) + " values for this input",
            fix="import the ONNX file again",
        ) from error


def passing(scores: NDArray[Any], threshold: float) -> NDArray[np.intp]:
    """Return the indices of the scores (N,) that reach the threshold.

    Raises:
        SessionError: a score is not a number; it would otherwise look like a picture without faces.
    """
    # The minimum of an array with a NaN is NaN: one pass instead of a mask.
    if scores.size and np.isnan(scores.min()):
        raise SessionError(
            "the detector's scores are not numbers",
            received="NaN",
            fix="the model overflows at its precision: use the fp32 artefact",
        )
    return np.flatnonzero(scores >= threshold)


def rows_of(values: NDArray[Any], kept: NDArray[np.intp]) -> Float:
    """Return the rows of `kept` as float32, whatever precision the graph gave."""
    return values[kept].astype(np.float32)
