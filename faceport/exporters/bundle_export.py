"""From a converted checkpoint to a bundle: every artefact written, run, compared, or none of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

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
from faceport.errors import ExportError, InputError
from faceport.exporters.base import Exportable, ExportOptions
from faceport.exporters.probe import probe_pictures
from faceport.exporters.quiet import first_line
from faceport.exporters.registry import EXPORTERS, exporter_of
from faceport.runtime import parity
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Array
from faceport.runtime.verify import measure_artefact
from faceport.spec import ModelSpec
from faceport.version import __version__

if TYPE_CHECKING:
    from torch import nn

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class _Subject:
    """What is exported, and what its outputs on the proof's pictures must be."""

    module: nn.Module
    spec: ModelSpec
    inputs: Array
    reference: dict[str, Array]


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
    _check_options(chosen)
    size = model.spec.preprocess
    pixels = probe_pictures(size.height, size.width, chosen.parity_images)
    with write_bundle(Path(output)) as folder:
        step("checkpoint: computing the reference")
        tensor = to_tensor(pixels, "rgb", size)
        reference = reference_outputs(model, tensor)
        parity.check_reference(model.spec, tensor, reference)
        module, spec = model.module, model.spec
        if chosen.fuse_preprocess:
            from faceport.exporters.fuse import fuse_preprocess

            module, spec = fuse_preprocess(module, spec)
        inputs = to_tensor(pixels, "rgb", spec.preprocess)
        subject = _Subject(module, spec, inputs, reference)
        artefacts = tuple(_proven(name, subject, folder, chosen, step) for name in chosen.formats)
        step("bundle: writing")
        _describe(subject, artefacts, folder)
    return Bundle.open(output)


def reference_outputs(model: Exportable, inputs: Array) -> dict[str, Array]:
    """Return what the network computes: one array an output, by name.

    Raises:
        ExportError: it fails on its own input, gives another number of outputs than its spec says,
            or is in training mode.
    """
    import torch

    if model.module.training:
        raise ExportError("the module is in training mode", expected="module.eval()")
    try:
        with torch.inference_mode():
            values = model.module(torch.from_numpy(inputs))
    # torch raises RuntimeError for nearly everything, and others besides.
    except Exception as error:
        raise ExportError(
            f"{model.spec.arch} does not run on its own input: {first_line(error)}"
        ) from error
    names = model.spec.output_names
    if len(values) != len(names):
        raise ExportError(
            f"the module of {model.spec.arch} is not what its spec says",
            received=f"{len(values)} outputs",
            expected=", ".join(names),
        )
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}


def _proven(
    format: str, subject: _Subject, folder: Path, options: ExportOptions, step: OnStep
) -> Artefact:
    step(f"{format}: exporting")
    exported = exporter_of(format)(subject.module, subject.spec, folder, options)
    step(f"{format}: measuring parity")
    path = folder / exported.file
    figures = measure_artefact(path, format, subject.spec, subject.inputs, subject.reference)
    parity.check(figures, parity.tolerance_for("fp32"), exported.file)
    return Artefact(
        format=format,
        precision="fp32",
        file=record_of(folder, exported.file),
        parity=figures,
        opset=exported.opset,
        tools=exported.tools,
        notes=exported.notes,
    )


def _describe(subject: _Subject, artefacts: tuple[Artefact, ...], folder: Path) -> None:
    outputs = {PROOF_OUTPUT + name: array for name, array in subject.reference.items()}
    manifest = Manifest(
        spec=subject.spec,
        fingerprint=subject.spec.fingerprint,
        artefacts=artefacts,
        proof=write_proof(folder, {PROOF_INPUT: subject.inputs, **outputs}),
        faceport_version=__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    write_manifest(folder, manifest)


def _check_options(options: ExportOptions) -> None:
    for kind, names in (("formats", options.formats), ("precisions", options.precisions)):
        if not names or len(set(names)) != len(names):
            raise InputError(
                f"the {kind} are not a list of different names", received=", ".join(names) or "none"
            )
    for name in options.formats:
        if name not in EXPORTERS:
            raise InputError("no such format", received=name, expected=", ".join(EXPORTERS))
    for name in options.precisions:
        parity.tolerance_for(name)


def _no_step(_: str) -> None:
    """Tell nobody."""
