"""Whether pictures may share a run, with functions in place of graphs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.errors import ExportError, SessionError
from faceport.exporters.onnx_import.batching import BatchFinding, find_batch, run_each
from faceport.spec import TensorSpec

Array = NDArray[np.float32]
INPUTS = np.random.default_rng(0).normal(0, 1, (3, 4)).astype(np.float32)


@dataclass
class FunctionSession:
    compute: Callable[[Array], Array]
    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", "float32", ("batch", 4)),)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": self.compute(feeds["x"])}


def found(compute: Callable[[Array], Array], *, is_open: bool = True) -> BatchFinding:
    session = FunctionSession(compute)
    return find_batch(session, INPUTS, run_each(session, INPUTS), is_open=is_open)


def refuses_two(x: Array) -> Array:
    if len(x) > 1:
        raise SessionError("the graph did not run: Reshape")
    return x


def test_rows_that_stay_apart_may_share_a_run() -> None:
    assert found(lambda x: x * 2) == BatchFinding(None)
    # Rounding that differs with the batch is not mixing.
    assert found(lambda x: x * np.float32(1 + 1e-6 * len(x))) == BatchFinding(None)


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (lambda x: x.reshape(1, -1), r"folds the batch: .* \(1, 8\) instead of \(2, 4\)"),
        (lambda x: x - x.mean(axis=0) / 2, "differs from two runs of one"),
        (lambda x: x[::-1], "differs from two runs of one"),
        (lambda x: np.repeat(x[:1], len(x), axis=0), "differs from two runs of one"),
        (lambda x: np.where(len(x) > 1, np.nan, x), "differs from two runs of one"),
        (lambda x: x.reshape(-1, 1), r"no batch axis: shape \(4, 1\) for one"),
        (lambda x: x.sum(), r"no batch axis: shape \(\) for one"),
        (refuses_two, "does not run at batch 2: the graph did not run: Reshape"),
    ],
    ids=["fold", "mean", "order", "first", "nan", "flat", "scalar", "refuses"],
)
def test_rows_that_do_not_stay_apart_run_alone(
    compute: Callable[[Array], Array], reason: str
) -> None:
    finding = found(compute)
    assert finding.max_batch == 1
    (note,) = finding.notes
    assert "one at a time" in note
    assert re.search(reason, note)


def test_a_fixed_batch_axis_is_not_tried() -> None:
    finding = found(refuses_two, is_open=False)
    assert finding == BatchFinding(
        1, ("pictures run one at a time: the file fixes its batch axis at 1",)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_an_error(value: float) -> None:
    session = FunctionSession(lambda x: np.where(x > 0, np.float32(value), x))
    with pytest.raises(ExportError, match="output 'y' is not finite"):
        run_each(session, INPUTS)
