"""Calibration faces: found on the photographs, counted once, refused where they are too few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceport.errors import InputError
from faceport.exporters import Exportable, ExportOptions, export_bundle
from faceport.exporters.calibration import FaceCrops, face_crops
from faceport.spec import ModelSpec, PreprocessSpec

INT8 = ExportOptions(formats=("onnx",), precisions=("int8",))


@pytest.fixture(scope="module")
def spec(tiny_model: Exportable) -> ModelSpec:
    size = PreprocessSpec(
        height=112,
        width=112,
        color_order="bgr",
        mean=(127.5,) * 3,
        std=(127.5,) * 3,
        geometry="align",
        alignment_template="arcface_112",
    )
    return replace(tiny_model.spec, preprocess=size)


def found(spec: ModelSpec, options: ExportOptions) -> FaceCrops:
    crops = face_crops(spec, options, lambda _: None)
    assert crops is not None
    return crops


def save(folder: Path, pictures: list[NDArray[np.uint8]]) -> None:
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03}.png")


def random_crops(count: int, height: int = 32, width: int = 24) -> list[NDArray[np.uint8]]:
    """Smooth pictures that all differ, as faces do."""
    rng = np.random.default_rng(4)
    small = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(one).resize((width, height))) for one in small]


def test_faces_of_all_folders_are_found_and_every_fourth_is_held_out(
    spec: ModelSpec, photos: Path, detectors: dict[str, Path]
) -> None:
    options = replace(INT8, calibration=photos, calibration_detector=detectors["scrfd"])
    crops = found(spec, options)
    total = len(crops.calibration) + len(crops.held_out)
    assert total >= 36
    assert len(crops.held_out) == total // 4
    assert crops.calibration.shape[1:] == (112, 112, 3)
    assert crops.details["calibration.faces"] == len(crops.calibration)
    assert crops.details["calibration.pictures"] == 26
    assert "scrfd" in str(crops.details["calibration.detector"])


def test_a_folder_with_too_few_faces_says_how_many_there_were(
    spec: ModelSpec, photos: Path, detectors: dict[str, Path]
) -> None:
    folder = photos / "groups"
    options = replace(INT8, calibration=folder, calibration_detector=detectors["scrfd"])
    with pytest.raises(InputError, match=r"\d+ different faces in 2 pictures; expected 32 or more"):
        found(spec, options)


def test_a_folder_without_faces_or_pictures_is_refused(
    spec: ModelSpec, tmp_path: Path, detectors: dict[str, Path]
) -> None:
    options = replace(INT8, calibration=tmp_path, calibration_detector=detectors["scrfd"])
    with pytest.raises(InputError, match="0 different faces in 0 pictures"):
        found(spec, options)
    save(tmp_path, [np.full((90, 120, 3), 128, np.uint8)] * 2)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="0 different faces in 2 pictures"):
        found(spec, options)


def test_mirrored_and_repeated_crops_count_once(tiny_model: Exportable, tmp_path: Path) -> None:
    pictures = random_crops(20)
    save(tmp_path, [*pictures, *(p[:, ::-1] for p in pictures), *pictures[:5]])
    options = replace(INT8, calibration=tmp_path)
    with pytest.raises(InputError, match="20 different faces in 45 pictures"):
        found(tiny_model.spec, options)


def test_aligned_crops_are_taken_as_they_are(tiny_model: Exportable, tmp_path: Path) -> None:
    pictures = random_crops(36)
    save(tmp_path, pictures)
    crops = found(tiny_model.spec, replace(INT8, calibration=tmp_path))
    np.testing.assert_array_equal(crops.held_out, np.stack(pictures)[3::4, ..., ::-1])
    save(tmp_path, random_crops(1, 33))
    with pytest.raises(InputError, match=r"no aligned crops.*33 high, 24 wide; expected 32 high"):
        found(tiny_model.spec, replace(INT8, calibration=tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (INT8, r"int8 needs real faces.*--calibration FOLDER"),
        (replace(INT8, calibration=Path("/nowhere")), "photographs are no folder"),
        (ExportOptions(calibration_detector=Path("d")), "options without --calibration"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_written(
    tiny_model: Exportable, tmp_path: Path, options: ExportOptions, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export_bundle(tiny_model, tmp_path / "m.bundle", options)
    assert list(tmp_path.iterdir()) == []
