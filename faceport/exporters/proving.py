"""Parity of a finished artefact: what it is held to, and what `verify` holds it to later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceport.bundle import Parity, Tolerance
from faceport.errors import ParityError
from faceport.exporters.base import ExportOptions
from faceport.exporters.subject import Subject
from faceport.runtime import parity
from faceport.runtime.verify import measure_artefact

SLACK = 0.03
"""How much lower a cosine may be on another machine: integer kernels round differently."""

FLOOR = 0.5
"""Whatever real faces say, a graph further off than this on drawn pictures is broken."""


@dataclass(frozen=True)
class Proven:
    """Figures of one artefact.

    Attributes:
        parity: on the proof's pictures.
        faces: on real faces; empty where there were none.
        tolerance: of `parity`, where that is not the precision's own.
    """

    parity: tuple[Parity, ...] = ()
    faces: tuple[Parity, ...] = ()
    tolerance: Tolerance | None = None


def tolerance_of(options: ExportOptions, precision: str) -> Tolerance:
    """Return what a precision is held to: its own tolerance, or what the caller asked for."""
    usual = parity.tolerance_for(precision)
    asked = (options.min_cosine, options.min_mean_cosine)
    if precision == "fp32" or asked == (None, None):
        return usual
    lowest = usual.min_cosine if options.min_cosine is None else options.min_cosine
    mean = usual.min_mean_cosine if options.min_mean_cosine is None else options.min_mean_cosine
    return Tolerance(lowest, max(usual.max_abs_diff, _widest(lowest)), mean)


def prove(
    path: Path, format: str, precision: str, subject: Subject, options: ExportOptions
) -> Proven:
    """Run an artefact on the proof's pictures, and on real faces where there are any.

    The tolerance is demanded on real faces. The drawn pictures of the proof are none, and 8 bits
    that were fitted to faces are further off on them: there, what was measured becomes the record
    that `verify` compares with.

    Raises:
        ParityError: it does not compute what the network computes.
        FaceportError: it does not run here.
    """
    tolerance = tolerance_of(options, precision)
    stated = None if tolerance == parity.tolerance_for(precision) else tolerance
    spec, proof, faces = subject.spec, subject.proof, subject.faces
    figures = measure_artefact(path, format, spec, proof.inputs, proof.reference)
    if faces is None or precision == "fp32":
        parity.check(figures, tolerance, path.name)
        return Proven(figures, tolerance=stated)
    on_faces = measure_artefact(path, format, spec, faces.inputs, faces.reference)
    parity.check(on_faces, tolerance, f"on real faces, {path.name}")
    try:
        parity.check(figures, tolerance, path.name)
    except ParityError:
        stated = _as_measured(figures)
        parity.check(figures, stated, path.name)
    return Proven(figures, on_faces, stated)


def _as_measured(figures: tuple[Parity, ...]) -> Tolerance:
    lowest = max(FLOOR, round(min(record.min_cosine for record in figures) - SLACK, 3))
    largest = max(record.max_abs_diff for record in figures)
    return Tolerance(lowest, round(max(2 * largest, _widest(lowest)), 3))


def _widest(cosine: float) -> float:
    """Return the largest difference of one number that unit vectors at this cosine can have."""
    return float((2 - 2 * cosine) ** 0.5)
