"""From a bundle, or from a lone artefact that carries its spec, to a session and its spec."""

from __future__ import annotations

from pathlib import Path

from faceport.bundle import Artefact, Bundle
from faceport.errors import (
    BundleIntegrityError,
    ForeignEngineError,
    InputError,
    SpecError,
)
from faceport.runtime.sessions import (
    BACKEND_FORMATS,
    BACKENDS,
    DEVICE_FORMATS,
    FORMAT_BACKENDS,
    SessionOptions,
    open_session,
)
from faceport.runtime.sessions.base import Session, batch_limit, limited
from faceport.spec import ModelSpec

SUFFIX_BACKENDS: dict[str, str] = {
    ".onnx": "onnxruntime",
    ".torchscript": "torchscript",
    ".pt": "torchscript",
    ".pt2": "pt2",
}
"""Suffix of a lone artefact to the backend that runs it."""

ENGINE_SUFFIX = ".engine"
"""Suffix of an engine, whose header says which backend runs it."""


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
            onnxruntime before the others. Of several engines, the one that fits this device.
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
    *others, last = _candidates(bundle, backend, precision)
    for artefact in others:
        try:
            return open_in_bundle(bundle, artefact, backend, options)
        except ForeignEngineError:
            # A bundle may hold engines of several devices; the next may be this one's.
            continue
    return open_in_bundle(bundle, last, backend, options)


def open_in_bundle(
    bundle: Bundle, artefact: Artefact, backend: str | None, options: SessionOptions | None
) -> tuple[Session, ModelSpec]:
    """Load one artefact of a bundle, its hash and spec checked; raises as `open_artefact` does."""
    file = bundle.checked_file(artefact.file)
    if artefact.format in DEVICE_FORMATS:
        _check_engine(bundle, artefact, file)
    session = open_session(file, backend or FORMAT_BACKENDS[artefact.format], options)
    if session.spec is not None and session.spec != bundle.spec:
        session.close()
        raise BundleIntegrityError(
            f"{file} carries another spec than the manifest: one of them was changed",
            received=f"fingerprint {session.spec.fingerprint[:16]}",
            expected=f"fingerprint {bundle.spec.fingerprint[:16]}, and every other value the same",
            fix="copy the bundle again, or export the checkpoint again",
        )
    return session, limited(bundle.spec, batch_limit(session))


def _candidates(bundle: Bundle, backend: str | None, precision: str) -> list[Artefact]:
    """Return what may be opened, all of one format: one artefact, or engines of several devices."""
    formats = list(FORMAT_BACKENDS) if backend is None else BACKEND_FORMATS[backend]
    for format in formats:
        wanted = (format, precision)
        if found := [a for a in bundle.manifest.artefacts if (a.format, a.precision) == wanted]:
            # The newest engine is the last.
            return found[::-1]
    # The bundle's own error says what it has.
    return [bundle.artefact(formats[0], precision)]


def _check_engine(bundle: Bundle, artefact: Artefact, file: Path) -> None:
    # Imported with an engine only: it is a tenth of what a fresh process imports of faceport.
    from faceport.runtime.tensorrt.engine_file import read_header
    from faceport.runtime.tensorrt.fit import check_source

    for source in bundle.manifest.artefacts:
        if (source.format, source.precision) == ("onnx", artefact.precision):
            check_source(file, read_header(file), source.file.sha256)


def _open_file(
    path: Path, options: SessionOptions | None, backend: str | None
) -> tuple[Session, ModelSpec]:
    suffix = path.suffix.lower()
    engine = backend or SUFFIX_BACKENDS.get(suffix)
    if engine is None and suffix == ENGINE_SUFFIX:
        from faceport.runtime.tensorrt.engine_file import read_header

        engine = read_header(path).backend
    if engine is None:
        raise InputError(
            f"{path} is neither a bundle nor an artefact",
            received=f"suffix {path.suffix!r}",
            expected=f"a bundle's folder, or a file {' '.join(SUFFIX_BACKENDS)} {ENGINE_SUFFIX}",
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
    return session, limited(session.spec, batch_limit(session))
