"""What is made through ONNX: the graph in every precision, and engines built from each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.bundle import Artefact, Detail, FileRecord, record_of
from faceport.errors import MissingDependencyError, ProviderUnavailableError
from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.onnx_graph import check_interface, default_opset
from faceport.exporters.plan import FP32, ONNX, Plan
from faceport.exporters.precision.base import Job
from faceport.exporters.precision.judge import Judge, written
from faceport.exporters.proving import Proven, prove, tolerance_of
from faceport.exporters.quiet import first_line
from faceport.exporters.registry import engine_builder_of, exporter_of, precision_step_of
from faceport.exporters.subject import Subject


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


def graph_artefacts(work: Graphs) -> Iterator[Artefact]:
    """Make the ONNX files of every precision, and engines of them, and prove them.

    Raises:
        InputError: a precision step lacks something.
        MissingDependencyError: a package that makes them is not installed.
        ExportError: one can't be made.
        ParityError: one does not compute what the network computes.
    """
    subject = work.subject
    work.on_step(f"{ONNX}: exporting")
    exported = exporter_of(ONNX)(subject.module, subject.spec, work.scratch, work.options)
    folder = work.folder if work.plan.keeps_onnx else work.scratch
    for precision in work.plan.precisions:
        artefact = _graph(work, exported, precision, folder)
        if work.plan.keeps_onnx:
            yield artefact
        for format in work.plan.engines:
            yield _engine(work, format, folder / artefact.file.path, artefact)


def _graph(work: Graphs, plain: Exported, precision: str, folder: Path) -> Artefact:
    import onnx

    subject, label = work.subject, ONNX if precision == FP32 else f"{ONNX} {precision}"
    judge = Judge(subject.spec, subject.judged_on, tolerance_of(work.options, precision))
    job = Job(
        subject.spec,
        work.options,
        judge,
        subject.calibration,
        work.scratch,
        work.on_step,
        precision,
    )
    if precision != FP32:
        work.on_step(f"{label}: converting")
    made = precision_step_of(precision)(onnx.load(work.scratch / plain.file), job)
    check_interface(made.model, subject.spec, full=True)
    path = written(made.model, folder / _file_name(precision))
    exported = replace(
        plain,
        file=path.name,
        opset=default_opset(made.model),
        tools={**plain.tools, **made.tools},
        notes=(*plain.notes, *made.notes),
        details={**plain.details, **made.details, **_calibration(subject, precision)},
    )
    work.on_step(f"{label}: measuring parity")
    proven = prove(path, ONNX, precision, subject, work.options)
    return _described(ONNX, precision, exported, record_of(folder, path.name), proven)


def _file_name(precision: str) -> str:
    return "model.onnx" if precision == FP32 else f"model.{precision}.onnx"


def _calibration(subject: Subject, precision: str) -> Mapping[str, Detail]:
    return {} if precision == FP32 else subject.face_details


def _engine(work: Graphs, format: str, onnx_file: Path, graph: Artefact) -> Artefact:
    precision = graph.precision
    work.on_step(f"{format} {precision}: building")
    build = engine_builder_of(format)
    exported = build(onnx_file, work.subject.spec, precision, work.folder, work.options)
    work.on_step(f"{format} {precision}: measuring parity")
    path = work.folder / exported.file
    try:
        proven = prove(path, format, precision, work.subject, work.options)
    except (MissingDependencyError, ProviderUnavailableError) as error:
        note = f"not run at export, so its parity is unknown ({first_line(error)})"
        fix = "`faceport verify` measures it on the device"
        exported = replace(exported, notes=(*exported.notes, f"{note}: {fix}"))
        proven = Proven(tolerance=graph.tolerance)
    return _described(format, precision, exported, record_of(work.folder, path.name), proven)


def _described(
    format: str, precision: str, exported: Exported, file: FileRecord, proven: Proven
) -> Artefact:
    return Artefact(
        format=format,
        precision=precision,
        file=file,
        parity=proven.parity,
        opset=exported.opset,
        tools=exported.tools,
        notes=exported.notes,
        faces=proven.faces,
        tolerance=proven.tolerance,
        details=exported.details,
    )
