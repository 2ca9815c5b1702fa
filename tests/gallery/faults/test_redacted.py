"""A redacted export says nothing of who the people are, but for the vectors themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_model import sample

from faceport.commands import run
from faceport.gallery import Gallery
from faceport.gallery.types import Sample

NAME, SOURCE, NOTE = "Zacharias Unmistakable", "holiday/where-he-stood.jpg", "likes-medlars"
CROP = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@pytest.mark.parametrize("output", ["out", "out.parquet"])
def test_only_vectors_are_left(tmp_path: Path, output: str) -> None:
    face = sample(1)
    with Gallery.open(tmp_path / "g.db") as gallery:
        gallery.change_settings(keep_crops=True, audit=True)
        faces = [Sample(face.embedding, SOURCE, face.image_hash, CROP)]
        gallery.enroll(NAME, faces, metadata={"note": NOTE})
        for number in range(2, 9):
            gallery.enroll(f"p{number}", [sample(number)])
    (tmp_path / "export").mkdir()
    target = tmp_path / "export" / output
    command = ["gallery", "export", str(tmp_path / "g.db"), "--output", str(target)]
    assert run([*command, "--redact"]) == 0
    data = [file.read_bytes() for file in target.parent.rglob("*") if file.is_file()]
    for secret in (NAME, SOURCE, NOTE, face.image_hash):
        assert not any(secret.encode() in part for part in data), secret
    assert not any(CROP[8:] in part for part in data)
    assert not any(b"Zacharias" in part for part in data)
    assert run(["gallery", "import", str(tmp_path / "other.db"), str(target)]) == 0
    with Gallery.open(tmp_path / "other.db") as gallery:
        (answer,) = gallery.search([face.embedding], against="samples")
        assert answer.matches[0].score == pytest.approx(1, abs=1e-6)
        assert answer.name.startswith("person-")
        assert all(not s.has_crop for i in gallery.identities() for s in gallery.samples(i.name))
