"""Who decides the preprocessing: the caller, the family, the graph; and nobody guesses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from faceport.codec import encode
from faceport.errors import InputError, SpecError
from faceport.exporters.onnx_import import ImportOptions
from faceport.exporters.onnx_import.families import DETECTORS
from faceport.exporters.onnx_import.graph_input import GraphInput
from faceport.exporters.onnx_import.preprocessing import (
    Preprocessing,
    detector_preprocessing,
    recogniser_preprocessing,
)
from faceport.spec import ModelSpec, PreprocessSpec, Source, TensorSpec

FIXED = GraphInput("x", "float32", "nchw", True, 112, 112)
OPEN = replace(FIXED, height=None, width=None)
MEAN, STD = (127.5, 127.0, 126.5), (128.0, 127.0, 126.0)
SAID = ImportOptions("recogniser", color_order="bgr", mean=MEAN, std=STD)
CROP = PreprocessSpec(
    height=112,
    width=112,
    color_order="rgb",
    mean=(1.0, 2.0, 3.0),
    std=(4.0, 5.0, 6.0),
    geometry="crop",
    box_padding=0.3,
)


def detector(options: ImportOptions, graph: GraphInput) -> Preprocessing:
    return detector_preprocessing(DETECTORS["scrfd"].preprocess, options, graph)


def test_a_recogniser_is_what_the_caller_says() -> None:
    made = recogniser_preprocessing(SAID, FIXED)
    assert made.preprocess == PreprocessSpec(
        height=112,
        width=112,
        color_order="bgr",
        mean=MEAN,
        std=STD,
        geometry="align",
        alignment_template="arcface_112",
    )
    (note,) = made.notes
    assert "aligned to arcface_112" in note


@pytest.mark.parametrize("missing", ["color_order", "mean", "std"])
def test_a_missing_value_is_named_and_not_guessed(missing: str) -> None:
    with pytest.raises(InputError) as caught:
        recogniser_preprocessing(replace(SAID, **{missing: None}), FIXED)
    assert f"received no {missing}" in str(caught.value)
    assert f"give --{missing.replace('_', '-')}, or a spec file" in str(caught.value)


def test_all_missing_values_are_named_at_once() -> None:
    with pytest.raises(
        InputError, match="--color-order, --mean, --std, --height, --width, --geometry"
    ):
        recogniser_preprocessing(ImportOptions("recogniser"), OPEN)


def test_an_open_size_comes_from_the_caller() -> None:
    made = recogniser_preprocessing(replace(SAID, height=112, width=96), OPEN)
    assert (made.preprocess.height, made.preprocess.width) == (112, 96)
    assert made.preprocess.geometry == "align"


def test_a_size_without_a_template_needs_a_geometry() -> None:
    graph = replace(FIXED, height=160, width=160)
    with pytest.raises(InputError, match="received no geometry"):
        recogniser_preprocessing(SAID, graph)
    made = recogniser_preprocessing(replace(SAID, geometry="crop"), graph)
    assert made.preprocess.geometry == "crop"
    assert made.preprocess.alignment_template is None
    assert made.notes == ()


@pytest.mark.parametrize("name", ["height", "width"])
def test_a_size_against_the_graph_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"fixes the {name} of its input; received 96; expected"):
        recogniser_preprocessing(replace(SAID, **{name: 96}), FIXED)
    spec = replace(CROP, **{name: 96})
    with pytest.raises(InputError, match=f"another {name} than the graph's input"):
        recogniser_preprocessing(ImportOptions("recogniser", preprocess=spec), FIXED)


def test_a_spec_is_taken_whole_and_overruled_by_single_values() -> None:
    given = ImportOptions("recogniser", preprocess=CROP)
    assert recogniser_preprocessing(given, FIXED).preprocess == CROP
    made = recogniser_preprocessing(replace(given, mean=MEAN, color_order="bgr"), FIXED)
    assert made.preprocess == replace(CROP, mean=MEAN, color_order="bgr")
    aligned = recogniser_preprocessing(replace(given, geometry="align"), FIXED).preprocess
    assert (aligned.geometry, aligned.alignment_template) == ("align", "arcface_112")


def test_a_spec_file_of_the_preprocessing(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(encode(CROP)))
    options = ImportOptions("recogniser", spec_file=path)
    assert recogniser_preprocessing(options, OPEN) == Preprocessing(CROP)


def test_a_spec_file_of_a_whole_model(tmp_path: Path) -> None:
    model = ModelSpec(
        task="embedder",
        family="adaface",
        arch="ir_18",
        preprocess=CROP.raw_pixels(),
        fused=CROP,
        inputs=(TensorSpec("input", "uint8", ("batch", 112, 112, 3)),),
        outputs=(TensorSpec("embedding", "float32", ("batch", 512)),),
        source=Source("a.ckpt", "0" * 64),
        weights_sha256="0" * 64,
        embedding_dim=512,
    )
    path = tmp_path / "model.json"
    path.write_text(model.to_json())
    graph = GraphInput("x", "uint8", "nhwc", True, 112, 112)
    made = recogniser_preprocessing(ImportOptions("recogniser", spec_file=path), graph)
    assert made == Preprocessing(CROP.raw_pixels(), fused=CROP)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, InputError, "could not be read"),
        ("{", SpecError, "is not JSON"),
        ("[1]", SpecError, "malformed"),
        ('{"height": 112}', SpecError, "lacks a key"),
        ('{"task": "embedder"}', SpecError, "ModelSpec lacks a key"),
        ('{"heigth": 112}', SpecError, "unknown key"),
    ],
)
def test_spec_files_that_are_none(
    tmp_path: Path, text: str | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "spec.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=message):
        recogniser_preprocessing(ImportOptions("recogniser", spec_file=path), FIXED)


def test_a_graph_of_raw_pixels_needs_no_mean() -> None:
    graph = GraphInput("x", "uint8", "nhwc", True, 112, 112)
    made = recogniser_preprocessing(ImportOptions("recogniser", color_order="bgr"), graph)
    assert made.preprocess.dtype == "uint8"
    assert made.preprocess.layout == "nhwc"
    assert made.preprocess.mean == (0.0, 0.0, 0.0)
    with pytest.raises(SpecError, match="a uint8 input takes raw pixels"):
        recogniser_preprocessing(SAID, graph)


def test_a_recogniser_looks_at_one_face() -> None:
    with pytest.raises(InputError, match="received geometry letterbox"):
        recogniser_preprocessing(replace(SAID, geometry="letterbox"), FIXED)


def test_a_detector_has_its_familys_preprocessing() -> None:
    made = detector(ImportOptions("scrfd"), OPEN).preprocess
    assert made == DETECTORS["scrfd"].preprocess


def test_a_detector_is_overruled_value_by_value() -> None:
    options = ImportOptions(
        "scrfd", color_order="bgr", mean=MEAN, std=STD, pad_value=7, pad_anchor="top_left"
    )
    made = detector(replace(options, height=320), replace(OPEN, width=480)).preprocess
    assert made == replace(
        DETECTORS["scrfd"].preprocess,
        height=320,
        width=480,
        color_order="bgr",
        mean=MEAN,
        std=STD,
        pad_value=7,
        pad_anchor="top_left",
    )


def test_a_detector_looks_at_whole_pictures() -> None:
    for options in (
        ImportOptions("scrfd", geometry="crop"),
        ImportOptions("scrfd", preprocess=CROP),
    ):
        with pytest.raises(InputError, match="received geometry crop; expected geometry letterbox"):
            detector(options, FIXED)
