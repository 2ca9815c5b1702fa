"""`faceport gallery …`, on galleries of made-up vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from command_line import Cli

from faceport.commands.gallery import SUBCOMMANDS, options
from faceport.gallery import Gallery, Sample
from faceport.runtime.types import Embedding


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys, "gallery")


def sample(vector: Sequence[float] | np.ndarray, source: str) -> Sample:
    unit = np.asarray(vector, np.float64)
    unit = (unit / np.linalg.norm(unit)).astype(np.float32)
    return Sample(Embedding(unit, 20.0, "f" * 64, "test/cpu"), source)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ann and Bob are apart; Eve is Ann under another name, on her second picture."""
    path = tmp_path / "g.db"
    with Gallery(path) as gallery:
        gallery.enroll(
            "Ann",
            [sample([1, 0, 0], "ann1.jpg"), sample([1, 0.5, 0], "ann2.jpg")],
            metadata={"team": "blue"},
        )
        gallery.enroll("Bob", [sample([0, 0, 1], "bob1.jpg")])
        gallery.enroll(
            "Eve", [sample([0, 1, 0.2], "eve1.jpg"), sample([0.98, 0.52, 0], "eve2.jpg")]
        )
    return path


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    path = tmp_path / "crowd.db"
    rng = np.random.default_rng(0)
    with Gallery(path) as gallery:
        for i in range(40):
            gallery.enroll(f"p{i}", [sample(rng.normal(size=16), f"{i}.jpg")])
    return path


def names(path: Path) -> dict[str, int]:
    with Gallery(path, create=False) as gallery:
        return {identity.name: identity.samples for identity in gallery.identities()}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_with_examples(name: str, cli: Cli) -> None:
    text = cli(name, "--help")
    assert f"faceport gallery {name} " in text.split("Examples:")[1]
    assert "--json" in text


def test_an_unknown_subcommand_lists_the_known_ones(cli: Cli) -> None:
    cli("lst", code=2)
    assert "list, show, stats" in " ".join(cli.err.split())


def test_list(path: Path, cli: Cli) -> None:
    found = cli.json("list", path)
    assert [(i["name"], i["samples"]) for i in found["identities"]] == [
        ("Ann", 2),
        ("Bob", 1),
        ("Eve", 2),
    ]
    assert found["identities"][0]["metadata"] == {"team": "blue"}
    assert "team=blue" in cli("list", path)
    assert [i["name"] for i in cli.json("list", path, "--match", "EV")["identities"]] == ["Eve"]


def test_show(path: Path, cli: Cli) -> None:
    found = cli.json("show", path, "Ann")
    assert [s["source"] for s in found["samples"]] == ["ann1.jpg", "ann2.jpg"]
    assert "ann2.jpg" in cli("show", path, "Ann")
    cli("show", path, "Nobody", code=1)
    assert "Nobody" in cli.err


def test_a_gallery_that_is_not_there_is_not_made(tmp_path: Path, cli: Cli) -> None:
    for name in ("list", "stats", "check", "duplicates"):
        cli(name, tmp_path / "no.db", code=1)
    cli("export", tmp_path / "no.db", "--output", tmp_path / "x", code=1)
    assert list(tmp_path.iterdir()) == []


def test_stats_and_check(path: Path, cli: Cli) -> None:
    found = cli.json("stats", path)
    assert (found["identities"], found["samples"]) == (3, 5)
    assert "settings threshold" in cli("stats", path)
    assert cli.json("check", path)["problems"] == []
    assert "is sound" in cli("check", path)


def test_settings(path: Path, cli: Cli) -> None:
    assert cli.json("settings", path)["settings"]["fusion"] == "mean"
    given = ("--fusion", "norm", "--min-norm", 12, "--vector-type", "float16", "--keep-crops")
    found = cli.json("settings", path, *given)["settings"]
    assert (found["fusion"], found["min_norm"], found["vector_type"]) == ("norm", 12, "float16")
    assert (found["keep_crops"], found["audit"]) == (True, False)
    assert cli.json("settings", path, "--no-keep-crops")["settings"]["keep_crops"] is False
    assert "float16" in cli("settings", path)
    assert cli.json("check", path)["problems"] == []


def test_check_ends_with_1_where_something_is_wrong(path: Path, cli: Cli) -> None:
    import sqlite3

    data = path.read_bytes()
    assert data
    connection = sqlite3.connect(path)
    with connection:
        (table,) = (
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            if name in ("samples", "embeddings")
        )
        connection.execute(
            f"UPDATE {table} SET vector = zeroblob(12) WHERE id IN (SELECT min(id) FROM {table})"
        )
    connection.close()
    assert cli.json("check", path, code=1)["problems"]
    assert "problems" in cli("check", path, code=1)


