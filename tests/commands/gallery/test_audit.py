from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from gallery_model import perform, sample

from faceport.commands import run
from faceport.gallery import Gallery


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "g.db"
    with Gallery(path) as gallery:
        perform(gallery, {"do": "enroll", "name": "before", "samples": [9]})
    assert run(["gallery", "audit", str(path), "--on"]) == 0
    with Gallery(path) as gallery:
        perform(gallery, {"do": "enroll", "name": "ann", "samples": [1, 2]})
        perform(gallery, {"do": "enroll", "name": "eve", "samples": [3]})
        gallery.search([sample(1).embedding, sample(77).embedding], threshold=0.5)
        perform(gallery, {"do": "rename", "name": "ann", "to": "zoe"})
        perform(gallery, {"do": "merge", "name": "eve", "to": "zoe"})
        perform(gallery, {"do": "delete", "name": "zoe"})
    return path


def shown(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    capsys.readouterr()
    assert run(["gallery", "audit", str(path), "--json", *options]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_everything_since_it_is_on_is_shown(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gallery", "export", str(path), "--output", str(tmp_path / "out")]) == 0
    found = shown(path, capsys)
    actions = [e["action"] for e in found["entries"]]  # type: ignore[union-attr, attr-defined]
    assert actions == [
        "settings",
        "enroll",
        "enroll",
        "identify",
        "rename",
        "merge",
        "delete",
        "export",
    ]
    assert found["problems"] == []
    details = [e["details"] for e in found["entries"]]  # type: ignore[union-attr, attr-defined]
    assert details[1] == {"name": "ann", "samples": 2}
    faces = details[3]["faces"]
    assert faces[0]["name"] == "ann"
    assert faces[0]["threshold"] == 0.5
    assert faces[1]["name"] == "unknown"
    assert faces[1]["nearest"] in {"ann", "eve", "before"}
    assert details[4] == {"name": "ann", "new": "zoe"}
    assert details[6] == {"name": "zoe"}
    newest = shown(path, capsys, "--last", "2")["entries"]
    assert [e["number"] for e in newest] == [7, 8]  # type: ignore[attr-defined]


def test_off_is_the_last_entry(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(path, capsys, "--off")
    assert found["audit"] is False
    with Gallery(path) as gallery:
        perform(gallery, {"do": "enroll", "name": "later", "samples": [5]})
    assert shown(path, capsys)["last_hash"] == found["last_hash"]


def test_a_cut_log_is_told(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER audit_is_not_deleted")
        connection.execute("DELETE FROM audit WHERE number = 3")
        connection.commit()
    assert run(["gallery", "audit", str(path)]) == 1
    assert "entry 4 follows 2" in capsys.readouterr().err
    assert run(["gallery", "check", str(path)]) == 1


def test_a_search_that_cannot_be_written_down_gives_no_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceport.errors import GalleryError

    with Gallery(path) as gallery:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE audit")
        with pytest.raises(GalleryError):
            gallery.search([sample(1).embedding])


def test_an_encrypted_gallery_from_enrolment_to_the_log(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, key, path = tmp_path / "people", tmp_path / "gallery.key", tmp_path / "g.db"
    (people / "Zacharias").mkdir(parents=True)
    picture = people / "Zacharias" / "one.jpg"
    shutil.copy(photos / "pairs" / "adaface_1.jpeg", picture)
    key.write_text(bytes(range(32)).hex())
    stub = ["--detector", "stub", "--embedder", "stub", "--gallery", str(path)]
    with_key = ["--key-file", str(key)]
    assert run(["enroll", *stub, *with_key, "--audit", str(people)]) == 0
    assert run(["identify", *stub, *with_key, str(picture)]) == 0
    found = shown(path, capsys, *with_key)
    actions = [e["action"] for e in found["entries"]]  # type: ignore[union-attr, attr-defined]
    assert actions == ["settings", "enroll", "identify"]
    assert not any(b"Zacharias" in file.read_bytes() for file in tmp_path.glob("g.db*"))
    assert run(["gallery", "list", str(path)]) == 1
    assert "FACEPORT_GALLERY_KEY" in capsys.readouterr().err
