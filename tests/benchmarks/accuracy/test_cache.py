"""The crop cache: lossless, mindful of its key, and never trusting a damaged file."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.accuracy.cache import CropCache, Entry, entry_key
from faceport.errors import InputError
from faceport.spec import PreprocessSpec

SPEC = PreprocessSpec(8, 6, "rgb", (0.0,) * 3, (1.0,) * 3, "crop")
KEY = entry_key(b"picture", "detector", SPEC, "central")


def entry(seed: int = 0) -> Entry:
    return Entry(np.random.default_rng(seed).integers(0, 256, (8, 6, 3), np.uint8), 2)


def test_a_crop_comes_back_bit_for_bit(tmp_path: Path) -> None:
    cache = CropCache(tmp_path / "new")
    assert cache.read(KEY, SPEC) is None
    cache.write(KEY, entry())
    kept = cache.read(KEY, SPEC)
    assert kept is not None
    assert kept.faces == 2
    assert kept.pixels is not None
    assert np.array_equal(kept.pixels, entry().pixels)


def test_no_face_is_remembered(tmp_path: Path) -> None:
    cache = CropCache(tmp_path)
    cache.write(KEY, Entry(None, 0))
    kept = cache.read(KEY, SPEC)
    assert kept is not None
    assert kept.pixels is None
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"height": 9},
        {"width": 7},
        {"color_order": "bgr"},
        {"box_padding": 0.3},
        {"resample": "bilinear_antialias"},
        {"geometry": "align", "alignment_template": "arcface_112"},
    ],
)
def test_what_changes_the_pixels_changes_the_key(changed: dict[str, object]) -> None:
    other = replace(SPEC, **changed)
    assert entry_key(b"picture", "detector", other, "central") != KEY


def test_the_key_is_of_picture_detector_and_rule_but_not_of_mean_and_std() -> None:
    assert entry_key(b"other", "detector", SPEC, "central") != KEY
    assert entry_key(b"picture", "other", SPEC, "central") != KEY
    assert entry_key(b"picture", "detector", SPEC, "largest") != KEY
    after = replace(SPEC, mean=(5.0,) * 3, std=(2.0,) * 3)
    assert entry_key(b"picture", "detector", after, "central") == KEY


def test_no_damaged_file_is_believed(tmp_path: Path) -> None:
    cache = CropCache(tmp_path)
    cache.write(KEY, entry())
    (file,) = (p for p in tmp_path.rglob("*") if p.is_file())
    whole = file.read_bytes()
    believed = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged)
        kept = cache.read(KEY, SPEC)
        # A byte that says nothing, the date in the zip's directory, may change.
        if kept is not None:
            believed += 1
            assert np.array_equal(kept.pixels, entry().pixels)
    assert believed < len(whole) / 7 / 2
    file.write_bytes(whole[:-30])
    assert cache.read(KEY, SPEC) is None
    file.write_bytes(b"")
    assert cache.read(KEY, SPEC) is None


def test_a_crop_of_another_key_or_size_is_not_taken(tmp_path: Path) -> None:
    cache = CropCache(tmp_path)
    cache.write(KEY, entry())
    (file,) = (p for p in tmp_path.rglob("*") if p.is_file())
    other = entry_key(b"other", "detector", SPEC, "central")
    moved = tmp_path / other[:2] / f"{other[2:]}.npz"
    moved.parent.mkdir(exist_ok=True)
    file.rename(moved)
    assert cache.read(other, SPEC) is None
    cache.write(KEY, Entry(np.zeros((3, 3, 3), np.uint8), 1))
    assert cache.read(KEY, SPEC) is None


def test_writers_and_readers_at_once_see_whole_crops(tmp_path: Path) -> None:
    cache = CropCache(tmp_path)
    cache.write(KEY, entry(0))
    seen: list[bool] = []

    def write(seed: int) -> None:
        for _ in range(20):
            cache.write(KEY, entry(seed))

    def read() -> None:
        for _ in range(40):
            kept = cache.read(KEY, SPEC)
            seen.append(
                kept is not None
                and any(np.array_equal(kept.pixels, entry(seed).pixels) for seed in range(3))
            )

    threads = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 40
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"could not be written.*--cache"):
        CropCache(tmp_path / "file").write(KEY, entry())
