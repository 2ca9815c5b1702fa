"""What a bundle's `manifest.json` holds: the spec, the artefacts, and how each was proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faceport.errors import SpecError
from faceport.spec import SCHEMA_VERSION, ModelSpec

Detail = str | int | float | tuple[str, ...] | Mapping[str, float]
"""One decision of an export, as JSON can hold it."""


@dataclass(frozen=True)
class Parity:
    """How far an artefact's outputs are from the checkpoint's, at one batch size.

    For embeddings both figures are of unit vectors. `min_cosine` is the smallest over the batch.
    """

    batch: int
    max_abs_diff: float
    min_cosine: float
    mean_cosine: float | None = None


@dataclass(frozen=True)
class Tolerance:
    """What parity figures must hold: the smallest cosines and the largest difference that pass.

    `min_mean_cosine` is of the mean over the pictures; None asks nothing of it.
    """

    min_cosine: float
    max_abs_diff: float
    min_mean_cosine: float | None = None


@dataclass(frozen=True)
class FileRecord:
    """A file of the bundle: its path inside it (POSIX, relative), hash and size in bytes."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Artefact:
    """One executable form of the model.

    `opset` is what the ONNX file really holds, whatever was asked for. `reference` says what the
    parity figures compare with: the checkpoint's module, or the imported file itself.

    `parity` is measured on the proof's pictures, and is empty where the machine of the export can't
    run the artefact (an engine without its GPU); a note then says so. `faces` is the same on real
    faces that do not travel in the bundle. `tolerance` is what both were held to, where that is not
    the one of the precision. `details` says what was decided on the way: calibrator, number of
    images, layers kept back and what they cost.
    """

    format: str
    precision: str
    file: FileRecord
    parity: tuple[Parity, ...]
    reference: str = "checkpoint"
    opset: int | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faces: tuple[Parity, ...] = ()
    tolerance: Tolerance | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds. `created` is UTC, ISO 8601.

    `notes` say what was asked for and not made.
    """

    spec: ModelSpec
    fingerprint: str
    artefacts: tuple[Artefact, ...]
    proof: FileRecord
    faceport_version: str
    created: str
    notes: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise SpecError(
                "the manifest is of another schema version",
                received=self.schema_version,
                expected=SCHEMA_VERSION,
                fix="use the faceport version that wrote it",
            )
        paths = [artefact.file.path for artefact in self.artefacts]
        if not paths or len(set(paths)) != len(paths):
            raise SpecError("a manifest names one artefact or more, each in a file of its own")

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """All files that the manifest names."""
        return (*(artefact.file for artefact in self.artefacts), self.proof)
