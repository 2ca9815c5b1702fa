"""A data set's vectors come in order, from anywhere on, and clusters are written beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from faceport.datasets.clusters import clusters_of, write_clusters
from faceport.datasets.info import DatasetInfo, part_path, write_info
from faceport.datasets.reading import open_faces
from faceport.datasets.rows import schema_of, write_part
from faceport.errors import DatasetError, ImageDecodeError
from faceport.runtime.pipeline import Result
from faceport.runtime.types import Detection, Embedding, Face

DIM = 4


def face(vector: NDArray[np.float32], norm: float) -> Face:
    box = np.array([0, 0, 9, 9], np.float32)
    return Face(Detection(box, 0.5), Embedding(vector, norm, "f" * 64, "test/cpu"))


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    rows = np.random.default_rng(5).normal(size=(23, DIM))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    return unit


@pytest.fixture
def dataset(tmp_path: Path, vectors: NDArray[np.float32]) -> Path:
    """Four parts with 10, 0, 12 and 1 faces, and in each a picture that failed and one without."""
    start = 0
    for number, count in enumerate((10, 0, 12, 1)):
        results: list[tuple[str, Result]] = [
            (f"{number}/bad", Result("x", error=ImageDecodeError("bad"))),
            (f"{number}/none", Result("x")),
        ]
        own = [(vectors[n], float(n % 5)) for n in range(start, start + count)]
        for n in range(0, count, 2):
            faces = tuple(face(*one) for one in own[n : n + 2])
            results.append((f"{number}/{n}", Result("x", faces)))
        write_part(part_path(tmp_path, number), schema_of(DIM, "{}"), results)
        start += count
    write_info(tmp_path, DatasetInfo("f" * 64, DIM, False, "{}", ("x",), 20, 4, 7, "d"))
    return tmp_path


@pytest.mark.parametrize("size", [1, 4, 23, 50])
def test_blocks_are_the_vectors_from_any_face_on(
    dataset: Path, vectors: NDArray[np.float32], size: int
) -> None:
    faces = open_faces(dataset)
    assert (faces.count, faces.dim) == (23, DIM)
    for first in (0, 1, 9, 10, 11, 22):
        got = [(start, block.copy()) for start, block in faces.blocks(first, size)]
        assert [start for start, _ in got] == list(range(first, 23, size))
        np.testing.assert_array_equal(np.concatenate([b for _, b in got]), vectors[first:])


def test_rows_number_all_rows_of_the_parts(dataset: Path) -> None:
    faces = open_faces(dataset)
    table = pq.ParquetDataset(dataset).read()
    embeddings = table.column("embedding").to_pylist()
    assert [n for n, value in enumerate(embeddings) if value is not None] == faces.rows.tolist()
    assert faces.norms.tolist() == [n % 5 for n in range(23)]


def test_an_incomplete_or_damaged_data_set_is_refused(dataset: Path, tmp_path: Path) -> None:
    part = part_path(dataset, 2)
    data = part.read_bytes()
    part.unlink()
    with pytest.raises(DatasetError, match="not complete; received 3 shards; expected 4"):
        open_faces(dataset)
    part.write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match=r"part-000002.parquet can't be read"):
        open_faces(dataset)
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetError, match="is no data set of faces"):
        open_faces(tmp_path / "other")


def test_clusters_are_numbered_in_order_and_the_best_has_the_largest_norm() -> None:
    labels = np.array([0, 1, 0, 3, 1, 1], np.int64)
    norms = np.array([2, 5, 9, 1, 5, 4], np.float32)
    clusters = clusters_of(labels, norms)
    assert clusters.cluster.tolist() == [0, 1, 0, 2, 1, 1]
    assert clusters.sizes.tolist() == [2, 3, 1]
    assert clusters.best.tolist() == [False, True, True, True, False, False]


def test_clusters_are_written_beside_their_faces(dataset: Path, tmp_path: Path) -> None:
    faces = open_faces(dataset)
    labels = np.arange(23)
    labels[[12, 22]] = 3
    labels[[7, 8]] = 6
    target = tmp_path / "_out.parquet"
    groups = write_clusters(faces, clusters_of(labels, faces.norms), target, {"threshold": "0.9"})
    table = pq.read_table(target)
    assert table.schema.metadata[b"threshold"] == b"0.9"
    rows = table.to_pylist()
    assert [row["row"] for row in rows] == faces.rows.tolist()
    everything = pq.ParquetDataset(dataset).read(["source", "face"]).to_pylist()
    for row in rows:
        there = everything[row["row"]]
        assert (row["source"], row["face"]) == (there["source"], there["face"])
    assert [row["size"] for row in rows if row["cluster"] == rows[3]["cluster"]] == [3, 3, 3]
    # The norms of faces 3, 12 and 22 are 3, 2 and 2; of 6, 7 and 8 they are 1, 2 and 3.
    assert [(group.faces, group.source) for group in groups] == [(3, "0/2"), (3, "0/8")]
    kept = [n for n, row in enumerate(rows) if row["best"]]
    assert kept == [n for n in range(23) if n not in (12, 22, 6, 7)]
