"""The contract of a session, and the input check that all sessions share.

A session runs one artefact. It knows nothing of faces: named arrays in, named arrays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.spec import ModelSpec, TensorSpec

Array = NDArray[np.generic]


MOST_THREADS = 1024
"""More than any machine has cores for: an engine asked for a million starts them one by one."""


@dataclass(frozen=True)
class SessionOptions:
    """How to run.

    Attributes:
        providers: execution providers in order of preference, by faceport's short names (`cpu`,
            `cuda`). Only what is listed may run: `("cuda",)` on a machine without one is an error,
            `("cuda", "cpu")` allows the fallback, and `provider` says which it was. Which names
            there are depends on the backend.
        threads: threads inside one operator; None leaves it to the engine.
        spinning: whether onnxruntime's threads stay awake after a run. Faster where one session
            has the machine for itself, much slower where two share it.
        provider_options: settings of the providers listed, by the engine's own names, for example
            `{"cuda": {"device_id": "1"}}`; see docs/gpu.md.
        parallel_runs: runs that several threads may have going side by side, each with `threads` of
            its own. OpenVINO must know it when it loads; onnxruntime on a CPU allows any number;
            the others run one at a time whatever is said here.
    """

    providers: tuple[str, ...] = ("cpu",)
    threads: int | None = None
    spinning: bool = False
    provider_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    parallel_runs: int = 1

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise InputError(
                "threads", received=self.threads, expected=f"1 to {MOST_THREADS}, or None"
            )
        if not 1 <= self.parallel_runs <= MOST_THREADS:
            raise InputError(
                "parallel_runs", received=self.parallel_runs, expected=f"1 to {MOST_THREADS}"
            )


class Session(Protocol):
    """One loaded artefact."""

    @property
    def backend(self) -> str:
        """The engine: a key of the registry."""

    @property
    def provider(self) -> str:
        """The execution provider that really runs, by its short name."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Names, dtypes and shapes of the inputs."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Names, dtypes and shapes of the outputs."""

    @property
    def spec(self) -> ModelSpec | None:
        """The spec that the artefact itself carries, if it does."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once.

        Raises:
            InputError: an input is missing, unknown, or has another dtype or shape.
            SessionError: the engine failed, or the session is closed.
        """

    def close(self) -> None:
        """Free the engine. Closing twice is fine."""


class SessionFactory(Protocol):
    """Opens a session on a file; each backend module has one."""

    def __call__(self, path: Path, options: SessionOptions) -> Session:
        """Load the file at `path`."""


def batch_limit(session: Session) -> int | None:
    """Return the most rows that a session takes at once, None where it sets no limit.

    Only an engine has one of its own (`max_batch`): the end of the profile it was built with.
    """
    return getattr(session, "max_batch", None)


def parallel_limit(session: Session) -> int | None:
    """Return how many runs of a session may go side by side, None where it sets no limit.

    Only a session that gains by it says so (`parallel_limit`); the others run one at a time.
    """
    limit: int | None = getattr(session, "parallel_limit", 1)
    return limit


def limited(spec: ModelSpec, limit: int | None) -> ModelSpec:
    """Return a spec whose batch is no larger than a limit. The fingerprint stays the same."""
    if limit is None or (spec.max_batch is not None and spec.max_batch <= limit):
        return spec
    return replace(spec, max_batch=limit)


def check_option_names(options: SessionOptions, also: Sequence[str] = ()) -> None:
    """Refuse settings of a provider that is not listed: they would have no effect.

    Args:
        options: to check.
        also: groups of settings that belong to no provider.

    Raises:
        InputError: there are some.
    """
    known = (*options.providers, *also)
    stray = [name for name in options.provider_options if name not in known]
    if stray:
        raise InputError(
            "provider options for a provider that is not listed",
            received=", ".join(stray),
            expected=", ".join(known),
            fix="list the provider, or leave its options out",
        )


def check_feeds(inputs: Sequence[TensorSpec], feeds: Mapping[str, Array]) -> None:
    """Compare what is fed with what the model takes.

    Raises:
        InputError: an input is missing, unknown, or has another dtype or shape.
    """
    names = [spec.name for spec in inputs]
    if sorted(names) != sorted(feeds):
        raise InputError(
            "the inputs' names do not fit", received=sorted(feeds), expected=sorted(names)
        )
    for spec in inputs:
        array = feeds[spec.name]
        if array.dtype.name != spec.dtype:
            raise InputError(
                f"input {spec.name!r} has the wrong dtype",
                received=array.dtype.name,
                expected=spec.dtype,
            )
        if not _shape_fits(spec.shape, array.shape):
            raise InputError(
                f"input {spec.name!r} has the wrong shape",
                received=array.shape,
                expected=spec.shape,
            )


def _shape_fits(expected: Sequence[int | str], received: Sequence[int]) -> bool:
    return len(expected) == len(received) and all(
        size > 0 and (isinstance(want, str) or want == size)
        for want, size in zip(expected, received, strict=True)
    )
