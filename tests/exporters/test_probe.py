from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceport.errors import ImageDecodeError, InputError
from faceport.exporters.base import Exportable
from faceport.exporters.probe import MAX_PICTURES, drawn_pictures, example_input, probe_pictures


def test_drawn_pictures_are_always_the_same_and_differ_from_each_other() -> None:
    first, again = drawn_pictures(112, 96), drawn_pictures(112, 96)
    assert first.shape == (5, 112, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    flat = first.reshape(5, -1).astype(np.float64)
    centred = flat - flat.mean(axis=1, keepdims=True)
    correlation = np.corrcoef(centred)
    assert np.abs(correlation - np.eye(5)).max() < 0.9


def test_drawn_pictures_hold_every_pixel_value_and_tell_channels_and_mirrors_apart() -> None:
    pictures = drawn_pictures(112, 112)
    assert len(np.unique(pictures)) == 256
    for picture in pictures.astype(np.int16):
        assert np.abs(picture - picture[..., ::-1]).mean() > 5
        assert np.abs(picture - picture[:, ::-1]).mean() > 2
        assert np.abs(picture - picture[::-1]).mean() > 5


@pytest.mark.parametrize(("height", "width"), [(1, 1), (24, 32), (640, 480)])
def test_drawn_pictures_have_any_size(height: int, width: int) -> None:
    assert drawn_pictures(height, width).shape == (5, height, width, 3)


def test_photographs_are_cut_at_their_centre_and_resized(tmp_path: Path) -> None:
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 30:70] = (10, 200, 30)
    Image.fromarray(picture).save(tmp_path / "a.png")
    pictures = probe_pictures(20, 20, tmp_path)
    assert pictures.shape == (5, 20, 20, 3)
    assert (pictures[0] == (10, 200, 30)).all()
    assert np.array_equal(pictures[1:], drawn_pictures(20, 20)[:4])


def test_a_tall_photograph_keeps_its_proportions(tmp_path: Path) -> None:
    picture = np.zeros((100, 10, 3), np.uint8)
    picture[45:55] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert (probe_pictures(16, 16, tmp_path)[0] == 255).all()


def test_real_photographs(photos: Path, tmp_path: Path) -> None:
    sources = sorted((photos / "pairs").glob("*-1.jpg"))[:7]
    for source in sources:
        shutil.copy(source, tmp_path / source.name)
    (tmp_path / ".hidden").write_text("not a picture")
    pictures = probe_pictures(112, 96, tmp_path)
    assert pictures.shape == (7 if len(sources) == 7 else max(5, len(sources)), 112, 96, 3)
    assert pictures[: len(sources)].reshape(len(sources), -1).std(axis=1).min() > 10


def test_a_file_that_is_no_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ImageDecodeError, match=r"notes\.txt"):
        probe_pictures(8, 8, tmp_path)


def test_a_folder_must_be_there_and_hold_a_few(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        probe_pictures(8, 8, tmp_path / "absent")
    with pytest.raises(InputError, match=r"received 0; expected 1 to 64"):
        probe_pictures(8, 8, tmp_path)
    for number in range(MAX_PICTURES + 1):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(InputError, match="received 65"):
        probe_pictures(8, 8, tmp_path)


def test_the_example_is_what_the_spec_says(tiny_model: Exportable) -> None:
    example = example_input(tiny_model.spec, 2)
    assert example.shape == (2, 3, 32, 24)
    assert example.dtype == np.float32
    pixels = drawn_pictures(32, 24)[:2].astype(np.float64)
    bgr = (pixels[..., ::-1] - (100, 120, 140)) / (50, 60, 70)
    np.testing.assert_allclose(example, bgr.transpose(0, 3, 1, 2), rtol=1e-6, atol=1e-7)
