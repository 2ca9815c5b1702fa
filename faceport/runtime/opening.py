"""A model opened as the caller says, or else as it was tuned for this device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from faceport.bundle import Bundle
from faceport.errors import InputError, MissingDependencyError, SessionError
from faceport.runtime.artefacts import open_artefact, open_in_bundle
from faceport.runtime.device_file import (
    DeviceFile,
    device_file_path,
    fix_for,
    read_device_file,
    tuned_artefact,
)
from faceport.runtime.sessions.base import Session, SessionOptions, limited
from faceport.spec import ModelSpec

PRECISION = "fp32"
"""What runs where neither the caller nor a device file says otherwise."""


def open_model(
    source: str | Path,
    options: SessionOptions | None = None,
    *,
    backend: str | None = None,
    precision: str | None = None,
    workers: int = 1,
) -> tuple[Session, ModelSpec]:
    """Load a model as `open_artefact` does, with the settings of the bundle's device file.

    The device file counts only where the caller says nothing: one of `options`, `backend` and
    `precision` given, and the others have their plain defaults. A device file that can't be used is
    an error and never passed over: what runs instead would be slower, or of another precision,
    without any sign of it. For several `workers` the session is made to run side by side, see
    `side_by_side`.

    Raises:
        BundleError: the device file is malformed.
        BundleIntegrityError: it is of an artefact that the bundle does not have now.
        SessionError: what it asks for is not installed or not there.
        FaceportError: as `open_artefact` raises.
    """
    file = followed_file(source, options, backend, precision)
    if file is not None:
        return _open_tuned(Bundle.open(source), file, workers)
    options = side_by_side(options or SessionOptions(), workers)
    return open_artefact(source, options, backend=backend, precision=precision or PRECISION)


def followed_file(
    source: str | Path,
    options: SessionOptions | None,
    backend: str | None,
    precision: str | None,
) -> DeviceFile | None:
    """Return the device file that opening a model like this follows; None where it follows none.

    Raises:
        BundleError: the bundle is missing or damaged, or the device file malformed.
    """
    says_nothing = options is None and backend is None and precision is None
    return read_device_file(Bundle.open(source)) if says_nothing and Path(source).is_dir() else None


def side_by_side(options: SessionOptions, workers: int) -> SessionOptions:
    """Return options for runs from several threads at once, each with one thread of its own.

    What the caller said of threads stays. One worker changes nothing.
    """
    if workers == 1:
        return options
    return replace(options, threads=options.threads or 1, parallel_runs=workers)


def _open_tuned(bundle: Bundle, file: DeviceFile, workers: int) -> tuple[Session, ModelSpec]:
    artefact = tuned_artefact(bundle, file)
    options = file.options
    if workers > 1:
        # Its threads were found fastest for one run at a time, and are nobody's wish.
        options = side_by_side(replace(options, threads=None, spinning=False), workers)
    try:
        session, spec = open_in_bundle(bundle, artefact, file.backend, options)
    except (MissingDependencyError, InputError, SessionError) as error:
        path = device_file_path(bundle.path, file.device)
        raise SessionError(f"{path} can't be followed: {error}", fix=fix_for(path)) from error
    return session, limited(spec, file.batch)
