"""One row of the matrix for each artefact, made or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.benchmarks.matrix.subjects import Subject
from faceport.bundle import Artefact, Bundle, Parity
from faceport.converters import Conversion, convert
from faceport.errors import (
    FaceportError,
    MissingDependencyError,
    ParityError,
    ProviderUnavailableError,
)
from faceport.exporters import ExportOptions, export_bundle
from faceport.exporters.onnx_import import ImportOptions, import_onnx
from faceport.exporters.registry import ENGINE_EXPORTERS, EXPORTERS, PRECISION_STEPS

SEEDED_TOLERANCE = 0.9
"""Least cosine, smallest and mean, that fp16 and int8 of seeded weights are held to."""


@dataclass(frozen=True)
class Row:
    """What came of one artefact.

    Attributes:
        model: family and architecture, or the file where that is not known.
        weights: `real` or `seeded`.
        format: of the artefact.
        precision: of the artefact.
        size_bytes: of its file; 0 where there is none.
        parity: on drawn pictures; empty where it was not run.
        faces: on real faces.
        problem: why it was not made, not run, or failed; empty if nothing is wrong.
    """

    model: str
    weights: str
    format: str
    precision: str
    size_bytes: int = 0
    parity: tuple[Parity, ...] = ()
    faces: tuple[Parity, ...] = ()
    problem: str = ""


def rows_of_checkpoint(subject: Subject, shared: Path, folder: Path, *, engines: bool) -> list[Row]:
    """Export a checkpoint to every format in every precision.

    Args:
        subject: the checkpoint.
        shared: its photographs calibrate int8.
        folder: for bundles.
        engines: whether to build engines, where the subject is small enough.
    """
    model = convert(subject.path)
    detector = _detector(shared, folder)
    options = ExportOptions(
        formats=tuple(EXPORTERS),
        calibration=shared / "assets" / "images",
        calibration_detector=detector,
    )
    if subject.weights == "seeded":
        options = replace(options, min_cosine=SEEDED_TOLERANCE, min_mean_cosine=SEEDED_TOLERANCE)
    rows = list(_made(subject, model, options, folder))
    for format in ENGINE_EXPORTERS:
        if engines and subject.engines:
            rows += _made(subject, model, replace(options, formats=(format,)), folder)
        else:
            rows.append(Row(_name(model), subject.weights, format, "all", problem="not tried"))
    return rows


def rows_of_detector(subject: Subject, folder: Path) -> list[Row]:
    """Import an ONNX detector, which is there in fp32 only."""
    if subject.detector_family is None:
        return []
    options = ImportOptions(family=subject.detector_family)
    bundle = import_onnx(subject.path, folder / "detector.bundle", options)
    return [_row(bundle, artefact, subject) for artefact in bundle.manifest.artefacts]


def _made(
    subject: Subject, model: Conversion, options: ExportOptions, folder: Path
) -> Iterator[Row]:
    """Export in all precisions at once, and one by one if that fails."""
    every = replace(options, precisions=tuple(PRECISION_STEPS))
    try:
        bundle = export_bundle(model, folder / "model.bundle", every)
    except (MissingDependencyError, ProviderUnavailableError) as error:
        format = options.formats[0]
        yield Row(_name(model), subject.weights, format, "all", problem=f"not made: {error}")
    except FaceportError:
        yield from _one_by_one(subject, model, options, folder)
    else:
        yield from (_row(bundle, artefact, subject) for artefact in bundle.manifest.artefacts)


def _one_by_one(
    subject: Subject, model: Conversion, options: ExportOptions, folder: Path
) -> Iterator[Row]:
    for precision in PRECISION_STEPS:
        single = replace(options, precisions=(precision,))
        if precision == "fp32":
            single = replace(single, calibration=None, calibration_detector=None)
        try:
            bundle = export_bundle(model, folder / "model.bundle", single)
        except FaceportError as error:
            made = "fails" if isinstance(error, ParityError) else "not made"
            names = options.formats if precision == "fp32" else options.formats[:1]
            for format in names:
                yield Row(
                    _name(model), subject.weights, format, precision, problem=f"{made}: {error}"
                )
            continue
        yield from (_row(bundle, artefact, subject) for artefact in bundle.manifest.artefacts)


def _row(bundle: Bundle, artefact: Artefact, subject: Subject) -> Row:
    unrun = [note for note in artefact.notes if note.startswith("not run")]
    return Row(
        f"{bundle.spec.family} {bundle.spec.arch}",
        subject.weights,
        artefact.format,
        artefact.precision,
        artefact.file.size_bytes,
        artefact.parity,
        artefact.faces,
        "; ".join(unrun),
    )


def _name(model: Conversion) -> str:
    return f"{model.spec.family} {model.spec.arch}"


def _detector(shared: Path, folder: Path) -> Path:
    path = folder / "faces.bundle"
    if not path.exists():
        file = shared / "assets" / "weights" / "scrfd_500m_kps.onnx"
        import_onnx(file, path, ImportOptions(family="scrfd"))
    return path
