"""Simplification that is kept only where the graph still computes the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faceport.errors import FaceportError
from faceport.exporters.onnx_graph import check_interface, default_opset, strip_debris
from faceport.exporters.probe import example_input
from faceport.exporters.quiet import first_line, quiet
from faceport.runtime import parity
from faceport.runtime.sessions import open_session
from faceport.runtime.sessions.base import Array
from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto


def simplified(model: ModelProto, spec: ModelSpec, folder: Path) -> tuple[ModelProto, str]:
    """Return the graph as onnxslim simplifies it, or the graph as it was.

    The simplified graph is kept if it is valid, has the same inputs, outputs and opset, and gives
    the same outputs at batch 1 and at batch 5.

    Args:
        model: left as it is.
        spec: of the model.
        folder: for temporary files; they are gone afterwards.

    Returns:
        The graph, and a note that says whether it was simplified, and why not.
    """
    try:
        candidate = _slim(model)
    # onnxslim raises whatever its passes stumble over.
    except Exception as error:
        return model, f"not simplified: onnxslim failed: {first_line(error)}"
    try:
        check_interface(candidate, spec)
        check_same_outputs(model, candidate, spec, folder)
    except FaceportError as error:
        return model, f"not simplified: {error}"
    if default_opset(candidate) != default_opset(model):
        return model, "not simplified: onnxslim changed the opset"
    before, after = len(model.graph.node), len(candidate.graph.node)
    return candidate, f"simplified with onnxslim: {before} nodes became {after}"


def _slim(model: ModelProto) -> ModelProto:
    import onnx
    import onnxslim

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with quiet():
        slim: ModelProto = onnxslim.slim(copy)
    strip_debris(slim)
    return slim


def check_same_outputs(
    before: ModelProto, after: ModelProto, spec: ModelSpec, folder: Path
) -> None:
    """Run two graphs on drawn pictures at batch 1 and 5 and compare.

    Raises:
        ParityError: they differ by more than the tolerance of fp32, or one does not run.
    """
    inputs = example_input(spec, parity.BATCH)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        old, new = Path(name) / "before.onnx", Path(name) / "after.onnx"
        old.write_bytes(before.SerializeToString())
        new.write_bytes(after.SerializeToString())
        reference = _outputs(old, inputs)
        session = open_session(new, "onnxruntime")
        figures = parity.measure(session, spec, inputs, reference)
        session.close()
    parity.check(figures, parity.tolerance_for("fp32"), "the simplified graph")


def _outputs(path: Path, inputs: Array) -> dict[str, Array]:
    """Run a graph one picture at a time."""
    session = open_session(path, "onnxruntime")
    name = session.inputs[0].name
    rows = [session.run({name: inputs[i : i + 1]}) for i in range(len(inputs))]
    session.close()
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
