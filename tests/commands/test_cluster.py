"""`faceport dedupe` and `faceport cluster` over data sets of real photographs."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from faceport.commands import run


def made(source: Path, output: Path, detector: object, embedder: object) -> Path:
    models = ["--detector", str(detector), "--embedder", str(embedder)]
    more = ["--output", str(output), "--shard-size", "5", "--workers", "1"]
    assert run(["embed-dataset", str(source), *models, *more]) == 0
    return output


@pytest.fixture(scope="module")
def copies(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs, each of them twice."""
    folder = tmp_path_factory.mktemp("copies")
    for number, path in enumerate(sorted((photos / "pairs").glob("*.jp*g"))[:6] * 2):
        (folder / f"{number:02}{path.suffix}").symlink_to(path)
    return made(folder, tmp_path_factory.mktemp("data") / "faces", "stub", "stub")


def test_copies_are_found_and_one_is_kept(copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["dedupe", str(copies), "--json"]) == 0
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    counts = [said[name] for name in ("faces", "clusters", "repeated", "extra")]
    assert counts == [12, 6, 6, 6]
    assert "never for identities" in captured.err
    rows = pq.read_table(said["output"]).to_pylist()
    assert Path(said["output"]) == copies / "_duplicates.parquet"
    assert [row["cluster"] for row in rows] == [*range(6), *range(6)]
    assert [row["best"] for row in rows] == [True] * 6 + [False] * 6
    assert run(["dedupe", str(copies)]) == 0
    assert "beyond the best" in capsys.readouterr().out
    # What was written is no part of the data set.
    assert len(pq.ParquetDataset(copies).read()) == 12


def test_faces_are_grouped_by_person(
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = made(
        photos / "identities", tmp_path / "faces", detectors["scrfd"], recognisers["flat"]
    )
    target = tmp_path / "people.parquet"
    command = ["cluster", str(output), "--threshold", "0.35", "--output", str(target)]
    assert run([*command, "--memory", "100"]) == 0
    assert "its best face is in" in capsys.readouterr().out
    clusters: dict[int, set[str]] = {}
    for row in pq.read_table(target).to_pylist():
        where = Path(row["source"])
        name = where.stem if where.parent.name == "test" else where.parent.name
        clusters.setdefault(row["cluster"], set()).add(f"{name} {row['face']}")
    # A stranger is in the picture of two presidents.
    assert sorted(map(sorted, clusters.values())) == [
        ["alex_lacamoire 0", "alex_lacamoire1 0"],
        ["biden 0", "obama_and_biden 0"],
        ["johnsnow_test1 0", "kit_harington 0", "kit_with_rose 1"],
        ["kit_with_rose 0", "rose_leslie 0"],
        ["obama 0", "obama1 0", "obama_and_biden 1"],
        ["obama_and_biden 2"],
    ]


def test_what_cannot_be_done_is_said(copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cluster", str(copies)]) == 2
    assert run(["dedupe", str(copies), "--memory", "1"]) == 1
    assert "the memory is too small for 12 vectors" in capsys.readouterr().err
    assert run(["dedupe", str(copies.parent)]) == 1
    assert "is no data set of faces" in capsys.readouterr().err
    part = copies / "part-000001.parquet"
    kept = part.read_bytes()
    part.unlink()
    try:
        assert run(["dedupe", str(copies)]) == 1
        assert "received 2 shards; expected 3" in capsys.readouterr().err
    finally:
        part.write_bytes(kept)


@pytest.mark.parametrize("name", ["part-000000.parquet", "_dataset.json", "_plan.parquet"])
def test_a_file_of_the_data_set_is_not_written_over(
    copies: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (copies / name).read_bytes()
    assert run(["dedupe", str(copies), "--output", str(copies / name)]) == 1
    assert "is a part of the data set" in capsys.readouterr().err
    assert (copies / name).read_bytes() == before
