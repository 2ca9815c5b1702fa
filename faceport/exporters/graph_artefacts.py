"""What is made from the fp32 ONNX file: ONNX of lower precision, and engines of every precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.bundle import Artefact, Parity, Tolerance, record_of
from faceport.errors import MissingDependencyError, ProviderUnavailableError
from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.onnx_graph import check_interface, default_opset, set_spec
from faceport.exporters.plan import FP32, ONNX, Plan
from faceport.exporters.precision.base import Job
from faceport.exporters.precision.judge import Judge, Pictures, written
from faceport.exporters.quiet import first_line
from faceport.exporters.registry import engine_builder_of, precision_step_of
from faceport.exporters.subject import Subject
from faceport.runtime import parity
from faceport.runtime.verify import measure_artefact


@dataclass(frozen=True, eq=False)
class Graphs:
    """What the artefacts below are made with.

    Attributes:
        subject: what is exported.
        plan: what to make.
        folder: of the bundle.
        scratch: for graphs that the bundle does not keep.
        options: of the export.
        on_step: told of each step.
    """

    subject: Subject
    plan: Plan
    folder: Path
    scratch: Path
    options: ExportOptions
    on_step: Callable[[str], None]


def graph_artefacts(work: Graphs, source: Path) -> Iterator[Artefact]:
    """Make ONNX files of lower precision and engines, and prove them.

    Args:
        work: see `Graphs`.
        source: the fp32 ONNX file.

    Raises:
        InputError: a precision step lacks something.
        MissingDependencyError: a package that makes them is not installed.
        ExportError: one can't be made.
        ParityError: one does not compute what the network computes.
    """
    for precision in work.plan.precisions:
        path = source
        if precision != FP32:
            artefact = _lowered(work, source, precision)
            path = (work.folder if work.plan.keeps_onnx else work.scratch) / artefact.file.path
            if work.plan.keeps_onnx:
                yield artefact
        for format in work.plan.engines:
            yield _engine(work, format, path, precision)


def tolerance_of(options: ExportOptions, precision: str) -> tuple[Tolerance, Tolerance | None]:
    """Return what a precision is held to, and the same again if the caller asked for another."""
    usual = parity.tolerance_for(precision)
    if precision == FP32 or (options.min_cosine, options.min_mean_cosine) == (None, None):
        return usual, None
    lowest = usual.min_cosine if options.min_cosine is None else options.min_cosine
    mean = usual.min_mean_cosine if options.min_mean_cosine is None else options.min_mean_cosine
    # A unit vector at cosine c differs by sqrt(2 - 2c) at most; lengths are given as much.
    widest = max(usual.max_abs_diff, (2 - 2 * lowest) ** 0.5)
    stated = Tolerance(lowest, widest, None if mean is None else min(mean, 1.0))
    return stated, stated


def _lowered(work: Graphs, source: Path, precision: str) -> Artefact:
    import onnx

    subject = work.subject
    tolerance, stated = tolerance_of(work.options, precision)
    judge = Judge(subject.spec, _measured_on(subject), tolerance)
    job = Job(
        subject.spec,
        work.options,
        judge,
        subject.calibration,
        work.scratch,
        work.on_step,
        precision,
    )
    work.on_step(f"{ONNX} {precision}: converting")
    reduced = precision_step_of(precision)(onnx.load(source), job)
    model = reduced.model
    check_interface(model, subject.spec, full=True)
    set_spec(model, subject.spec)
    folder = work.folder if work.plan.keeps_onnx else work.scratch
    path = written(model, folder / f"model.{precision}.onnx")
    work.on_step(f"{ONNX} {precision}: measuring parity")
    on_proof, on_faces = _figures(work, ONNX, path, tolerance)
    return Artefact(
        format=ONNX,
        precision=precision,
        file=record_of(folder, path.name),
        parity=on_proof,
        opset=default_opset(model),
        tools=reduced.tools,
        notes=reduced.notes,
        faces=on_faces,
        tolerance=stated,
        details=reduced.details,
    )


def _engine(work: Graphs, format: str, onnx_file: Path, precision: str) -> Artefact:
    work.on_step(f"{format} {precision}: building")
    build = engine_builder_of(format)
    exported = build(onnx_file, work.subject.spec, precision, work.folder, work.options)
    tolerance, stated = tolerance_of(work.options, precision)
    work.on_step(f"{format} {precision}: measuring parity")
    try:
        figures = _figures(work, format, work.folder / exported.file, tolerance)
    except (MissingDependencyError, ProviderUnavailableError) as error:
        note = f"not run at export, so its parity is unknown ({first_line(error)})"
        fix = "`faceport verify` measures it on the device"
        exported = replace(exported, notes=(*exported.notes, f"{note}: {fix}"))
        figures = ((), ())
    return _described(work, format, precision, exported, figures, stated)


def _described(
    work: Graphs,
    format: str,
    precision: str,
    exported: Exported,
    figures: tuple[tuple[Parity, ...], tuple[Parity, ...]],
    stated: Tolerance | None,
) -> Artefact:
    return Artefact(
        format=format,
        precision=precision,
        file=record_of(work.folder, exported.file),
        parity=figures[0],
        opset=exported.opset,
        tools=exported.tools,
        notes=exported.notes,
        faces=figures[1],
        tolerance=stated,
        details=exported.details,
    )


def _figures(
    work: Graphs, format: str, path: Path, tolerance: Tolerance
) -> tuple[tuple[Parity, ...], tuple[Parity, ...]]:
    """Measure on the proof's pictures and on real faces, where there are any."""
    spec = work.subject.spec
    results = []
    for pictures, where in zip(_measured_on(work.subject), ("", " on faces"), strict=False):
        records = measure_artefact(path, format, spec, pictures.inputs, pictures.reference)
        parity.check(records, tolerance, path.name + where)
        results.append(records)
    return results[0], results[1] if len(results) > 1 else ()


def _measured_on(subject: Subject) -> tuple[Pictures, ...]:
    return (subject.proof,) if subject.faces is None else (subject.proof, subject.faces)
