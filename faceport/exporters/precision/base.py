"""The contract of a precision step, and what it may ask while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from faceport.bundle import Detail
from faceport.exporters.base import ExportOptions
from faceport.exporters.precision.judge import Judge
from faceport.runtime.sessions.base import Array
from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Job:
    """What a step works with.

    Attributes:
        spec: of the model.
        options: of the export.
        judge: measures a graph against the checkpoint.
        calibration: (N, …) input tensors of real faces, or None; none of them is the judge's.
        scratch: a folder for temporary files.
        on_step: told of each thing that takes time.
        precision: the one that is made, for messages.
    """

    spec: ModelSpec
    options: ExportOptions
    judge: Judge
    calibration: Array | None
    scratch: Path
    on_step: Callable[[str], None]
    precision: str


@dataclass(frozen=True)
class Reduced:
    """A graph of lower precision, and how it came to be.

    Attributes:
        model: the same inputs and outputs, float32 as before.
        tools: versions of the packages that made it.
        notes: what a reader of the manifest should know.
        details: what was decided, by name.
    """

    model: ModelProto
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    details: Mapping[str, Detail] = field(default_factory=dict)


class PrecisionStep(Protocol):
    """Lowers a graph's precision; each precision's module has one, called `reduce`."""

    def __call__(self, model: ModelProto, job: Job, /) -> Reduced:
        """Return a graph of lower precision that is within the judge's tolerance, if one is found.

        The graph is topologically sorted and valid. Whether it holds the tolerance is checked
        afterwards, as for every artefact.

        Raises:
            InputError: something that the step needs was not given.
            ExportError: the weights do not fit the precision, or the graph can't be converted.
        """
