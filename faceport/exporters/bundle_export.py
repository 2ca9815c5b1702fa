"""From a converted checkpoint to a bundle: every artefact written, run, compared, or none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from faceport.bundle import (
    PROOF_INPUT,
    PROOF_OUTPUT,
    Artefact,
    Bundle,
    Manifest,
    record_of,
    write_bundle,
    write_manifest,
    write_proof,
)
from faceport.exporters.base import Exportable, ExportOptions
from faceport.exporters.calibration import face_crops
from faceport.exporters.graph_artefacts import Graphs, graph_artefacts
from faceport.exporters.plan import FP32, ONNX, Plan, plan_of
from faceport.exporters.probe import probe_pictures
from faceport.exporters.registry import exporter_of
from faceport.exporters.subject import Subject, subject_of
from faceport.runtime import parity
from faceport.runtime.verify import measure_artefact
from faceport.version import __version__

OnStep = Callable[[str], None]


def export_bundle(
    model: Exportable,
    output: str | Path,
    options: ExportOptions | None = None,
    on_step: OnStep | None = None,
) -> Bundle:
    """Export a checkpoint's network to a bundle and prove every artefact in it.

    Each artefact runs on the same pictures as the network, at batch 1 and at batch 5; the largest
    difference and the smallest cosine go into the manifest.

    Args:
        model: what `faceport.converters.convert` returns.
        output: folder to make. A bundle of that name is replaced in one step, and only by a bundle
            that is whole and proven.
        options: see `ExportOptions`.
        on_step: told of each step, as it begins.

    Raises:
        InputError: an unknown format or precision, or unusable parity images.
        MissingDependencyError: a package of the `export` or `cpu` extra is not installed.
        ExportError: an artefact could not be made.
        ParityError: an artefact does not compute what the network computes.
        BundleError: `output` is no bundle, or can't be written.
    """
    chosen = options or ExportOptions()
    step = on_step or _no_step
    plan = plan_of(chosen)
    chosen = replace(chosen, target=plan.target)
    size = model.spec.preprocess
    pixels = probe_pictures(size.height, size.width, chosen.parity_images)
    crops = face_crops(model.spec, chosen, step)
    with write_bundle(Path(output)) as folder:
        step("checkpoint: computing the reference")
        subject = subject_of(model, pixels, crops, chosen)
        artefacts = _in_order(_artefacts(subject, plan, folder, chosen, step), chosen.formats)
        step("bundle: writing")
        _describe(subject, artefacts, plan.notes, folder)
    return Bundle.open(output)


def _artefacts(
    subject: Subject, plan: Plan, folder: Path, options: ExportOptions, step: OnStep
) -> Iterator[Artefact]:
    for name in plan.modules:
        if name != ONNX:
            yield _of_module(name, subject, folder, options, step)
    if plan.precisions:
        with TemporaryDirectory(dir=folder, prefix=".graphs") as scratch:
            work = Graphs(subject, plan, folder, Path(scratch), options, step)
            yield from graph_artefacts(work)


def _in_order(artefacts: Iterable[Artefact], formats: tuple[str, ...]) -> tuple[Artefact, ...]:
    """Sort by format as asked for; precisions keep their order."""
    return tuple(sorted(artefacts, key=lambda artefact: formats.index(artefact.format)))


def _of_module(
    format: str, subject: Subject, folder: Path, options: ExportOptions, step: OnStep
) -> Artefact:
    step(f"{format}: exporting")
    exported = exporter_of(format)(subject.module, subject.spec, folder, options)
    step(f"{format}: measuring parity")
    path, proof = folder / exported.file, subject.proof
    figures = measure_artefact(path, format, subject.spec, proof.inputs, proof.reference)
    parity.check(figures, parity.tolerance_for(FP32), exported.file)
    return Artefact(
        format=format,
        precision=FP32,
        file=record_of(folder, exported.file),
        parity=figures,
        opset=exported.opset,
        tools=exported.tools,
        notes=exported.notes,
        details=exported.details,
    )


def _describe(
    subject: Subject, artefacts: tuple[Artefact, ...], notes: tuple[str, ...], folder: Path
) -> None:
    outputs = {PROOF_OUTPUT + name: array for name, array in subject.proof.reference.items()}
    manifest = Manifest(
        spec=subject.spec,
        fingerprint=subject.spec.fingerprint,
        artefacts=artefacts,
        proof=write_proof(folder, {PROOF_INPUT: subject.proof.inputs, **outputs}),
        faceport_version=__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        notes=notes,
    )
    write_manifest(folder, manifest)


def _no_step(_: str) -> None:
    """Tell nobody."""
