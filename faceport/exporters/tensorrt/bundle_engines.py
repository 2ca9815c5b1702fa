"""Engines added to a bundle, on the device that is to run them: no checkpoint, no torch, no onnx.

The bundle is replaced in one step; an engine of the same name is replaced with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from faceport.bundle import (
    DEVICES,
    PROOF_INPUT,
    PROOF_OUTPUT,
    Artefact,
    Bundle,
    Parity,
    record_of,
    safe_path,
    write_bundle,
    write_manifest,
)
from faceport.errors import InputError, MissingDependencyError, ProviderUnavailableError
from faceport.exporters.base import Exported
from faceport.exporters.tensorrt.engine import Backend, build_engine
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime import parity
from faceport.runtime.verify import measure_artefact

ONNX = "onnx"
NOT_RUN = "not run where it was built, so its parity is unknown: `faceport verify` measures it"
OnStep = Callable[[str], None]


def build_engines(
    bundle: Bundle,
    backend: Backend,
    precisions: Sequence[str] = (),
    options: BuildOptions | None = None,
    on_step: OnStep | None = None,
) -> list[Artefact]:
    """Build engines from a bundle's ONNX files, prove them, and put them into the bundle.

    Args:
        bundle: to add to.
        backend: `tensorrt` or `tensorrt-rtx`.
        precisions: of the ONNX files; empty takes all that the bundle has.
        options: see `BuildOptions`.
        on_step: told of each step, as it begins.

    Returns:
        The new artefacts, as they are in the manifest.

    Raises:
        InputError: the bundle has no ONNX file, or an option does not fit the backend.
        BundleError: it lacks a precision, is damaged, or can't be written.
        MissingDependencyError: the backend's module, or cuda-bindings, is not installed.
        ProviderUnavailableError: `tensorrt` without a GPU.
        ExportError: an engine can't be built.
        ParityError: an engine does not compute what the checkpoint computed; the bundle stays as
            it was.
    """
    step = on_step or _no_step
    sources = _sources(bundle, precisions)
    with write_bundle(bundle.path) as folder:
        for record in bundle.files():
            _take_over(bundle.checked_file(record), safe_path(folder, record.path))
        # What was tuned on this or other devices is of artefacts that mostly stay.
        for path in sorted((bundle.path / DEVICES).glob("*.json")):
            _take_over(path, folder / DEVICES / path.name)
        made = list(_made(bundle, sources, folder, backend, options or BuildOptions(), step))
        step("bundle: writing")
        names = {artefact.file.path for artefact in made}
        kept = [a for a in bundle.manifest.artefacts if a.file.path not in names]
        write_manifest(folder, replace(bundle.manifest, artefacts=(*kept, *made)))
    return made


def _sources(bundle: Bundle, precisions: Sequence[str]) -> list[Artefact]:
    there = [a.precision for a in bundle.manifest.artefacts if a.format == ONNX]
    if not there:
        raise InputError(
            f"{bundle.path} has no ONNX file to build an engine from",
            received=", ".join(a.format for a in bundle.manifest.artefacts),
            expected=ONNX,
            fix="export the checkpoint again with --formats onnx",
        )
    return [bundle.artefact(ONNX, name) for name in (precisions or there)]


def _made(
    bundle: Bundle,
    sources: Sequence[Artefact],
    folder: Path,
    backend: Backend,
    options: BuildOptions,
    step: OnStep,
) -> Iterator[Artefact]:
    for source in sources:
        step(f"{backend} {source.precision}: building")
        onnx_file = bundle.checked_file(source.file)
        exported = build_engine(onnx_file, bundle.spec, source.precision, folder, backend, options)
        step(f"{backend} {source.precision}: measuring parity")
        yield _proven(bundle, source, folder, backend, exported)


def _proven(
    bundle: Bundle, source: Artefact, folder: Path, backend: Backend, exported: Exported
) -> Artefact:
    notes = exported.notes
    figures: tuple[Parity, ...] = ()
    try:
        figures = _measured(bundle, backend, folder / exported.file)
        tolerance = source.tolerance or parity.tolerance_for(source.precision)
        parity.check(figures, tolerance, exported.file)
    # TensorRT-RTX builds without a GPU, and without cuda-bindings.
    except (MissingDependencyError, ProviderUnavailableError):
        notes = (*notes, NOT_RUN)
    return Artefact(
        format=backend,
        precision=source.precision,
        file=record_of(folder, exported.file),
        parity=figures,
        reference=source.reference,
        tools=exported.tools,
        notes=notes,
        tolerance=source.tolerance,
        details=exported.details,
    )


def _measured(bundle: Bundle, backend: Backend, path: Path) -> tuple[Parity, ...]:
    arrays = bundle.proof()
    reference = {name: arrays[PROOF_OUTPUT + name] for name in bundle.spec.output_names}
    return measure_artefact(path, backend, bundle.spec, arrays[PROOF_INPUT], reference)


def _take_over(source: Path, target: Path) -> None:
    """Put a file of the bundle into the folder that replaces it, without copying where possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _no_step(_: str) -> None:
    """Tell nobody."""
