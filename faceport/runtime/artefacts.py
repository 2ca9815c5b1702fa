"""From a bundle, or from a lone artefact that carries its spec, to a session and its spec."""

from __future__ import annotations

from pathlib import Path

from faceport.bundle import Artefact, Bundle
from faceport.errors import BundleIntegrityError, InputError, SpecError
from faceport.runtime.sessions import (
    BACKEND_FORMATS,
    BACKENDS,
    FORMAT_BACKENDS,
    SessionOptions,
    open_session,
)
from faceport.runtime.sessions.base import Session
from faceport.spec import ModelSpec

SUFFIX_BACKENDS: dict[str, str] = {
    ".onnx": "onnxruntime",
    ".torchscript": "torchscript",
    ".pt": "torchscript",
    ".pt2": "pt2",
}
"""Suffix of a lone artefact to the backend that runs it."""


def open_artefact(
    source: str | Path,
    options: SessionOptions | None = None,
    *,
    backend: str | None = None,
    precision: str = "fp32",
) -> tuple[Session, ModelSpec]:
    """Load a model.

    Args:
        source: a bundle's folder, whose hashes are checked, or a lone artefact with its spec.
        options: providers and threads.
        backend: a key of `BACKENDS`; None takes the first one that the bundle has an artefact for,
            onnxruntime before the others.
        precision: of the bundle's artefact; a lone file has its own.

    Raises:
        InputError: no such backend, or a file of unknown suffix.
        BundleError: the bundle is missing or damaged, or lacks such an artefact.
        SpecError: a lone file carries no spec.
        SessionError: the engine can't load the file, or the provider is not there.
        MissingDependencyError: the engine is not installed.
    """
    path = Path(source)
    if backend is not None and backend not in BACKENDS:
        raise InputError("no such backend", received=backend, expected=", ".join(BACKENDS))
    if path.is_file():
        return _open_file(path, options, backend)
    bundle = Bundle.open(path)
    artefact = _choose(bundle, backend, precision)
    file = bundle.checked_file(artefact.file)
    session = open_session(file, backend or FORMAT_BACKENDS[artefact.format], options)
    if session.spec is not None and session.spec.fingerprint != bundle.spec.fingerprint:
        session.close()
        raise BundleIntegrityError(
            f"{file} carries another model's spec than the manifest",
            received=session.spec.fingerprint[:16],
            expected=bundle.spec.fingerprint[:16],
            fix="export the checkpoint again",
        )
    return session, bundle.spec


def _choose(bundle: Bundle, backend: str | None, precision: str) -> Artefact:
    there = {(a.format, a.precision) for a in bundle.manifest.artefacts}
    formats = list(FORMAT_BACKENDS) if backend is None else BACKEND_FORMATS[backend]
    found = [name for name in formats if (name, precision) in there]
    # Without one, the bundle's own error says what it has.
    return bundle.artefact((found or formats)[0], precision)


def _open_file(
    path: Path, options: SessionOptions | None, backend: str | None
) -> tuple[Session, ModelSpec]:
    engine = backend or SUFFIX_BACKENDS.get(path.suffix.lower())
    if engine is None:
        raise InputError(
            f"{path} is neither a bundle nor an artefact",
            received=f"suffix {path.suffix!r}",
            expected=f"a bundle's folder, or a file {' '.join(SUFFIX_BACKENDS)}",
            fix="make a bundle of a checkpoint with `faceport export`",
        )
    session = open_session(path, engine, options)
    if session.spec is None:
        session.close()
        raise SpecError(
            f"{path} does not say how its input is made",
            expected="a bundle, or an artefact out of one",
            fix="make a bundle of it with `faceport import-onnx`",
        )
    return session, session.spec
