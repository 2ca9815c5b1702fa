"""From an embedder's raw outputs to checked vectors and norms.

A wrong shape or a NaN must be an error here: further on it would be a wrong answer that looks like
a right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceport.errors import SessionError
from faceport.runtime.fuse import Float, normalized
from faceport.runtime.parity import embedding_output
from faceport.runtime.sessions.base import Array
from faceport.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class Features:
    """What an embedder computed from N crops.

    Attributes:
        vectors: (N, D) float32 of length 1.
        norms: (N,) float32, the lengths before normalisation.
        extras: further outputs, (N, …) each.
    """

    vectors: Float
    norms: Float
    extras: Mapping[str, Array]


def features_of(outputs: Mapping[str, Array], spec: ModelSpec, count: int) -> Features:
    """Check and split what a session returned for `count` crops.

    The norm is the output that the spec names; else the length of the embedding; else, where the
    graph normalises by itself and does not give the length, 1.

    Raises:
        SessionError: an output is missing, of another shape, or not finite.
    """
    name = embedding_output(spec)
    raw = _output(outputs, name, spec)
    if raw.shape != (count, spec.embedding_dim):
        raise SessionError(
            f"{spec.arch} gave embeddings of another shape for {count} faces",
            received=raw.shape,
            expected=(count, spec.embedding_dim),
            fix=None if count == 1 else "if its graph fixes the batch, import it as batch 1 again",
        )
    vectors, lengths = normalized(_finite(raw, spec))
    if spec.norm_output is not None:
        norms = _norms(_output(outputs, spec.norm_output, spec), spec, count)
    else:
        norms = np.ones_like(lengths) if spec.normalized else lengths
    rest = [n for n in spec.output_names if n not in (name, spec.norm_output)]
    extras = {n: _per_face(_output(outputs, n, spec), n, count) for n in rest}
    return Features(vectors, norms, extras)


def joined(parts: Sequence[Features]) -> Features:
    """Put the features of consecutive batches together; there is at least one batch."""
    if len(parts) == 1:
        return parts[0]
    return Features(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.norms for part in parts]),
        {n: np.concatenate([part.extras[n] for part in parts]) for n in parts[0].extras},
    )


def _output(outputs: Mapping[str, Array], name: str | None, spec: ModelSpec) -> Array:
    if name is None or name not in outputs:
        raise SessionError(
            f"{spec.arch} lacks an output",
            received=", ".join(outputs),
            expected=name or "an embedding",
            fix="export the checkpoint again",
        )
    return outputs[name]


def _norms(values: Array, spec: ModelSpec, count: int) -> Float:
    if values.shape not in ((count,), (count, 1)):
        raise SessionError(
            f"{spec.arch} gave norms of another shape for {count} faces",
            received=values.shape,
            expected=(count, 1),
        )
    return _finite(values, spec).reshape(count)


def _per_face(values: Array, name: str, count: int) -> Array:
    if values.ndim == 0 or len(values) != count:
        raise SessionError(
            f"output {name!r} does not have one row a face",
            received=values.shape,
            expected=f"({count}, …)",
        )
    return values


def _finite(values: Array, spec: ModelSpec) -> NDArray[np.float32]:
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        bad = int((~np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)).sum())
        raise SessionError(
            f"{spec.arch} gave values that are not finite",
            received=f"NaN or infinity for {bad} of {len(numbers)} faces",
            fix="run `faceport verify` on the bundle; at reduced precision, try fp32",
        )
    return numbers
