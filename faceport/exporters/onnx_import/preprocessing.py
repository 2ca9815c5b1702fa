"""Which preprocessing an imported model gets: the caller's word, the family's, the graph's size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceport.codec import decode
from faceport.errors import InputError, SpecError
from faceport.exporters.onnx_import.graph_input import GraphInput
from faceport.exporters.onnx_import.options import ImportOptions
from faceport.spec import ModelSpec, PreprocessSpec

TEMPLATE_SIZES = ((112, 112), (112, 96))
"""Height and width of the inputs that `arcface_112` is drawn for."""

NEEDED = ("color_order", "mean", "std", "height", "width", "geometry")
OVERRULING = ("color_order", "mean", "std", "pad_value", "pad_anchor")
RAW = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


@dataclass(frozen=True)
class Preprocessing:
    """What the runtime does, what the graph does itself, if known, and notes for the manifest."""

    preprocess: PreprocessSpec
    fused: PreprocessSpec | None = None
    notes: tuple[str, ...] = ()


def detector_preprocessing(
    defaults: PreprocessSpec, options: ImportOptions, graph: GraphInput
) -> Preprocessing:
    """Return a detector's preprocessing: the family's, overruled where the caller says so.

    Raises:
        InputError: the geometry is not `letterbox`, or a size contradicts the graph.
        SpecError: the values make no preprocessing.
    """
    given, fused = _given(options)
    base = given or defaults
    geometry = options.geometry or base.geometry
    if geometry != "letterbox":
        raise InputError(
            "a detector looks at whole pictures",
            received=f"geometry {geometry}",
            expected="geometry letterbox",
        )
    height = _size("height", graph.height, options, given) or defaults.height
    width = _size("width", graph.width, options, given) or defaults.width
    changes = {**_from_graph(graph, given), **_overruled(options)}
    changes |= {"height": height, "width": width}
    return Preprocessing(replace(base, **changes, dynamic_size=False), fused)


def recogniser_preprocessing(options: ImportOptions, graph: GraphInput) -> Preprocessing:
    """Return a recogniser's preprocessing. Nothing is guessed.

    Raises:
        InputError: something is missing, or a size contradicts the graph.
        SpecError: the values make no preprocessing.
    """
    given, fused = _given(options)
    height = _size("height", graph.height, options, given)
    width = _size("width", graph.width, options, given)
    aligns = (height, width) in TEMPLATE_SIZES
    geometry = options.geometry or (given and given.geometry) or ("align" if aligns else None)
    changes = {**_from_graph(graph, given), **_overruled(options)}
    changes |= {"height": height, "width": width, "geometry": geometry}
    changes["alignment_template"] = "arcface_112" if geometry == "align" else None
    if geometry == "letterbox":
        raise InputError(
            "a recogniser looks at one face",
            received=f"geometry {geometry}",
            expected="align, crop",
        )
    if given is not None:
        return Preprocessing(replace(given, **changes), fused)
    _check_complete(changes)
    note = f"faces are aligned to arcface_112, the convention for inputs of {height}×{width}; "
    notes = () if options.geometry else (note + "--geometry overrules it",)
    return Preprocessing(PreprocessSpec(**changes), notes=notes)


def _overruled(options: ImportOptions) -> dict[str, Any]:
    values = {name: getattr(options, name) for name in OVERRULING}
    return {name: value for name, value in values.items() if value is not None}


def _from_graph(graph: GraphInput, given: PreprocessSpec | None) -> dict[str, Any]:
    # A graph of uint8 does mean and std itself. What the caller gives is not overruled here: the
    # spec refuses it.
    raw = RAW if graph.dtype == "uint8" and given is None else {}
    return {"layout": graph.layout, "dtype": graph.dtype, **raw}


def _check_complete(values: Mapping[str, Any]) -> None:
    missing = [name for name in NEEDED if values.get(name) is None]
    if missing:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise InputError(
            "the file does not say how a recogniser's input is made, and it is not guessed",
            received=f"no {', '.join(missing)}",
            expected="colour order, mean, std (0-255 units), size and geometry",
            fix=f"give {flags}, or a spec file with --spec-file",
        )


def _size(
    name: str, fixed: int | None, options: ImportOptions, given: PreprocessSpec | None
) -> int | None:
    asked: int | None = getattr(options, name)
    if fixed is not None and asked is not None and asked != fixed:
        raise InputError(f"the graph fixes the {name} of its input", received=asked, expected=fixed)
    stated: int | None = getattr(given, name, None)
    if fixed is not None and stated is not None and stated != fixed:
        raise InputError(
            f"the preprocessing given has another {name} than the graph's input",
            received=stated,
            expected=fixed,
        )
    return fixed or asked or stated


def _given(options: ImportOptions) -> tuple[PreprocessSpec | None, PreprocessSpec | None]:
    """Return the preprocessing from the options or their spec file, and what the graph does."""
    if options.spec_file is None:
        return options.preprocess, None
    data = _json(options.spec_file)
    if isinstance(data, dict) and "task" in data:
        model = decode(ModelSpec, data)
        return model.preprocess, model.fused
    return decode(PreprocessSpec, data), None


def _json(path: Path) -> object:
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"the spec file {path} could not be read: {error.strerror or error}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SpecError(
            f"the spec file {path} is not JSON: {error}",
            expected="the JSON of a PreprocessSpec or of a ModelSpec",
        ) from error
    return data
