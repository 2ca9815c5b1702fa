"""A bundle checked again, on the machine that is to run it: hashes, specs, parity.

Needs no checkpoint, and of the engines only those whose artefacts are to be run.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceport.bundle import PROOF_INPUT, PROOF_OUTPUT, Artefact, Bundle, Parity
from faceport.errors import (
    BundleIntegrityError,
    FaceportError,
    ForeignEngineError,
    InputError,
    MissingDependencyError,
    ParityError,
    ProviderUnavailableError,
)
from faceport.runtime import parity
from faceport.runtime.parity import Arrays
from faceport.runtime.sessions import (
    DEVICE_FORMATS,
    FORMAT_BACKENDS,
    SessionOptions,
    open_session,
)
from faceport.runtime.sessions.base import Array, Session, batch_limit, limited
from faceport.spec import ModelSpec

Status = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Verified:
    """What came of one artefact.

    Attributes:
        artefact: as the manifest has it.
        status: `not run` where its engine or its device is not there; its hash was checked all the
            same.
        parity: measured now; empty where it could not be.
        problem: why it did not pass, None where it did.
    """

    artefact: Artefact
    status: Status
    parity: tuple[Parity, ...] = ()
    problem: str | None = None


def verify_bundle(bundle: Bundle) -> list[Verified]:
    """Check all files of a bundle and run all artefacts on the proof's pictures.

    Returns:
        One record an artefact, in the manifest's order. A damaged artefact is a record with status
        `failed`, so that the others are checked too.

    Raises:
        BundleIntegrityError: the proof itself is damaged, or does not fit the spec.
    """
    inputs, reference = _proof(bundle)
    return [_verified(bundle, item, inputs, reference) for item in bundle.manifest.artefacts]


def measure_artefact(
    path: Path, format: str, spec: ModelSpec, inputs: Array, reference: Arrays
) -> tuple[Parity, ...]:
    """Open an artefact, compare the spec inside it, and measure its parity.

    It runs on the CPU; an engine on the GPU that it was built for, and in no larger batch than it
    was built for.

    Args:
        path: of the artefact.
        format: of the artefact; decides the backend.
        spec: that it must carry.
        inputs: (N, …) input tensor.
        reference: what the checkpoint computed, by output name: (N, …) each.

    Raises:
        InputError: no backend runs this format.
        MissingDependencyError: the backend's package is not installed.
        SessionError: the engine can't load the file.
        ParityError: it carries another spec, fails, or its outputs cannot be compared.
    """
    if format not in FORMAT_BACKENDS:
        raise InputError(
            "no backend runs this format", received=format, expected=", ".join(FORMAT_BACKENDS)
        )
    options = SessionOptions(("cuda",)) if format in DEVICE_FORMATS else SessionOptions()
    with closing(open_session(path, FORMAT_BACKENDS[format], options)) as session:
        _check_spec(session, spec, path.name)
        return parity.measure(session, limited(spec, batch_limit(session)), inputs, reference)


def _verified(bundle: Bundle, artefact: Artefact, inputs: Array, reference: Arrays) -> Verified:
    figures: tuple[Parity, ...] = ()
    try:
        path = bundle.checked_file(artefact.file)
        tolerance = artefact.tolerance or parity.tolerance_for(artefact.precision)
        measured = artefact.parity or artefact.format not in DEVICE_FORMATS
        most = limited(bundle.spec, engine_limit(artefact))
        batches = parity.batch_sizes(most, len(inputs)) if measured else ()
        _check_record(artefact, path, batches)
        if measured:
            parity.check(artefact.parity, tolerance, f"by its manifest, {path.name}")
        figures = measure_artefact(path, artefact.format, bundle.spec, inputs, reference)
        parity.check(figures, tolerance, path.name)
    except (MissingDependencyError, ProviderUnavailableError, ForeignEngineError) as error:
        return Verified(artefact, "not run", problem=str(error))
    except FaceportError as error:
        return Verified(artefact, "failed", figures, str(error))
    return Verified(artefact, "passed", figures)


def _check_record(artefact: Artefact, path: Path, batches: tuple[int, ...]) -> None:
    """Compare what the manifest says of an artefact with what can be seen without running it."""
    received = (artefact.file.size_bytes, *(record.batch for record in artefact.parity))
    expected = (path.stat().st_size, *batches)
    if received != expected:
        raise BundleIntegrityError(
            f"the manifest's record of {path.name} was changed: size in bytes, measured batches",
            received=received,
            expected=expected,
            fix="export the checkpoint again",
        )


def engine_limit(artefact: Artefact) -> int | None:
    """Return the most rows of a run, where the artefact is an engine that has such a limit."""
    limit = artefact.details.get("max_batch")
    return limit if isinstance(limit, int) else None


def _proof(bundle: Bundle) -> tuple[Array, dict[str, Array]]:
    arrays = bundle.proof()
    wanted = [PROOF_INPUT, *(PROOF_OUTPUT + name for name in bundle.spec.output_names)]
    if sorted(arrays) != sorted(wanted):
        raise BundleIntegrityError(
            f"the proof of {bundle.path} does not fit its spec",
            received=", ".join(sorted(arrays)),
            expected=", ".join(sorted(wanted)),
            fix="export the checkpoint again",
        )
    inputs = arrays.pop(PROOF_INPUT)
    reference = {key.removeprefix(PROOF_OUTPUT): array for key, array in arrays.items()}
    try:
        parity.check_reference(bundle.spec, inputs, reference)
    except ParityError as error:
        raise BundleIntegrityError(f"the proof of {bundle.path} is unusable: {error}") from error
    return inputs, reference


def _check_spec(session: Session, spec: ModelSpec, name: str) -> None:
    if session.spec != spec:
        raise ParityError(
            f"{name} carries another spec than its manifest",
            received="none" if session.spec is None else session.spec.fingerprint[:16],
            expected=spec.fingerprint[:16],
            fix="export the checkpoint again",
        )
