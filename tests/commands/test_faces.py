"""The commands over the runtime, on real models and photographs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Cli

from faceport import Pipeline
from faceport.gallery import Gallery
from faceport.images import load_image


@pytest.fixture
def models(detectors: dict[str, Path], recognisers: dict[str, Path]) -> list[str]:
    return ["--detector", str(detectors["scrfd"]), "--embedder", str(recognisers["flat"])]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture
def friends(photos: Path) -> Path:
    return photos / "groups" / "friends_6_faces.jpg"


@pytest.fixture
def gallery(cli: Cli, models: list[str], photos: Path, tmp_path: Path) -> Path:
    path = tmp_path / "g.db"
    cli("enroll", *models, "--gallery", path, photos / "identities" / "train")
    return path


def test_detect(cli: Cli, models: list[str], friends: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jpg"
    result = cli.json("detect", *models[:2], friends, "--save-image", target)
    (record,) = result["images"]
    assert len(record["faces"]) == 6
    assert len(record["faces"][0]["landmarks"]) == 5
    assert result["detector"]["provider"] == "onnxruntime/cpu"
    drawn, original = load_image(target), load_image(friends)
    assert drawn.pixels.shape == original.pixels.shape
    assert np.abs(drawn.pixels.astype(int) - original.pixels).max() > 100
    assert "6 faces in 1 pictures" in cli("detect", *models[:2], friends)


def test_embed_gives_what_the_library_gives(cli: Cli, models: list[str], friends: Path) -> None:
    result = cli.json("embed", *models, friends)
    with Pipeline.load(models[1], models[3]) as pipeline:
        faces = pipeline(friends)
    (record,) = result["images"]
    vectors = np.array([face["embedding"]["vector"] for face in record["faces"]])
    assert vectors == pytest.approx(np.stack([f.embedding.vector for f in faces]), abs=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert result["embedder"]["fingerprint"] == faces[0].embedding.fingerprint
    assert not result["embedder"]["is_stub"]


def test_an_unreadable_file_is_named_and_the_others_go_on(
    cli: Cli, models: list[str], friends: Path, tmp_path: Path
) -> None:
    shutil.copy(friends, tmp_path / "b.jpg")
    (tmp_path / "a.jpg").write_bytes(friends.read_bytes()[:5000])
    (tmp_path / "c.jpg").write_bytes(b"")
    for command in (["embed", *models], ["detect", *models[:2]]):
        result = cli.json(*command, tmp_path, code=1)
        assert [len(record["faces"]) for record in result["images"]] == [0, 6, 0]
        assert [bool(record["error"]) for record in result["images"]] == [True, False, True]
        assert "a.jpg" in cli.err
        assert "2 of 3 pictures failed" in cli.err


@pytest.mark.parametrize("command", ["embed", "detect"])
def test_a_folder_without_pictures(
    cli: Cli, models: list[str], tmp_path: Path, command: str
) -> None:
    cli(command, *(models if command == "embed" else models[:2]), tmp_path, code=1)
    assert "no pictures" in cli.err


def test_compare(cli: Cli, models: list[str], photos: Path, tmp_path: Path) -> None:
    pairs = photos / "pairs"
    same = cli.json("compare", *models, pairs / "clapton-1.jpg", pairs / "clapton-2.jpg")
    other = cli.json("compare", *models, pairs / "clapton-1.jpg", pairs / "lennon-1.jpg")
    assert same["same"]
    assert not other["same"]
    assert same["score"] > 0.5
    assert other["score"] < 0.2
    assert "same person" in cli(
        "compare", *models, pairs / "clapton-1.jpg", pairs / "clapton-2.jpg"
    )
    from PIL import Image

    Image.new("RGB", (200, 200)).save(tmp_path / "black.png")
    cli("compare", *models, pairs / "clapton-1.jpg", tmp_path / "black.png", code=1)
    assert "no face was found" in cli.err


def test_identify(cli: Cli, models: list[str], gallery: Path, photos: Path, tmp_path: Path) -> None:
    photo = photos / "identities" / "test" / "obama_and_biden.jpg"
    target = tmp_path / "named.png"
    result = cli.json(
        "identify", *models, "--gallery", gallery, photo, "--save-image", target, "--top-k", 2
    )
    (record,) = result["images"]
    names = {face["name"] for face in record["faces"]}
    assert {"obama", "biden"} <= names <= {"obama", "biden", "unknown"}
    assert all(len(face["matches"]) == 2 for face in record["faces"])
    assert target.stat().st_size > 10_000
    table = cli("identify", *models, "--gallery", gallery, photo)
    assert "obama" in table


def test_enroll_again_adds_nothing(
    cli: Cli, models: list[str], gallery: Path, photos: Path
) -> None:
    train = photos / "identities" / "train"
    result = cli.json("enroll", *models, "--gallery", gallery, train)
    assert [person["added"] for person in result["identities"]] == [0] * 5
    assert sum(person["already_there"] for person in result["identities"]) == 9


def test_enroll_leaves_out_pictures_of_several_faces_and_says_so(
    cli: Cli, models: list[str], friends: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    (people / "friends").mkdir(parents=True)
    shutil.copy(friends, people / "friends")
    path = tmp_path / "g.db"
    result = cli.json("enroll", *models, "--gallery", path, people)
    assert "6 faces" in result["identities"][0]["skipped"][0]
    assert "6 faces" in cli.err
    with Gallery(path) as gallery:
        assert gallery.identities() == []
    cli("enroll", *models, "--gallery", path, people, "--largest")
    cli("enroll", *models, "--gallery", path, people / "friends", "--name", "Joey", "--largest")
    assert "the same picture is of 'friends'" in cli.err
    with Gallery(path) as gallery:
        assert [i.name for i in gallery.identities()] == ["friends"]


def test_one_bad_folder_does_not_stop_an_enrolment(
    cli: Cli, models: list[str], photos: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    shutil.copytree(photos / "identities" / "train" / "obama", people / "obama")
    (people / "empty").mkdir()
    result = cli.json("enroll", *models, "--gallery", tmp_path / "g.db", people)
    assert {p["name"]: p["added"] for p in result["identities"]} == {"obama": 2, "empty": 0}
    assert "empty" in cli.err
    (people / "unknown").mkdir()
    cli("enroll", *models, "--gallery", tmp_path / "h.db", people, code=1)
    assert "not 'unknown'" in cli.err
    assert not (tmp_path / "h.db").exists()


def test_a_stub_and_a_model_are_not_enrolled_together(
    cli: Cli, models: list[str], photos: Path, tmp_path: Path
) -> None:
    mixed = ["--detector", "stub", *models[2:]]
    train = photos / "identities" / "train"
    cli("enroll", *mixed, "--gallery", tmp_path / "g.db", train, code=1)
    assert "stub" in cli.err
    cli("embed", *mixed, photos / "groups" / "friends_6_faces.jpg")
    assert "whole picture" in cli.err


def test_a_photograph_is_not_drawn_over(
    cli: Cli, models: list[str], friends: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "mine.jpg"
    shutil.copy(friends, photo)
    cli("detect", *models[:2], photo, "--save-image", photo, code=1)
    assert photo.read_bytes() == friends.read_bytes()


def test_a_gallery_of_another_embedder_is_refused(
    cli: Cli,
    models: list[str],
    gallery: Path,
    recognisers: dict[str, Path],
    photos: Path,
) -> None:
    other = [*models[:3], str(recognisers["blocks"])]
    photo = photos / "identities" / "test" / "obama1.jpg"
    for command in (
        ["identify", *other, "--gallery", gallery, photo],
        ["enroll", *other, "--gallery", gallery, photos / "identities" / "train"],
        ["identify", *models[:2], "--embedder", "stub", "--gallery", gallery, photo],
    ):
        cli(*command, code=1)
        assert "another embedder" in cli.err


def test_the_stub_says_what_it_is(cli: Cli, friends: Path) -> None:
    stub = ["--detector", "stub", "--embedder", "stub"]
    first, again = (cli.json("embed", *stub, friends) for _ in range(2))
    assert first == again
    assert first["embedder"]["is_stub"]
    assert first["images"][0]["faces"][0]["embedding"]["is_stub"]
    assert "stub" in cli.err


@pytest.mark.parametrize(
    ("swap", "message"),
    [
        ({1: 3}, "no detector"),
        ({3: 1}, "no embedder"),
    ],
)
def test_models_in_each_others_place(
    cli: Cli, models: list[str], friends: Path, swap: dict[int, int], message: str
) -> None:
    mixed = [models[swap.get(i, i)] for i in range(4)]
    cli("embed", *mixed, friends, code=1)
    assert message in cli.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--max-pixels", "1000"], 1, "too many pixels"),
        (["--providers", "tpu"], 2, "not one of"),
        (["--score-threshold", "2"], 2, "range"),
        (["--threads", "0"], 2, "range"),
    ],
)
def test_wrong_options(
    cli: Cli, models: list[str], friends: Path, args: list[str], code: int, message: str
) -> None:
    cli("embed", *models, friends, *args, code=code)
    assert message in cli.err


def test_identify_without_a_gallery(
    cli: Cli, models: list[str], friends: Path, tmp_path: Path
) -> None:
    cli("identify", *models, "--gallery", tmp_path / "none.db", friends, code=1)
    assert "no gallery" in cli.err


def test_detection_options_hold(cli: Cli, models: list[str], friends: Path) -> None:
    few = cli.json("detect", *models[:2], friends, "--max-faces", 2)
    large = cli.json("detect", *models[:2], friends, "--min-size", 120)
    none = cli.json("detect", *models[:2], friends, "--score-threshold", 1)
    assert len(few["images"][0]["faces"]) == 2
    assert len(none["images"][0]["faces"]) == 0
    for face in large["images"][0]["faces"]:
        x1, y1, x2, y2 = face["bbox"]
        assert min(x2 - x1, y2 - y1) >= 119
