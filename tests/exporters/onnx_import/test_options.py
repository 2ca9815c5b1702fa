"""Options that contradict themselves are refused before a file is opened."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from faceport.errors import InputError
from faceport.exporters.onnx_import import FAMILIES, Family, ImportOptions
from faceport.exporters.onnx_import.families import DETECTORS
from faceport.spec import Decoder


def test_the_families_are_the_decoders_and_the_recogniser() -> None:
    assert typing.get_args(Family) == FAMILIES
    assert set(FAMILIES) == {*typing.get_args(Decoder), "recogniser"}
    assert set(DETECTORS) == set(typing.get_args(Decoder))


def test_an_unknown_family() -> None:
    with pytest.raises(InputError, match="received retinaface; expected scrfd, yunet"):
        ImportOptions("retinaface")  # type: ignore[arg-type]


def test_one_source_of_preprocessing() -> None:
    with pytest.raises(InputError, match="not both"):
        ImportOptions(
            "scrfd", preprocess=DETECTORS["scrfd"].preprocess, spec_file=Path("spec.json")
        )


@pytest.mark.parametrize(
    "option",
    [
        {"score_threshold": 0.5},
        {"nms_threshold": 0.0},
        {"max_faces": 0},
        {"min_size": 0.0},
        {"pad_value": 0},
        {"pad_anchor": "center"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_a_recogniser_has_no_detectors_options(option: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(option))):
        ImportOptions("recogniser", **option)  # type: ignore[arg-type]
    ImportOptions("yunet", **option)  # type: ignore[arg-type]


def test_a_detector_has_no_embedding() -> None:
    with pytest.raises(InputError, match="embedding_output"):
        ImportOptions("scrfd", embedding_output="x")
