"""How a graph treats the batch axis, measured: some files fold two pictures into one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import ExportError, SessionError
from faceport.runtime.sessions.base import Array, Session

Outputs = Mapping[str, Array]

TOLERANCE = 1e-4
"""Largest difference between batch 2 and two runs of 1, relative to the output's largest value."""


@dataclass(frozen=True)
class BatchFinding:
    """Most pictures a run (None: any number), and why, if it is 1."""

    max_batch: int | None
    notes: tuple[str, ...] = ()


def run_each(session: Session, inputs: NDArray[np.generic]) -> list[dict[str, Array]]:
    """Run pictures (N, …) one at a time.

    Raises:
        SessionError: the graph does not run.
        ExportError: an output is not finite.
    """
    name = session.inputs[0].name
    runs = []
    for index in range(len(inputs)):
        outputs = session.run({name: inputs[index : index + 1]})
        for output, array in outputs.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ExportError(
                    f"output {output!r} is not finite on a test picture",
                    received="NaN or infinity",
                    fix="check --mean, --std and --color-order, or get the model in fp32",
                )
        runs.append(outputs)
    return runs


def find_batch(
    session: Session,
    inputs: NDArray[np.generic],
    runs: Sequence[Outputs],
    *,
    is_open: bool,
) -> BatchFinding:
    """Say whether two pictures may share a run.

    Args:
        session: the graph.
        inputs: (N, …) different pictures, at least 2.
        runs: what each gave alone.
        is_open: whether the graph's batch axis takes any number.
    """
    if not is_open:
        return _one_by_one("the file fixes its batch axis at 1")
    for name, array in runs[0].items():
        if array.ndim == 0 or len(array) != 1:
            return _one_by_one(f"output {name!r} has no batch axis: shape {array.shape} for one")
    try:
        together = session.run({session.inputs[0].name: np.ascontiguousarray(inputs[:2])})
    except SessionError as error:
        return _one_by_one(f"the file does not run at batch 2: {error.subject[:200]}")
    for name, both in together.items():
        alone = np.concatenate([run[name] for run in runs[:2]])
        if both.shape != alone.shape:
            return _one_by_one(
                f"output {name!r} folds the batch: two pictures give shape {both.shape} instead of "
                f"{alone.shape}"
            )
        difference = _difference(both, alone)
        if not difference <= TOLERANCE:
            return _one_by_one(
                f"output {name!r} of two pictures together differs from two runs of one by "
                f"{difference:.2g} of its largest value"
            )
    return BatchFinding(None)


def _difference(received: Array, expected: Array) -> float:
    got, want = received.astype(np.float64), expected.astype(np.float64)
    largest = max(float(np.abs(want).max(initial=0.0)), 1e-6)
    return float(np.abs(got - want).max(initial=0.0)) / largest


def _one_by_one(reason: str) -> BatchFinding:
    return BatchFinding(1, (f"pictures run one at a time: {reason}",))
