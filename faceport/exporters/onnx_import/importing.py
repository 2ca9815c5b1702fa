"""From an ONNX file of someone else's to a bundle, checked at every step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from faceport.bundle import Bundle, write_bundle
from faceport.exporters.onnx_import.described import Described
from faceport.exporters.onnx_import.detector import describe_detector
from faceport.exporters.onnx_import.graph_input import GraphInput, read_input
from faceport.exporters.onnx_import.opening import (
    at_its_own_size,
    check_followed,
    freed,
    open_freed,
)
from faceport.exporters.onnx_import.options import ImportOptions
from faceport.exporters.onnx_import.reading import OnnxFile, read_onnx
from faceport.exporters.onnx_import.recogniser import describe_recogniser
from faceport.exporters.onnx_import.writing import measure_model, write_model, write_rest
from faceport.runtime.sessions import Session, SessionOptions, open_session

Step = Callable[[str], None]


def import_onnx(
    path: str | Path, output: str | Path, options: ImportOptions, on_step: Step | None = None
) -> Bundle:
    """Make a bundle of an ONNX detector or recogniser.

    The file is read, checked and run; its outputs must have the family's shapes; whether pictures
    may share a run is measured. The bundle holds the same graph with the spec in its metadata.

    Args:
        path: the ONNX file; external data lies in its folder.
        output: the bundle's folder; an older bundle there is replaced.
        options: the family, and what the file does not say itself.
        on_step: called with the name of each step as it begins.

    Raises:
        InputError: no such file, or options that are missing, or contradict the file.
        ExportError: the file is damaged, or not of the family.
        ParityError: the file written computes something else.
        SessionError: the file does not load or run in onnxruntime.
        BundleError: the output cannot be written.
        MissingDependencyError: onnx or onnxruntime is not installed.
    """
    step = on_step or (lambda _: None)
    source, target = Path(path), Path(output)
    step("read")
    file = read_onnx(source)
    with write_bundle(target) as folder:
        step("run")
        file, described = _described(file, options)
        step("write")
        written = write_model(file, described.spec, folder)
        step("parity")
        parity = measure_model(written, described)
        write_rest(file, described, parity, folder)
    return Bundle.open(target)


def _described(file: OnnxFile, options: ImportOptions) -> tuple[OnnxFile, Described]:
    with closing(open_session(file.path, "onnxruntime", SessionOptions())) as session:
        graph = read_input(session.inputs, options.layout)
        if options.open_size:
            return _opened(file, session, graph, options)
        describe = describe_recogniser if options.family == "recogniser" else describe_detector
        return file, describe(file, session, graph, options)


def _opened(
    file: OnnxFile, original: Session, graph: GraphInput, options: ImportOptions
) -> tuple[OnnxFile, Described]:
    opened = freed(file, graph, options)
    largest = at_its_own_size(options, graph)
    with (
        TemporaryDirectory() as folder,
        closing(open_freed(opened, original, Path(folder))) as session,
    ):
        graph = read_input(session.inputs, graph.layout)
        described = describe_detector(opened, session, graph, largest)
    check_followed(described.spec.preprocess.dynamic_size)
    note = f"the file fixes its input at {largest.height}×{largest.width}; its size was opened"
    return opened, replace(described, notes=(*described.notes, note))
