"""Whether an artefact computes what its checkpoint computed, in figures.

Numpy only: `faceport verify` repeats on a device what the export measured. All figures are computed
in float64, and a value that is not finite is never within a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from faceport.bundle import Parity, Tolerance
from faceport.errors import FaceportError, InputError, ParityError
from faceport.runtime.sessions.base import Array, Session
from faceport.spec import ModelSpec

BATCH = 5
"""The larger of the two batch sizes that are measured; the other is 1."""

Float64 = NDArray[np.float64]
Arrays = Mapping[str, Array]

# Below this an output counts as all zeros where something is divided by its size: float32 noise.
TINY = 1e-6

# Scores that are all below this find no face: their differences count as parts of this, not of
# themselves.
SMALL_SCORE = 0.01


TOLERANCES: Mapping[str, Tolerance] = {
    "fp32": Tolerance(min_cosine=0.999999, max_abs_diff=1e-4),
    "fp16": Tolerance(min_cosine=0.9999, max_abs_diff=0.02),
    "int8": Tolerance(min_cosine=0.97, max_abs_diff=0.3, min_mean_cosine=0.99),
}
"""What is demanded of an artefact, by its precision."""


def tolerance_for(precision: str) -> Tolerance:
    """Return the tolerance of a precision.

    Raises:
        InputError: there is none of that name.
    """
    if precision not in TOLERANCES:
        raise InputError("no such precision", received=precision, expected=", ".join(TOLERANCES))
    return TOLERANCES[precision]


def batch_sizes(spec: ModelSpec, count: int) -> tuple[int, ...]:
    """Return the batch sizes to measure on `count` pictures: 1 and 5, or what the model allows."""
    largest = min(BATCH, count, spec.max_batch or BATCH)
    return (1,) if largest <= 1 else (1, largest)


def measure(
    session: Session, spec: ModelSpec, inputs: Array, reference: Arrays
) -> tuple[Parity, ...]:
    """Run a session on the proof's pictures and compare, one record a batch size.

    Every picture runs alone, and every picture runs in a batch of 5 (of `spec.max_batch`, if that
    is smaller).

    Args:
        session: the artefact.
        spec: of the model; it names the outputs and says which of them is the embedding.
        inputs: (N, …) input tensor.
        reference: what the checkpoint computed, by output name: (N, …) each.

    Raises:
        ParityError: an output is missing, of another shape or not finite, or the session failed.
    """
    check_reference(spec, inputs, reference)
    sizes = batch_sizes(spec, len(inputs))
    return tuple(_at_batch(session, spec, inputs, reference, size) for size in sizes)


def check_reference(spec: ModelSpec, inputs: Array, reference: Arrays) -> None:
    """Check that there is something to compare with.

    Raises:
        ParityError: no picture, a missing output, another number of rows, or values not finite.
    """
    if inputs.ndim < 2 or len(inputs) == 0:
        raise ParityError("there is no picture to measure parity on", received=inputs.shape)
    for name in spec.output_names:
        if name not in reference:
            raise ParityError(
                "an output has no reference", received=sorted(reference), expected=name
            )
        array = reference[name]
        if array.ndim < 1 or len(array) != len(inputs):
            raise ParityError(
                f"the reference of output {name!r} has another number of rows",
                received=array.shape,
                expected=f"{len(inputs)} rows",
            )
        _check_finite(array, f"the reference of output {name!r}")


def compare(spec: ModelSpec, received: Arrays, expected: Arrays, batch: int) -> Parity:
    """Compare outputs of the same pictures.

    The embedding is compared as unit vectors: the angle and the largest difference of one number;
    its length, where the graph does not normalise it, and the norm output by relative difference.
    Any other output is compared by the largest difference relative to the reference's largest
    value, and by the cosine of a picture's flattened values. A detector's concatenated output holds
    pixels and scores: each of its channels is compared by itself, or no score would count.

    Args:
        spec: says which output is which.
        received: what the artefact computed, by output name: (N, …) each.
        expected: what it should have computed, of the same shapes.
        batch: the batch size, for the record.

    Raises:
        ParityError: an output is missing, of another shape, or not finite.
    """
    diffs: list[float] = []
    cosines: list[Float64] = []
    embedding = embedding_output(spec)
    concatenated = spec.detector.outputs.get("concatenated", ()) if spec.detector else ()
    for name in spec.output_names:
        if name not in received:
            raise ParityError("an output is missing", received=sorted(received), expected=name)
        got, want = _pair(name, received[name], expected[name])
        if name == spec.norm_output:
            diffs.append(_relative(got, want))
            continue
        cosines.append(_cosines(got, want))
        if name in concatenated:
            diffs.append(_scaled_by_channel(got, want, expected[name].shape))
            continue
        if name != embedding:
            diffs.append(_scaled(got, want))
            continue
        diffs.append(float(np.abs(_unit(got) - _unit(want)).max()))
        diffs.append(_relative(_lengths(got), _lengths(want)))
    lowest = min((float(values.min()) for values in cosines), default=1.0)
    mean = min((float(values.mean()) for values in cosines), default=1.0)
    return Parity(batch, max(diffs), lowest, mean)


def check(parity: tuple[Parity, ...], tolerance: Tolerance, name: str) -> None:
    """Compare figures with a tolerance.

    Raises:
        ParityError: one of them is past it, or there are none.
    """
    if not parity:
        raise ParityError(f"{name} has no parity figures", expected="one record a batch size")
    for record in parity:
        # Written so that NaN fails.
        cosine_holds = record.min_cosine >= tolerance.min_cosine
        if not (cosine_holds and record.max_abs_diff <= tolerance.max_abs_diff):
            raise ParityError(
                f"{name} does not compute what the checkpoint computes (batch {record.batch})",
                received=f"cosine {record.min_cosine:.9f}, max |Δ| {record.max_abs_diff:.3g}",
                expected=f"cosine ≥ {tolerance.min_cosine}, max |Δ| ≤ {tolerance.max_abs_diff:g}",
            )
        _check_mean(record, tolerance.min_mean_cosine, name)


def _check_mean(record: Parity, least: float | None, name: str) -> None:
    if least is None:
        return
    mean = float("nan") if record.mean_cosine is None else record.mean_cosine
    if not mean >= least:
        raise ParityError(
            f"{name} is on the whole too far from what the checkpoint computes "
            f"(batch {record.batch})",
            received=f"mean cosine {mean:.6f}",
            expected=f"mean cosine ≥ {least}",
        )


def embedding_output(spec: ModelSpec) -> str | None:
    """Return the name of an embedder's embedding: its first output that is not the norm."""
    if spec.task != "embedder":
        return None
    return next((name for name in spec.output_names if name != spec.norm_output), None)


