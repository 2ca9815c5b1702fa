"""A data set is what the pipeline gives, and is gone on with only as it was begun."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from faceport.datasets.info import part_path, read_info
from faceport.datasets.rows import METADATA
from faceport.datasets.run import Run, embed_shards, prepared
from faceport.errors import DatasetError, FaceportError, InputError
from faceport.runtime.pipeline import Pipeline

STUB = {"detector": "stub", "embedder": "stub"}


def embedded(source: object, folder: Path, models: dict[str, Any], **options: Any) -> Run:
    with prepared([str(source)], folder, models, **options) as run:
        for _ in embed_shards(run, "local", 1):
            pass
    return run


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.ParquetDataset(folder).read().to_pylist()
    return rows


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local engine without its processes, which tests of their own look at."""
    from faceport.datasets import run
    from faceport.datasets.job import Done, Job, ShardEmbedder

    def engine(job: Job, numbers: tuple[int, ...], workers: int) -> Iterator[Done]:
        embedder = ShardEmbedder(job)
        for number in numbers:
            yield embedder.embed(number)

    monkeypatch.setattr(run, "run_local", engine)


@pytest.mark.parametrize("kind", ["folder", "tar", "parquet"])
@pytest.mark.usefixtures("in_this_process")
def test_every_source_gives_what_the_pipeline_gives(
    kind: str,
    archive: Path,
    pictures: list[Path],
    tar: Path,
    parquet: Path,
    detectors: dict[str, Path],
    recognisers: dict[str, Path],
    tmp_path: Path,
) -> None:
    models = {"detector": str(detectors["scrfd"]), "embedder": str(recognisers["flat"])}
    source = {"folder": archive, "tar": tar, "parquet": parquet}[kind]
    embedded(source, tmp_path / "out", models, shard_size=5)
    rows = rows_of(tmp_path / "out")
    with Pipeline.load(**models) as pipeline:
        results = list(pipeline.process_each(pictures))
    if kind == "parquet":
        assert [r["error"] for r in rows if r["source"] == f"{parquet}#3"] == [
            f"{parquet}#3 could not be read: the row is empty"
        ]
        rows = [row for row in rows if row["source"] != f"{parquet}#3"]
    expected = [face for result in results for face in result.faces or (None,)]
    assert len(rows) == len(expected)
    for row, face in zip(rows, expected, strict=True):
        assert (row["face"] is None) == (face is None)
        if face is not None:
            np.testing.assert_allclose(row["embedding"], face.embedding.vector, atol=1e-5)
            np.testing.assert_allclose(row["x1"], face.detection.bbox[0], atol=1e-2)
    failed = [row for row in rows if row["error"] is not None]
    assert len(failed) == sum(result.error is not None for result in results) == 1
    assert "is not a readable picture" in failed[0]["error"]
    assert sum(row["face"] is None for row in rows) == 2


@pytest.mark.usefixtures("in_this_process")
def test_a_data_set_says_what_made_it(archive: Path, tmp_path: Path) -> None:
    run = embedded(archive, tmp_path / "out", STUB, shard_size=4)
    info = read_info(tmp_path / "out")
    assert info == run.info
    assert (info.pictures, info.shards, info.is_stub) == (14, 4, True)
    metadata = pq.read_schema(part_path(tmp_path / "out", 0)).metadata[METADATA]
    assert info.fingerprint.encode() in metadata
    assert b'"flip": false' in metadata


@pytest.mark.usefixtures("in_this_process")
def test_only_missing_shards_are_done_again(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    embedded(archive, folder, STUB, shard_size=4)
    parts = [part_path(folder, number) for number in range(4)]
    before = [part.read_bytes() for part in parts]
    parts[2].unlink()
    stamps = [part.stat().st_mtime_ns for part in parts if part.exists()]
    (folder / ".part-000002.parquet.x").write_bytes(b"torn")
    run = embedded(archive, folder, STUB, shard_size=4)
    assert run.missing == (2,)
    assert [part.read_bytes() for part in parts] == before
    assert [p.stat().st_mtime_ns for n, p in enumerate(parts) if n != 2] == stamps
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []
    assert embedded(archive, folder, STUB, shard_size=4).missing == ()


@pytest.mark.usefixtures("in_this_process")
def test_another_run_is_refused_and_changes_nothing(
    archive: Path, tmp_path: Path, recognisers: dict[str, Path]
) -> None:
    folder, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    for path in archive.glob("a/*"):
        (other / path.name).symlink_to(path)
    embedded(other, folder, STUB, shard_size=4)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    models = {**STUB, "embedder": str(recognisers["blocks"])}
    refused: list[tuple[Path, dict[str, Any], dict[str, Any], str]] = [
        (other, STUB, {"shard_size": 5}, "received .*shard_size=5"),
        (other, STUB, {"shard_size": 4, "flip": True}, "received flip=True; expected flip=False"),
        (other, models, {"shard_size": 4}, "received dim=128, fingerprint="),
        (archive, STUB, {"shard_size": 4}, "its source has changed"),
    ]
    for source, chosen, options, message in refused:
        with pytest.raises(DatasetError, match=message):
            embedded(source, folder, chosen, **options)
    (other / "new.jpg").symlink_to(archive / "a" / "bad.jpg")
    with pytest.raises(DatasetError, match="digest"):
        embedded(other, folder, STUB, shard_size=4)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_of_something_else_is_left_alone(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"not empty; received letter\.txt"):
        embedded(archive, tmp_path, STUB)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="can't be made"):
        embedded(archive, tmp_path / "file", STUB)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        embedded(tmp_path / "bare", tmp_path / "out", STUB)
    assert list((tmp_path / "out").iterdir()) == []


def test_two_runs_do_not_write_one_data_set(archive: Path, tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="is being written by another process"):
            embedded(archive, tmp_path, STUB)
    finally:
        os.close(handle)


def test_models_that_do_not_load_are_told_before_anything_is_made(
    archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(FaceportError, match="nowhere"):
        embedded(archive, tmp_path / "out", {"detector": "stub", "embedder": "/nowhere"})
    assert not (tmp_path / "out").exists()


def test_a_data_set_among_its_own_pictures_is_refused(archive: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(archive / "a", source)
    with (
        pytest.raises(InputError, match="among its own pictures"),
        prepared([str(source)], source / "sub" / "faces", STUB),
    ):
        pass
    assert not (source / "sub").exists()
    # A hidden folder is passed over, so the next run lists the same pictures.
    for _ in range(2):
        with prepared([str(source)], source / ".faces", STUB):
            pass
