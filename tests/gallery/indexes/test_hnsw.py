"""The graph: how much it finds, and what its files survive."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from face_vectors import Float, brute_force, face_vectors, near

from faceport.errors import GalleryError, InputError
from faceport.gallery.indexes import graph_files
from faceport.gallery.indexes.hnsw import GraphSettings, HnswIndex

STAMP = "version 7"


@pytest.fixture(scope="module")
def matrix() -> Float:
    return face_vectors(240, 5)


@pytest.fixture(scope="module")
def saved(matrix: Float, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = HnswIndex()
    index.build(matrix)
    folder = tmp_path_factory.mktemp("graph")
    index.save(folder, STAMP)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def recall(index: HnswIndex, matrix: Float) -> float:
    queries = near(matrix[::3])
    rows = index.search(queries, 1)[1]
    return float((rows == brute_force(matrix, queries, 1)[1]).mean())


def test_nearly_all_nearest_rows_are_found(matrix: Float) -> None:
    index = HnswIndex()
    index.build(matrix)
    assert index.rows == 1200
    assert index.nbytes > matrix.nbytes / 4
    assert recall(index, matrix) >= 0.995


def test_scores_are_exact_and_best_first(matrix: Float, folder: Path) -> None:
    index = HnswIndex()
    assert index.load(folder, STAMP, matrix)
    queries = near(matrix[:200])
    scores, rows = index.search(queries, 6)
    products = np.einsum("qd,qkd->qk", queries.astype(float), matrix[rows].astype(float))
    np.testing.assert_allclose(scores, products, rtol=0, atol=6e-8)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(row)) == 6 for row in rows.tolist())


@pytest.mark.parametrize("rows", [0, 1, 2, 17])
def test_few_rows_are_all_found(rows: int) -> None:
    matrix = face_vectors(17, 1)[:rows]
    index = HnswIndex()
    index.build(matrix)
    for queries in (matrix[:1], matrix[:2], near(matrix)):
        scores, found = index.search(queries, 30)
        assert scores.shape == found.shape == (len(queries), rows)
        assert all(sorted(row) == list(range(rows)) for row in found.tolist())


def test_nothing_built_nothing_found() -> None:
    assert HnswIndex().search(np.ones((1, 4), np.float32), 1)[1].shape == (1, 0)


def test_bad_queries_are_refused(matrix: Float, folder: Path) -> None:
    index = HnswIndex()
    index.load(folder, STAMP, matrix)
    with pytest.raises(InputError, match="NaN"):
        index.search(np.full((1, 64), np.nan, np.float32), 1)


def test_rows_are_added(matrix: Float) -> None:
    index = HnswIndex()
    for rows in (0, 700, 701, 1200):
        index.extend(matrix[:rows].copy())
        assert index.rows == rows
    assert recall(index, matrix) >= 0.995


def test_a_saved_graph_answers_as_before(matrix: Float, folder: Path) -> None:
    index = HnswIndex()
    assert index.load(folder, STAMP, matrix)
    assert index.rows == 1200
    assert recall(index, matrix) >= 0.995


def test_rows_in_another_order_are_found_again(matrix: Float, folder: Path) -> None:
    order = np.random.default_rng(1).permutation(len(matrix))
    index = HnswIndex()
    assert index.load(folder, "version 8", matrix[order])
    assert recall(index, matrix[order]) >= 0.995
    assert json.loads((folder / "hnsw.json").read_text())["stamp"] == "version 8"


def test_new_rows_among_the_old_are_added_and_saved(matrix: Float, folder: Path) -> None:
    new = face_vectors(40, 5, seed=77)
    grown = np.concatenate([matrix[:500], new, matrix[500:]])
    for stamp in ("version 8", "version 8"):
        index = HnswIndex()
        assert index.load(folder, stamp, grown)
        assert index.rows == 1400
        assert recall(index, grown) >= 0.995
    assert len(list(folder.iterdir())) == 3


def test_equal_rows_are_all_kept(tmp_path: Path) -> None:
    matrix = np.repeat(face_vectors(20, 1), 3, axis=0)
    index = HnswIndex()
    index.build(matrix)
    index.save(tmp_path, "a")
    again = HnswIndex()
    assert again.load(tmp_path, "b", matrix[::-1].copy())
    assert sorted(again.search(matrix[:1], 3)[1][0]) == [57, 58, 59]


def test_a_deleted_row_makes_a_new_graph(matrix: Float, folder: Path) -> None:
    # Its numbers are in the graph, and what was deleted must not stay there.
    index = HnswIndex()
    assert not index.load(folder, "version 8", np.delete(matrix, 11, axis=0))
    assert index.rows == 0


def test_a_row_changed_under_the_same_stamp_is_noticed(matrix: Float, folder: Path) -> None:
    changed = matrix.copy()
    changed[5] = near(changed[5:6])[0]
    assert not HnswIndex().load(folder, STAMP, changed)


def test_mostly_new_rows_make_a_new_graph(matrix: Float, folder: Path) -> None:
    grown = np.concatenate([matrix, face_vectors(800, 5, seed=8)])
    assert not HnswIndex().load(folder, "version 8", grown)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, flip, empty, Path.unlink])
@pytest.mark.parametrize("kind", ["hnsw.json", "hnsw-*.faiss", "hnsw-*.npy"])
def test_damaged_files_are_not_used(
    matrix: Float, folder: Path, kind: str, damage: Callable[[Path], object]
) -> None:
    (path,) = folder.glob(kind)
    before = path.read_bytes()
    damage(path)
    index = HnswIndex()
    loaded = index.load(folder, STAMP, matrix)
    # One bit of the manifest may be in a blank; then nothing is wrong.
    assert not loaded or (kind == "hnsw.json" and json.loads(path.read_text()) and before)
    index.build(matrix)
    index.save(folder, STAMP)
    assert HnswIndex().load(folder, STAMP, matrix)


@pytest.mark.parametrize("text", ["[]", "{}", '{"graph": "../../etc/x", "stamp": 1}', "null"])
def test_a_strange_manifest_is_not_used(matrix: Float, folder: Path, text: str) -> None:
    (folder / "hnsw.json").write_text(text)
    assert not HnswIndex().load(folder, STAMP, matrix)


def test_no_folder_is_no_graph(matrix: Float, tmp_path: Path) -> None:
    assert not HnswIndex().load(tmp_path / "missing", STAMP, matrix)


def test_another_way_of_building_makes_a_new_graph(matrix: Float, folder: Path) -> None:
    assert not HnswIndex(GraphSettings(connectivity=8)).load(folder, STAMP, matrix)
    assert HnswIndex(GraphSettings(expansion_search=300)).load(folder, STAMP, matrix)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(6))
def test_a_writer_killed_anywhere_leaves_the_old_or_the_new(
    matrix: Float, folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    grown = np.concatenate([matrix, face_vectors(10, 5, seed=4)])
    index = HnswIndex()
    index.load(folder, STAMP, matrix)
    index.extend(grown)
    calls = iter(range(100))
    replace = Path.replace

    def killed_at(self: Path, target: Path) -> Path:
        # Before or after each of the renames by which files come into place.
        number = next(calls)
        if number == step // 2 and step % 2 == 0:
            raise Killed
        moved = replace(self, target)
        if number == step // 2:
            raise Killed
        return moved

    monkeypatch.setattr(Path, "replace", killed_at)
    with pytest.raises(Killed):
        index.save(folder, "version 8")
    monkeypatch.undo()
    again = HnswIndex()
    assert again.load(folder, "version 8", grown)
    assert again.rows == len(grown)
    assert recall(again, grown) >= 0.995


def test_a_folder_that_cannot_be_written_is_an_error(matrix: Float, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    index = HnswIndex()
    index.build(matrix[:10])
    with pytest.raises(GalleryError):
        index.save(tmp_path / "file" / "graph", STAMP)


def test_files_of_another_format_are_not_used(
    matrix: Float, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_files, "FORMAT", 2)
    assert not HnswIndex().load(folder, STAMP, matrix)


def test_a_pipeline_may_be_opened_after_the_graph() -> None:
    """onnxruntime ends the process where it is loaded after some libraries (usearch 2.26)."""
    code = "from faceport.gallery.indexes.hnsw import HnswIndex; HnswIndex(); import onnxruntime"
    subprocess.run([sys.executable, "-c", code], check=True)
