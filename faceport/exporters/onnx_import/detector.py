"""Describe an imported detector: roles of the outputs, size, batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from faceport.errors import ExportError, SessionError
from faceport.exporters.onnx_import.batching import find_batch, run_each
from faceport.exporters.onnx_import.described import Described, source_of
from faceport.exporters.onnx_import.families import DETECTORS, FamilyDefaults
from faceport.exporters.onnx_import.graph_input import GraphInput
from faceport.exporters.onnx_import.options import ImportOptions
from faceport.exporters.onnx_import.preprocessing import detector_preprocessing
from faceport.exporters.onnx_import.reading import OnnxFile
from faceport.exporters.onnx_import.roles import ROLES, Roles
from faceport.exporters.onnx_import.values import check_values
from faceport.exporters.probe import drawn_pictures
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Array, Session
from faceport.spec import Decoder, DetectorSpec, ModelSpec, PreprocessSpec

OPEN_SIZES = ((256, 384), (384, 256))
"""Heights and widths that an open size is tried at: multiples of every stride there is."""

DRAWN = 4
"""The probe is drawn so many times smaller and enlarged: it then packs to a tenth of the bytes."""


@dataclass(frozen=True, eq=False)
class _Trial:
    """What the graph gave at one size."""

    height: int
    width: int
    inputs: NDArray[np.generic]
    runs: list[dict[str, Array]]
    roles: Roles


def describe_detector(
    file: OnnxFile, session: Session, graph: GraphInput, options: ImportOptions
) -> Described:
    """Find out how a detector is run and what its outputs are.

    Raises:
        ExportError: its outputs do not have the family's shapes or values.
        InputError: the options contradict the graph.
        SessionError: it does not run.
    """
    family = cast(Decoder, options.family)
    defaults = DETECTORS[family]
    made = detector_preprocessing(defaults.preprocess, options, graph)
    preprocess, trial, size_notes = _tried(family, session, graph, made.preprocess)
    batch = find_batch(session, trial.inputs, trial.runs, is_open=graph.batch_is_open)
    detector = _detector_spec(family, trial.roles, defaults, options)
    check_values(detector, trial.runs[0], trial.height, trial.width)
    spec = ModelSpec(
        task="detector",
        family=family,
        arch="onnx",
        preprocess=preprocess,
        inputs=(graph.tensor_spec(),),
        outputs=tuple(session.outputs),
        source=source_of(file, defaults.origin, defaults.license),
        weights_sha256=file.weights_sha256,
        max_batch=batch.max_batch,
        detector=detector,
        fused=made.fused,
    )
    # A leading axis for the picture, where the graph's own outputs have none.
    outputs = {k: v if v.shape[:1] == (1,) else v[None] for k, v in trial.runs[0].items()}
    return Described(spec, trial.inputs[:1], outputs, (*made.notes, *size_notes, *batch.notes))


def probe_pictures(height: int, width: int) -> NDArray[np.uint8]:
    """Return 2 different pictures (2, height, width, 3), RGB: faces, fields and edges in a mosaic.

    They travel in the bundle, so they are drawn coarse: what matters is that every output moves.
    """
    rows, columns = -(-height // DRAWN), -(-width // DRAWN)
    light, field, edges, _, dark = drawn_pictures(rows, columns)
    first = np.concatenate(
        [np.concatenate([light, field], axis=1), np.concatenate([edges, dark], axis=1)]
    )
    both = np.stack([first, first[::-1, ::-1]])
    enlarged = both.repeat(DRAWN // 2, axis=1).repeat(DRAWN // 2, axis=2)
    return np.ascontiguousarray(enlarged[:, :height, :width])


def _tried(
    family: Decoder, session: Session, graph: GraphInput, preprocess: PreprocessSpec
) -> tuple[PreprocessSpec, _Trial, tuple[str, ...]]:
    """Run at two sizes where the graph leaves both open; else at the one of `preprocess`."""
    if graph.height is not None or graph.width is not None:
        return preprocess, _trial(family, session, preprocess), ()
    try:
        trials = [
            _trial(family, session, replace(preprocess, height=height, width=width))
            for height, width in OPEN_SIZES
        ]
    except (ExportError, SessionError):
        # The shape promises more than the graph holds to: one size, if that works.
        note = f"the size is open in the file's shape, but it runs at {preprocess.height}×"
        note += f"{preprocess.width} and not at others"
        return preprocess, _trial(family, session, preprocess), (note,)
    if trials[0].roles != trials[1].roles:
        raise ExportError("the outputs change their roles with the size of the input")
    multiple = max(trials[0].roles.strides)
    return replace(preprocess, dynamic_size=True, size_multiple=multiple), trials[0], ()


def _trial(family: Decoder, session: Session, preprocess: PreprocessSpec) -> _Trial:
    height, width = preprocess.height, preprocess.width
    inputs = to_tensor(probe_pictures(height, width), "rgb", preprocess)
    runs = run_each(session, inputs)
    shapes = {name: array.shape for name, array in runs[0].items()}
    return _Trial(height, width, inputs, runs, ROLES[family](shapes, height, width))


def _detector_spec(
    family: Decoder, roles: Roles, defaults: FamilyDefaults, options: ImportOptions
) -> DetectorSpec:
    def chosen(name: str, default: float) -> Any:
        given = getattr(options, name)
        return default if given is None else given

    return DetectorSpec(
        decoder=family,
        strides=roles.strides,
        outputs=roles.outputs,
        anchors_per_cell=roles.anchors_per_cell,
        keypoints=roles.keypoints,
        score_threshold=chosen("score_threshold", defaults.score_threshold),
        nms_threshold=chosen("nms_threshold", defaults.nms_threshold),
        max_faces=chosen("max_faces", 0),
        min_size=chosen("min_size", 0.0),
    )
