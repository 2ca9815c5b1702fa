"""Bytes that changed on the disk: an error, or `check` finds it, or nothing read differs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_model import ODD_NAMES, perform, sample

from faceport.errors import GalleryError
from faceport.gallery import Gallery
from faceport.gallery.types import Sample

FLIPS = 150
KEY = bytes(range(32))


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "encrypted"])
def key(request: pytest.FixtureRequest) -> bytes | None:
    found: bytes | None = request.param
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, key: bytes | None) -> Path:
    path = tmp_path_factory.mktemp("sound") / "g.db"
    with Gallery.open(str(path), key=key) as gallery:
        gallery.change_settings(keep_crops=True, audit=True, threshold=0.41, min_norm=11.5)
        for number, name in enumerate(("ann", "bob", *ODD_NAMES)):
            samples = [sample(10 * number + i) for i in range(3)]
            with_crops = [
                Sample(s.embedding, s.source, s.image_hash, bytes(range(100))) for s in samples
            ]
            gallery.enroll(name, with_crops, metadata={"floor": number, "note": "x" * 30})
        perform(gallery, {"do": "delete", "name": "bob"})
        gallery.search([sample(1).embedding])
    return path


def everything(path: Path, key: bytes | None) -> Any:
    """Read all that a user can read, and say whether `check` is content."""
    with Gallery.open(str(path), create=False, key=key) as gallery:
        problems = gallery.check()
        people = gallery.identities()
        held = [
            (
                s.id, s.vector.tobytes(), s.norm, s.source, s.image_hash, s.added,
                s.has_crop, gallery.crop(s.id),
            )
            for person in people
            for s in gallery.samples(person.name)
        ]  # fmt: skip
        sets = [gallery.vectors("templates"), gallery.vectors("samples")]
        rows = [
            (v.names, v.owner.tolist(), v.matrix.tobytes(), v.sample_ids.tolist()) for v in sets
        ]
        answers = gallery.search([sample(n).embedding for n in range(0, 60, 7)], top_k=3)
        return problems, (people, held, rows, answers, gallery.settings, gallery.space)


def test_flipped_bytes(tmp_path: Path, sound: Path, key: bytes | None) -> None:
    problems, expected = everything(sound.with_name(sound.name), key)
    assert problems == []
    data = sound.read_bytes()
    rng = np.random.default_rng(11)
    found = harmless = 0
    for offset in rng.choice(len(data), FLIPS, replace=False):
        changed = bytearray(data)
        changed[offset] ^= int(rng.integers(1, 256))
        path = tmp_path / f"{offset}.db"
        path.write_bytes(changed)
        verdict = _verdict(path, key, expected)
        assert verdict != "wrong", f"byte {offset} of {len(data)}"
        found += verdict == "found"
        harmless += verdict == "harmless"
        for file in tmp_path.glob(f"{offset}.db*"):
            file.unlink() if file.is_file() else shutil.rmtree(file)
    assert found > FLIPS // 10
    assert found + harmless == FLIPS


@pytest.mark.parametrize("damage", ["zero page", "cut", "swapped pages"])
def test_damaged_pages(tmp_path: Path, sound: Path, key: bytes | None, damage: str) -> None:
    _, expected = everything(sound, key)
    data = sound.read_bytes()
    verdicts = []
    for page in range(1, len(data) // 4096):
        at = page * 4096
        pages = {
            "zero page": data[:at] + bytes(4096) + data[at + 4096 :],
            "cut": data[:at],
            "swapped pages": data[: at - 4096]
            + data[at : at + 4096]
            + data[at - 4096 : at]
            + data[at + 4096 :],
        }
        path = tmp_path / f"{page}.db"
        path.write_bytes(pages[damage])
        verdicts.append(_verdict(path, key, expected))
    assert "wrong" not in verdicts
    assert "found" in verdicts


def _verdict(path: Path, key: bytes | None, expected: Any) -> str:
    try:
        problems, read = everything(path, key)
    except GalleryError:
        return "found"
    if problems:
        return "found"
    return "harmless" if read == expected else "wrong"
