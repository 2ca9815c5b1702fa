"""What a graph is held to while its precision is lowered: pictures, references, a tolerance."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceport.bundle import Parity, Tolerance
from faceport.errors import ParityError
from faceport.runtime import parity
from faceport.runtime.sessions import open_session
from faceport.runtime.sessions.base import Array
from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, eq=False)
class Pictures:
    """Input tensors, and what the checkpoint computed from them.

    Attributes:
        inputs: (N, …).
        reference: (N, …) each, by output name.
    """

    inputs: Array
    reference: dict[str, Array]


@dataclass(frozen=True, eq=False)
class Judge:
    """Measures graphs.

    Attributes:
        spec: of the model.
        pictures: what to measure on: real faces where there are any.
        tolerance: what they are held to.
    """

    spec: ModelSpec
    pictures: Pictures
    tolerance: Tolerance

    def figures(self, path: Path) -> tuple[Parity, ...]:
        """Run an ONNX file on all pictures; one record a batch size.

        Raises:
            ParityError: an output is missing, of another shape or not finite, or it does not run.
        """
        pictures = self.pictures
        with closing(open_session(path, "onnxruntime")) as session:
            return parity.measure(session, self.spec, pictures.inputs, pictures.reference)

    def passes(self, figures: tuple[Parity, ...]) -> bool:
        """Whether figures hold the tolerance."""
        try:
            parity.check(figures, self.tolerance, "")
        except ParityError:
            return False
        return True


def written(model: ModelProto, path: Path) -> Path:
    """Write a graph to a file and return the file's path."""
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path
