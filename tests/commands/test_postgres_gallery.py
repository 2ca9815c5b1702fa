"""Enroll and identify with a gallery in PostgreSQL, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faceport.commands import run

pytestmark = pytest.mark.xdist_group("postgres")

STUB = ["--detector", "stub", "--embedder", "stub"]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    from PIL import Image

    for person in range(3):
        folder = tmp_path / f"person {person}"
        folder.mkdir()
        pixels = np.random.default_rng(person).integers(0, 256, (160, 120, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "face.png")
    return tmp_path


def test_enroll_then_identify(
    people: Path, postgres_gallery: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*STUB, "--gallery", postgres_gallery, "--json"]
    for added in (1, 0):
        assert run(["enroll", *arguments, str(people)]) == 0
        done = json.loads(capsys.readouterr().out)
        assert [person["added"] for person in done["identities"]] == [added] * 3
        assert done["gallery"].startswith("postgresql://postgres@")
    for index in ("auto", "store"):
        picture = str(people / "person 1" / "face.png")
        assert run(["identify", *arguments, "--index", index, picture]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [face["name"] for face in found["images"][0]["faces"]] == ["person 1"]
    assert found["gallery"].endswith(postgres_gallery.partition("&")[2])
    assert run(["gallery", "check", postgres_gallery]) == 0


def test_a_gallery_that_is_not_there(
    people: Path, postgres_gallery: str, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = str(people / "person 1" / "face.png")
    assert run(["identify", *STUB, "--gallery", postgres_gallery, picture]) == 1
    error = capsys.readouterr().err
    assert "there is no gallery at postgresql://" in error
    assert run(["enroll", *STUB, "--gallery", str(people / "g.db"), str(people)]) == 0
    search = ["identify", *STUB, "--gallery", str(people / "g.db"), "--index", "store"]
    assert run([*search, picture]) == 1
    assert "no search of its own" in capsys.readouterr().err
    unreachable = "postgresql://u:S3cret@127.0.0.1:1/d"
    assert run(["identify", *STUB, "--gallery", unreachable, picture]) == 1
    error = capsys.readouterr().err
    assert "check that the server runs" in error
    assert "S3cret" not in error