def test_rename_merge_and_delete(path: Path, cli: Cli) -> None:
    assert cli.json("rename", path, "Bob", "Bob Lee")["samples"] == 1
    assert "Ann" in names(path)
    cli("rename", path, "Ann", "Eve", code=1)
    assert cli.json("merge", path, "Eve", "Ann", "--yes")["samples"] == 4
    assert names(path) == {"Ann": 4, "Bob Lee": 1}
    cli("merge", path, "Nobody", "Ann", "--yes", code=1)
    ids = [s["id"] for s in cli.json("show", path, "Ann")["samples"]]
    assert cli.json("delete", path, "Ann", "--sample", ids[0], "--yes")["samples_removed"] == 1
    other = cli.json("show", path, "Bob Lee")["samples"][0]["id"]
    cli("delete", path, "Ann", "--sample", other, "--yes", code=1)
    assert names(path) == {"Ann": 3, "Bob Lee": 1}
    assert "removed Ann (3 samples)" in cli("delete", path, "Ann", "--yes")
    assert names(path) == {"Bob Lee": 1}
    assert cli.json("check", path)["problems"] == []


@pytest.mark.parametrize("command", [["delete", "Ann"], ["merge", "Eve", "Ann"]])
def test_what_cant_be_undone_is_asked_for(
    command: list[str], path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (command[0], path, *command[1:])
    cli(*arguments, code=2)
    assert "--yes" in cli.err
    before = names(path)
    monkeypatch.setattr(options.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: "n")
    cli(*arguments, code=130)
    assert names(path) == before
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: "y")
    cli(*arguments)
    assert names(path) != before


def test_duplicates(path: Path, cli: Cli) -> None:
    found = cli.json("duplicates", path, "--against", "samples", "--threshold", 0.99)
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"]) == ("Ann", "Eve")
    assert (pair["first_source"], pair["second_source"]) == ("ann2.jpg", "eve2.jpg")
    assert pair["score"] == pair["nearest_samples"] > 0.99
    assert cli.json("duplicates", path, "--threshold", 0.99)["pairs"] == []
    assert "eve2.jpg" in cli("duplicates", path, "--threshold", 0.3)
    few = cli.json("duplicates", path, "--threshold", -1, "--limit", 2)
    assert (len(few["pairs"]), few["more"]) == (2, True)
    with Gallery(path) as gallery:
        gallery.change_settings(threshold=0.9)
    assert cli.json("duplicates", path)["threshold"] == 0.9


@pytest.mark.parametrize("against", ["templates", "samples"])
def test_calibrate(against: str, crowd: Path, cli: Cli) -> None:
    dry = cli.json("calibrate", crowd, "--far", 0.05, "--against", against, "--dry-run")
    with Gallery(crowd) as gallery:
        assert gallery.settings.threshold is None
        vectors = gallery.vectors("samples").matrix.astype(np.float64)
    found = cli.json("calibrate", crowd, "--far", 0.05, "--against", against)
    assert found["threshold"] == dry["threshold"]
    scores = (vectors @ vectors.T)[np.triu_indices(40, 1)]
    assert (scores >= found["threshold"]).sum() == 39 == found["calibration"]["false_accepts"]
    with Gallery(crowd) as gallery:
        assert gallery.settings.threshold == found["threshold"]
        origin = gallery.settings.threshold_origin
        assert origin is not None
        assert (origin.target_far, origin.impostor_pairs) == (0.05, 780)
    assert cli.json("calibrate", crowd, "--threshold", 0.5)["before"] == found["threshold"]
    with Gallery(crowd) as gallery:
        assert gallery.settings.threshold == 0.5
        assert gallery.settings.threshold_origin is None
    assert "780 of 780" in cli("calibrate", crowd, "--far", 0.1)


def test_calibrate_refuses_what_the_pairs_cant_support(crowd: Path, path: Path, cli: Cli) -> None:
    cli("calibrate", crowd, "--far", 1e-3, code=1)
    assert "rule of 30" in cli.err
    assert "30000" in cli.err
    with Gallery(crowd) as gallery:
        assert gallery.settings.threshold is None
    cli("calibrate", crowd, code=2)
    cli("calibrate", crowd, "--far", 0.1, "--threshold", 0.4, code=2)


def test_one_person_under_two_names_is_suspected(crowd: Path, cli: Cli) -> None:
    with Gallery(crowd) as gallery:
        (first,) = gallery.samples("p0")
        gallery.enroll("again", [sample(first.vector.astype(np.float64) + 0.01, "x.jpg")])
    cli("calibrate", crowd, "--far", 0.1)
    assert "faceport gallery duplicates" in cli.err


