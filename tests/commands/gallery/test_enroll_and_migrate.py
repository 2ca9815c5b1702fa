"""`faceport enroll` from folders and lists, and `faceport gallery migrate`, with real models."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Cli

from faceport.commands import run
from faceport.commands.enroll_list import people_of
from faceport.errors import InputError
from faceport.gallery import Gallery

STUB = ["--detector", "stub", "--embedder", "stub"]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture
def train(photos: Path) -> Path:
    return photos / "identities" / "train"


def counts(path: Path) -> dict[str, int]:
    with Gallery(path, create=False) as gallery:
        return {identity.name: identity.samples for identity in gallery.identities()}


def test_a_list_with_metadata(cli: Cli, train: Path, tmp_path: Path) -> None:
    for name in ("obama.jpg", "obama2.jpg"):
        shutil.copy(train / "obama" / name, tmp_path / name)
    biden = train / "biden" / "biden.jpg"
    rows = [
        "name,image,team,note",
        'Obama,obama.jpg,44,"first, of two"',
        f"Biden,{biden},46,",
        "Obama,obama2.jpg,,",
    ]
    source = tmp_path / "staff.csv"
    # As spreadsheets write it.
    source.write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    path = tmp_path / "g.db"
    result = cli.json("enroll", *STUB, "--gallery", path, source)
    assert [(p["name"], p["added"]) for p in result["identities"]] == [("Obama", 2), ("Biden", 1)]
    with Gallery(path) as gallery:
        assert gallery.identity("Obama").metadata == {"team": "44", "note": "first, of two"}
        assert gallery.identity("Biden").metadata == {"team": "46"}
        assert gallery.samples("Biden")[0].source == str(biden)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name;image\nA;a.jpg", "name,image"),
        ("name,image,name\nA,a.jpg,B", "each once"),
        ("name,image\nA,", "line 2"),
        ("name,image\nA,a.jpg,x", "line 2"),
        ("name,image,team\nA,a.jpg,1\nA,b.jpg,2", "team '2' of A"),
        ("name,image\n", "no rows"),
        ("", "name,image"),
        ('name,image\n"A,a.jpg', "CSV"),
        ("name,image\nunknown,a.jpg", "unknown"),
    ],
)
def test_a_malformed_list_is_refused_before_any_work(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        people_of(tmp_path / "a.csv", None)


def test_what_is_nothing_to_enroll_from(tmp_path: Path, photos: Path) -> None:
    photo = photos / "groups" / "friends_6_faces.jpg"
    for source, name in ((photo, None), (photo, "Ann"), (tmp_path, None)):
        with pytest.raises(InputError):
            people_of(source, name)
    (tmp_path / "a.csv").write_bytes(b"name,image\n\xff,a.jpg")
    for given in (None, "Ann"):
        with pytest.raises(InputError):
            people_of(tmp_path / "a.csv", given)


def test_enroll_and_migrate_from_crops(
    cli: Cli, detectors: dict[str, Path], recognisers: dict[str, Path], train: Path, tmp_path: Path
) -> None:
    detector, path = ["--detector", detectors["scrfd"]], tmp_path / "g.db"
    old, new = ([*detector, "--embedder", recognisers[layout]] for layout in ("flat", "blocks"))
    people = tmp_path / "people"
    shutil.copytree(train, people)
    shutil.copy(people / "biden" / "biden.jpg", people / "obama" / "wrong.jpg")
    result = cli.json("enroll", *old, "--gallery", path, people, "--keep-crops", "--consensus")
    obama = next(p for p in result["identities"] if p["name"] == "obama")
    # Not by its face, since it is Biden's by its bytes.
    assert obama["left_out"][0]["kind"] == "elsewhere"
    assert obama["added"] == 2
    photo = people / "obama" / "obama.jpg"
    for threshold, name in ((0.4, "obama"), (0.999, "unknown")):
        cli("gallery", "calibrate", path, "--threshold", threshold)
        found = cli.json("identify", *old, "--gallery", path, photo)
        assert found["threshold"] == threshold
        assert [face["name"] for face in found["images"][0]["faces"]] == [name]
    found = cli.json("identify", *old, "--gallery", path, photo, "--threshold", 0.4)
    assert [face["name"] for face in found["images"][0]["faces"]] == ["obama"]
    cli("gallery", "migrate", path, *new, code=2)
    assert "--yes" in cli.err
    made = cli.json("gallery", "migrate", path, *new, "--yes")
    assert (made["samples"], made["from_crops"], made["dropped"]) == (9, 9, 0)
    cli("gallery", "migrate", path, *new, "--yes", code=1)
    assert "already" in cli.err
    with Gallery(path) as gallery:
        assert gallery.settings.threshold is None
        assert gallery.check() == []
    named = cli.json("identify", *new, "--gallery", path, photo)
    assert [face["name"] for face in named["images"][0]["faces"]] == ["obama"]


def test_migrate_changes_nothing_where_a_picture_is_missing(
    cli: Cli, detectors: dict[str, Path], recognisers: dict[str, Path], train: Path, tmp_path: Path
) -> None:
    detector, path = ["--detector", detectors["scrfd"]], tmp_path / "g.db"
    old, new = ([*detector, "--embedder", recognisers[layout]] for layout in ("flat", "blocks"))
    people = tmp_path / "people"
    for name in ("alex_lacamoire", "obama"):
        shutil.copytree(train / name, people / name)
    cli("enroll", *old, "--gallery", path, people)
    shutil.rmtree(people / "alex_lacamoire")
    before = cli("gallery", "show", path, "obama", "--json")
    cli("gallery", "migrate", path, *new, "--yes", code=1)
    assert "1 of 3 samples can't be embedded again" in cli.err
    assert "alex_lacamoire" in cli.err
    assert cli("gallery", "show", path, "obama", "--json") == before
    made = cli.json("gallery", "migrate", path, *new, "--yes", "--allow-missing")
    assert (made["samples"], made["dropped"], made["emptied"]) == (2, 1, ["alex_lacamoire"])
    assert made["missing"][0]["name"] == "alex_lacamoire"
    assert counts(path) == {"alex_lacamoire": 0, "obama": 2}


def test_after_ctrl_c_what_was_acknowledged_is_there(photos: Path, tmp_path: Path) -> None:
    pictures = sorted((photos / "pairs").glob("*.jp*g"))
    for number in range(200):
        folder = tmp_path / "people" / f"p{number:03}"
        folder.mkdir(parents=True)
        # Other bytes, the same picture: JPEG readers stop at its end.
        data = pictures[number % len(pictures)].read_bytes()
        (folder / "a.jpg").write_bytes(data + bytes([number % 251, number // 251]))
    path = tmp_path / "g.db"
    command = [sys.executable, "-c", "from faceport.commands import main; main()", "enroll"]
    command += [*STUB, "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--gallery", str(path), str(tmp_path / "people")], stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and path.stat().st_size and len(_there(path)) >= 5:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (line,) = [line for line in err.decode().splitlines() if "identities are done" in line]
    done = int(line.split()[0])
    # The last one may have been written and not yet told.
    assert 4 <= done <= len(counts(path)) < 200
    assert all(samples == 1 for samples in counts(path).values())
    assert run(["enroll", *STUB, "--gallery", str(path), str(tmp_path / "people")]) == 0
    assert counts(path) == {f"p{number:03}": 1 for number in range(200)}


def _there(path: Path) -> dict[str, int]:
    from faceport.errors import GalleryError

    try:
        return counts(path)
    except GalleryError:
        # Its tables are being made.
        return {}
