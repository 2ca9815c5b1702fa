"""From faces to embeddings: cut out, preprocess, run in batches, normalise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.images import Image
from faceport.runtime.align import align_faces
from faceport.runtime.features import Features, features_of, joined
from faceport.runtime.fuse import fuse_by_norm, mirrored
from faceport.runtime.opening import open_model
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Session, SessionOptions
from faceport.runtime.stub import STUB, StubEmbedder
from faceport.runtime.types import Detection, Embedder, Embedding
from faceport.spec import ModelSpec

BATCH = 32
"""Most crops a run, whatever the model or its device file allows."""

CPU_BATCH = 8
"""Most crops a run on a CPU where neither the model nor its device file says otherwise: a face
takes least time in batches of 6 to 8, more from 12 on, and memory grows."""


@dataclass(frozen=True, eq=False)
class SessionEmbedder:
    """An embedder (see `faceport.runtime.types.Embedder`) on one session.

    Attributes:
        session: what runs the graph.
        spec: of the model; its task is `embedder`.
    """

    session: Session
    spec: ModelSpec

    is_stub = False

    def __post_init__(self) -> None:
        _check_embedder(self.spec, "the model")

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the embedding space."""
        return self.spec.fingerprint

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.spec.embedding_dim or 0

    @property
    def provider(self) -> str:
        """What runs, as `backend/provider`."""
        return f"{self.session.backend}/{self.session.provider}"

    @property
    def batch(self) -> int:
        """Most crops a run."""
        usual = CPU_BATCH if self.session.provider == "cpu" else BATCH
        return min(self.spec.max_batch or usual, BATCH)

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        """Embed faces, of one or several pictures, in batches.

        Args:
            faces: each with the picture that it is in.
            flip: embed the mirror image too and fuse the two, weighted by norm. `extras` are then
                those of the image that is not mirrored.

        Raises:
            InputError: landmarks or a box from which no crop can be made.
            SessionError: the model did not run, or gave outputs of a wrong shape or not finite.
        """
        size = max(1, self.batch // 2) if flip else self.batch
        embeddings: list[Embedding] = []
        for start in range(0, len(faces), size):
            crops = align_faces(faces[start : start + size], self.spec.preprocess)
            embeddings.extend(self._embeddings(self.features(crops, flip=flip)))
        return embeddings

    def features(self, crops: NDArray[np.uint8], *, flip: bool = False) -> Features:
        """Embed crops that have the model's size, in the spec's colour order.

        Args:
            crops: (N, height, width, 3), N of 1 or more.
            flip: as in `embed`.

        Raises:
            InputError: the crops do not have the model's size.
            SessionError: the model did not run, or gave outputs of a wrong shape or not finite.
        """
        if not flip:
            return self._run(crops)
        count = len(crops)
        both = self._run(np.concatenate([crops, mirrored(crops)]))
        vectors, norms = fuse_by_norm(
            both.vectors.reshape(2, count, -1), both.norms.reshape(2, count)
        )
        return Features(vectors, norms, {n: rows[:count] for n, rows in both.extras.items()})

    def close(self) -> None:
        """Free the session. Closing twice is fine."""
        self.session.close()

    def _run(self, crops: NDArray[np.uint8]) -> Features:
        preprocess = self.spec.preprocess
        parts = []
        for start in range(0, len(crops), self.batch):
            batch = crops[start : start + self.batch]
            tensor = to_tensor(batch, preprocess.color_order, preprocess)
            outputs = self.session.run({self.spec.inputs[0].name: tensor})
            parts.append(features_of(outputs, self.spec, len(batch)))
        return joined(parts)

    def _embeddings(self, features: Features) -> Iterator[Embedding]:
        for index, vector in enumerate(features.vectors):
            yield Embedding(
                vector,
                float(features.norms[index]),
                self.fingerprint,
                self.provider,
                extras={name: np.asarray(rows[index]) for name, rows in features.extras.items()},
            )


def open_embedder(
    source: str | Path,
    options: SessionOptions | None = None,
    *,
    backend: str | None = None,
    precision: str | None = None,
    workers: int = 1,
) -> Embedder:
    """Open an embedder.

    Args:
        source: a bundle's folder (its hashes are checked), a lone artefact that carries its spec,
            or `stub`.
        options: providers and threads.
        backend: a key of `BACKENDS`; None takes the first one that the bundle has an artefact for.
        precision: of the bundle's artefact; None is fp32. With none of the three given, a bundle
            that was tuned for this device runs as its device file says: see `open_model`.
        workers: threads that will use it side by side.

    Raises:
        InputError: the model is no embedder, or there is no such backend.
        BundleError: the bundle is missing or damaged, or lacks such an artefact.
        SpecError: a lone file carries no spec.
        SessionError: the file did not load, or the provider is not there.
        MissingDependencyError: the backend's package is not installed.
    """
    if source == STUB:
        return StubEmbedder()
    session, spec = open_model(
        source, options, backend=backend, precision=precision, workers=workers
    )
    try:
        _check_embedder(spec, str(source))
    except InputError:
        session.close()
        raise
    return SessionEmbedder(session, spec)


def _check_embedder(spec: ModelSpec, subject: str) -> None:
    geometry = spec.preprocess.geometry
    if spec.task != "embedder" or geometry == "letterbox":
        raise InputError(
            f"{subject} is no embedder",
            received=f"task {spec.task} ({spec.arch}), geometry {geometry}",
            expected="task embedder, geometry align or crop",
            fix="give the bundle of a recogniser",
        )
