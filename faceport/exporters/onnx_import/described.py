"""What an import finds out about a file, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faceport.exporters.onnx_import.reading import OnnxFile
from faceport.runtime.sessions.base import Array
from faceport.spec import ModelSpec, Source


@dataclass(frozen=True, eq=False)
class Described:
    """The model's spec, and the proof of it.

    Attributes:
        spec: of the model.
        inputs: (N, …) input tensor of the proof.
        outputs: by name, (N, …) what the file gave for each alone, on a leading axis.
        notes: for the manifest.
    """

    spec: ModelSpec
    inputs: Array
    outputs: Mapping[str, Array]
    notes: tuple[str, ...]


def source_of(file: OnnxFile, origin: str, license: str) -> Source:
    """Describe where a model is from; a licence that the file states goes before the family's."""
    stated = file.metadata.get("license", "")
    return Source(file.path.name, file.sha256, origin, stated or license)
