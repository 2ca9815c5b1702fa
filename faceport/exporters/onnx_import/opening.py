"""Free the size of a detector's input where the file fixes it and the graph does not need that.

Files are often written for one size although every operator in them follows the input's. A picture
that is not square then has its letterbox computed too: a third of the work for a photograph of 4:3
in a square. Whether the graph really follows is tried at other sizes afterwards, as it is for files
that leave the size open themselves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from faceport.errors import ExportError, InputError, SessionError
from faceport.exporters.onnx_import.graph_input import GraphInput
from faceport.exporters.onnx_import.options import ImportOptions
from faceport.exporters.onnx_import.reading import OnnxFile
from faceport.runtime.sessions import Session, SessionOptions, open_session

TOLERANCE = 1e-5
"""Largest difference at the file's own size, relative to the output's largest value."""


def freed(file: OnnxFile, graph: GraphInput, options: ImportOptions) -> OnnxFile:
    """Return the file with its input's height and width open.

    Raises:
        InputError: the file leaves them open itself, or the model is a recogniser.
    """
    if options.family == "recogniser":
        raise InputError("a recogniser's input has one size", fix="leave out --open-size")
    if graph.height is None and graph.width is None:
        raise InputError("the file's size is open already", fix="leave out --open-size")
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(file.model)
    fixed = {constant.name for constant in model.graph.initializer}
    (entry,) = [item for item in model.graph.input if item.name not in fixed]
    first = 2 if graph.layout == "nchw" else 1
    for axis, name in ((first, "height"), (first + 1, "width")):
        entry.type.tensor_type.shape.dim[axis].dim_param = name
    # What was inferred for one size: wrong for any other.
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return replace(file, model=model)


def at_its_own_size(options: ImportOptions, graph: GraphInput) -> ImportOptions:
    """Return options that keep the file's size as the largest, where they name none."""
    return replace(
        options, height=options.height or graph.height, width=options.width or graph.width
    )


def open_freed(file: OnnxFile, original: Session, folder: Path) -> Session:
    """Open a session on a freed file that was found equal to the original at its size.

    Raises:
        ExportError: it computes something else.
        SessionError: it does not load.
    """
    path = folder / "opened.onnx"
    path.write_bytes(file.model.SerializeToString())
    session = open_session(path, "onnxruntime", SessionOptions())
    try:
        _compare(original, session)
    except BaseException:
        session.close()
        raise
    return session


def _compare(original: Session, opened: Session) -> None:
    (entry,) = original.inputs
    shape = [1 if isinstance(size, str) else size for size in entry.shape]
    drawn = np.random.default_rng(0).uniform(0, 1, shape)
    values = (drawn * 255).astype(np.uint8) if entry.dtype == "uint8" else drawn.astype(np.float32)
    feeds = {entry.name: values}
    try:
        wanted, got = original.run(feeds), opened.run(feeds)
    except (InputError, SessionError) as error:
        raise ExportError(f"the file does not run with its size open: {error}") from error
    for name in wanted:
        before, after = wanted[name].astype(np.float64), got[name].astype(np.float64)
        most = TOLERANCE * max(float(np.abs(before).max(initial=0.0)), 1e-6)
        if after.shape != before.shape or not np.abs(after - before).max(initial=0.0) <= most:
            raise ExportError(f"output {name!r} differs when the size of the input is open")


def check_followed(dynamic: bool) -> None:
    """Refuse a graph that holds to one size whatever its input says.

    Raises:
        ExportError: it does.
    """
    if not dynamic:
        raise ExportError(
            "the graph does not follow the size of its input: a size is built into its operators",
            fix="import it without --open-size, or export the model with open axes",
        )