@pytest.mark.parametrize("target", ["people.parquet", "people"])
def test_export_and_import(target: str, path: Path, tmp_path: Path, cli: Cli) -> None:
    file, copy = tmp_path / target, tmp_path / "copy.db"
    with Gallery(path) as gallery:
        gallery.change_settings(threshold=0.45)
        expected = {n: [s.vector for s in gallery.samples(n)] for n in names(path)}
    assert cli.json("export", path, "--output", file)["samples"] == 5
    assert cli.json("import", copy, file)["added"] == 5
    with Gallery(copy) as gallery:
        assert gallery.settings.threshold == 0.45
        assert gallery.identity("Ann").metadata == {"team": "blue"}
        assert [s.source for s in gallery.samples("Eve")] == ["eve1.jpg", "eve2.jpg"]
        for name, vectors in expected.items():
            found = [s.vector for s in gallery.samples(name)]
            np.testing.assert_allclose(found, vectors, atol=1e-7)
    assert cli.json("import", copy, file)["already_there"] == 5
    assert cli.json("check", copy)["problems"] == []


def test_an_import_of_another_embedder_changes_nothing(
    path: Path, tmp_path: Path, cli: Cli
) -> None:
    other = tmp_path / "other.db"
    with Gallery(other) as gallery:
        vector = np.eye(3, dtype=np.float32)[0]
        gallery.enroll("Zoe", [Sample(Embedding(vector, 1.0, "a" * 64, "test/cpu"), "z.jpg")])
    cli("export", path, "--output", tmp_path / "people")
    cli("import", other, tmp_path / "people", code=1)
    assert "another embedder" in cli.err
    assert names(other) == {"Zoe": 1}


def test_a_redacted_export_finds_the_same_people(path: Path, tmp_path: Path, cli: Cli) -> None:
    file, copy = tmp_path / "people.parquet", tmp_path / "copy.db"
    assert cli.json("export", path, "--output", file, "--redact")["redacted"] is True
    for secret in (b"Ann", b"ann1.jpg", b"blue"):
        assert secret not in file.read_bytes()
    cli("import", copy, file)
    with Gallery(copy) as gallery:
        (answer,) = gallery.search([sample([1, 0.2, 0], "").embedding])
    assert answer.matches[0].name.startswith("person-")
    assert sorted(names(copy).values()) == [1, 2, 2]


def test_an_export_is_in_the_audit_log(path: Path, tmp_path: Path, cli: Cli) -> None:
    for audit, actions in ((False, []), (True, ["export"])):
        with Gallery(path) as gallery:
            gallery.change_settings(audit=audit)
            store = gallery.store
            cli("export", path, "--output", tmp_path / "people")
            with store.snapshot() as reader:
                found = [row.action for row in reader.audit() if row.action != "settings"]
        assert found == actions


def test_a_snapshot_is_searched_and_not_written_to(path: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "people.snapshot"
    assert cli.json("snapshot", path, "--output", folder)["samples"] == 5
    assert [i["name"] for i in cli.json("list", folder)["identities"]] == ["Ann", "Bob", "Eve"]
    cli("delete", folder, "Ann", "--yes", code=1)
    assert "5 samples" in cli("snapshot", path, "--output", folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.txt").touch()
    cli("snapshot", path, "--output", tmp_path / "mine", code=1)


def test_an_export_of_nobody(tmp_path: Path, cli: Cli) -> None:
    Gallery(tmp_path / "g.db").close()
    cli("export", tmp_path / "g.db", "--output", tmp_path / "people", code=1)
    assert "nobody to export" in cli.err
    assert not (tmp_path / "people").exists()


def test_a_sealed_gallery_whose_key_is_in_the_environment_is_snapshot(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPORT_GALLERY_KEY", "ab" * 32)
    with Gallery(tmp_path / "g.db", key=b"\xab" * 32) as gallery:
        gallery.enroll("Ann", [sample([1, 0, 0], "ann.jpg")])
    written = cli("snapshot", tmp_path / "g.db", "--output", tmp_path / "snapshot")
    assert "1 identities, 1 samples" in written


def test_a_folder_or_a_name_that_is_wrong_is_answered_with_what_to_do(
    path: Path, tmp_path: Path, cli: Cli
) -> None:
    cli("list", tmp_path, code=1)
    assert "received snapshot.json: No such file" in cli.err
    assert "give a gallery's file" in cli.err
    cli("show", path, "Nobody", code=1)
    assert "faceport gallery list" in cli.err
