"""Whether a detector's outputs have the values that their roles promise, on a test picture."""

from __future__ import annotations

from collections.abc import Mapping

from faceport.errors import ExportError
from faceport.runtime.detectors.registry import make_decoder
from faceport.runtime.sessions.base import Array
from faceport.spec import DetectorSpec

SLACK = 1e-3
"""Rounding that a probability may show outside 0 to 1."""

SCORE_CHANNEL = 4
LARGEST_FRACTION = 2.0
"""Coordinates that all lie below it are fractions of the input, not pixels."""


def check_values(
    detector: DetectorSpec, outputs: Mapping[str, Array], height: int, width: int
) -> None:
    """Check the outputs for one picture.

    Args:
        detector: its roles.
        outputs: by name, finite.
        height: of the input, pixels.
        width: of the input, pixels.

    Raises:
        ExportError: scores are no probabilities, or coordinates are no pixels.
        SessionError: the decoder cannot read the outputs.
    """
    for role in ("scores", "objectness"):
        for name in detector.outputs.get(role, ()):
            _check_probabilities(name, outputs[name])
    for name in detector.outputs.get("concatenated", ()):
        rows = outputs[name].reshape(-1, outputs[name].shape[-1])
        _check_probabilities(name, rows[SCORE_CHANNEL])
        if rows[:SCORE_CHANNEL].max() <= LARGEST_FRACTION:
            raise ExportError(
                f"boxes of output {name!r} are fractions of the input's size",
                received=f"values up to {rows[:SCORE_CHANNEL].max():.3g}",
                expected="pixels of the input",
                fix="export the model again with Ultralytics' ONNX exporter",
            )
    make_decoder(detector).decode(outputs, height, width, detector.score_threshold)


def _check_probabilities(name: str, scores: Array) -> None:
    low, high = float(scores.min()), float(scores.max())
    if low < -SLACK or high > 1 + SLACK:
        raise ExportError(
            f"the scores in output {name!r} are no probabilities",
            received=f"values from {low:.3g} to {high:.3g}",
            expected="0 to 1: the sigmoid belongs to the graph",
            fix="check --family, or export the model with its sigmoid",
        )
