"""What a part holds is what the pipeline gave, and every picture has a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from faceport.datasets.rows import METADATA, Counted, schema_of, write_part
from faceport.errors import DatasetError, ImageDecodeError
from faceport.runtime.pipeline import Result
from faceport.runtime.types import Detection, Embedding, Face


def face(number: int, *, landmarks: bool = True) -> Face:
    random = np.random.default_rng(number)
    box, marks = random.random(4, np.float32), random.random((5, 2), np.float32)
    vector = random.random(6, np.float32)
    found = Detection(box, 0.25 * number, marks if landmarks else None)
    return Face(found, Embedding(vector / np.linalg.norm(vector), 3.5, "f" * 64, "test/cpu"))


def test_a_part_is_read_back(tmp_path: Path) -> None:
    faces = (face(1), face(2, landmarks=False))
    results = [
        ("a é.jpg", Result("a", faces)),
        ("none.jpg", Result("b")),
        ("bad.jpg", Result("c", error=ImageDecodeError("bad.jpg is no picture"))),
    ]
    path = tmp_path / "part.parquet"
    counted = write_part(path, schema_of(6, '{"dim": 6}'), results)
    assert counted == Counted(pictures=3, faces=2, empty=1, failed=1)
    table = pq.read_table(path)
    assert table.schema.metadata[METADATA] == b'{"dim": 6}'
    assert str(table.schema.field("embedding").type).startswith("fixed_size_list<")
    rows = table.to_pylist()
    assert [row["source"] for row in rows] == ["a é.jpg", "a é.jpg", "none.jpg", "bad.jpg"]
    assert [row["face"] for row in rows] == [0, 1, None, None]
    assert [row["error"] for row in rows] == [None, None, None, "bad.jpg is no picture"]
    assert rows[1]["landmarks"] is None
    for row, one in zip(rows[:2], faces, strict=True):
        box = np.array([row[name] for name in ("x1", "y1", "x2", "y2")], np.float32)
        np.testing.assert_array_equal(box, one.detection.bbox)
        np.testing.assert_array_equal(np.float32(row["embedding"]), one.embedding.vector)
        assert (row["score"], row["norm"]) == (one.detection.score, 3.5)
    np.testing.assert_array_equal(
        np.float32(rows[0]["landmarks"]).reshape(5, 2), faces[0].detection.landmarks
    )
    assert all(rows[n][name] is None for n in (2, 3) for name in ("x1", "score", "embedding"))


def test_the_same_faces_make_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        path = tmp_path / name
        write_part(path, schema_of(6, "{}"), [("a.jpg", Result("a", (face(1), face(2))))])
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_a_part_without_any_face(tmp_path: Path) -> None:
    write_part(tmp_path / "a", schema_of(6, "{}"), [("a.jpg", Result("a"))])
    assert pq.read_table(tmp_path / "a").column("embedding").to_pylist() == [None]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="could not be written"):
        write_part(tmp_path / "no" / "a", schema_of(6, "{}"), [("a.jpg", Result("a"))])