def _at_batch(
    session: Session, spec: ModelSpec, inputs: Array, reference: Arrays, size: int
) -> Parity:
    records = []
    for rows in _batches(len(inputs), size):
        received = _run(session, inputs[rows])
        expected = {name: reference[name][rows] for name in spec.output_names}
        if size == 1:
            received = {
                name: _with_batch_axis(a, expected.get(name)) for name, a in received.items()
            }
        records.append(compare(spec, received, expected, size))
    return Parity(
        size,
        max(record.max_abs_diff for record in records),
        min(record.min_cosine for record in records),
        float(np.mean([record.mean_cosine for record in records])),
    )


def _batches(count: int, size: int) -> Iterator[slice]:
    """Give slices of exactly `size` rows that cover all; the last one overlaps if it must."""
    for start in range(0, count, size):
        first = min(start, count - size)
        yield slice(first, first + size)


def _run(session: Session, inputs: Array) -> dict[str, Array]:
    try:
        return session.run({session.inputs[0].name: np.ascontiguousarray(inputs)})
    except FaceportError as error:
        raise ParityError(f"the artefact does not run at batch {len(inputs)}: {error}") from error


def _with_batch_axis(array: Array, expected: Array | None) -> Array:
    """Add the axis that the outputs of detectors for one picture lack."""
    lacks = expected is not None and array.shape == expected.shape[1:]
    return array[None] if lacks else array


def _pair(name: str, received: Array, expected: Array) -> tuple[Float64, Float64]:
    if received.shape != expected.shape:
        raise ParityError(
            f"output {name!r} has another shape than the checkpoint's",
            received=received.shape,
            expected=expected.shape,
        )
    _check_finite(received, f"output {name!r}")
    _check_finite(expected, f"the reference of output {name!r}")
    return _rows(received), _rows(expected)


def _check_finite(array: Array, subject: str) -> None:
    if not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise ParityError(
            f"{subject} is not finite", received=f"{bad} of {array.size} values NaN or infinite"
        )


def _rows(array: Array) -> Float64:
    return array.astype(np.float64).reshape(len(array), -1)


def _lengths(rows: Float64) -> Float64:
    lengths: Float64 = np.linalg.norm(rows, axis=1, keepdims=True)
    return lengths


def _unit(rows: Float64) -> Float64:
    return rows / np.maximum(_lengths(rows), TINY)


def _cosines(received: Float64, expected: Float64) -> Float64:
    cosines = np.einsum("nd,nd->n", _unit(received), _unit(expected))
    both_zero = (_lengths(received) < TINY) & (_lengths(expected) < TINY)
    return np.minimum(np.where(both_zero[:, 0], 1.0, cosines), 1.0)


def _relative(received: Float64, expected: Float64) -> float:
    return float((np.abs(received - expected) / np.maximum(np.abs(expected), TINY)).max())


def _scaled_by_channel(received: Float64, expected: Float64, shape: tuple[int, ...]) -> float:
    """Return the largest of the channels' differences; `shape` is (N, channels, anchors)."""
    planes = zip(
        np.moveaxis(received.reshape(shape), 1, 0),
        np.moveaxis(expected.reshape(shape), 1, 0),
        strict=True,
    )
    return max(_scaled(got, want, SMALL_SCORE) for got, want in planes)


def _scaled(received: Float64, expected: Float64, least: float = TINY) -> float:
    return float(np.abs(received - expected).max() / max(np.abs(expected).max(), least))
