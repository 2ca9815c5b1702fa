from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from face_gallery import embedding, samples

from faceport.gallery import Gallery
from faceport.gallery.indexes.base import Index
from faceport.gallery.indexes.registry import make_index
from faceport.gallery.resident import LEAST_DEAD, Resident, View
from faceport.gallery.stores.base import Reader, VectorRows
from faceport.gallery.stores.rows import SqliteReader
from faceport.gallery.types import Against, Float


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery(tmp_path / "g.db") as gallery:
        for person in range(6):
            gallery.enroll(f"p{person}", samples([10 * person, 10 * person + 1]))
        yield gallery


@pytest.fixture
def resident(gallery: Gallery) -> Resident:
    return Resident("samples", gallery.location, lambda rows: make_index("exact", rows), None)


def current(resident: Resident, gallery: Gallery) -> View:
    with gallery._store.snapshot() as reader:
        view = resident.current(reader)
    assert view is not None
    return view


def held(view: View) -> set[tuple[int, int, bytes]]:
    return {
        (int(view.identity_ids[row]), int(view.sample_ids[row]), view.matrix[row].tobytes())
        for row in view.alive
    }


def stored(gallery: Gallery) -> set[tuple[int, int, bytes]]:
    with gallery._store.snapshot() as reader:
        return {
            (int(i), int(s), vector.tobytes())
            for block in reader.vectors("samples")
            for i, s, vector in zip(block.identity_ids, block.sample_ids, block.matrix, strict=True)
        }


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was read of the vectors: the ids asked for, None for all."""
    asked: list[object] = []
    real = SqliteReader.vectors

    def vectors(
        self: SqliteReader, against: Against, identity_ids: Sequence[int] | None = None
    ) -> Iterator[VectorRows]:
        asked.append(None if identity_ids is None else tuple(identity_ids))
        return real(self, against, identity_ids)

    monkeypatch.setattr(SqliteReader, "vectors", vectors)
    return asked


def test_only_what_changed_is_read_again(
    gallery: Gallery, resident: Resident, reads: list[object]
) -> None:
    first = current(resident, gallery)
    assert reads == [None]
    assert current(resident, gallery) is first
    gallery.enroll("p2", samples([22]))
    gallery.delete("p4")
    gallery.enroll("new", samples([99]))
    gallery.merge("p0", "p1")
    reads.clear()
    view = current(resident, gallery)
    assert len(reads) == 1
    assert reads[0] is not None
    assert len(reads[0]) == 3  # type: ignore[arg-type]
    assert view.index is first.index
    assert np.shares_memory(view.matrix, first.matrix)
    assert held(view) == stored(gallery)


def test_a_view_that_was_taken_does_not_change(gallery: Gallery, resident: Resident) -> None:
    before = current(resident, gallery)
    copy, ids = before.matrix.copy(), before.identity_ids.copy()
    for seed in range(200, 220):
        gallery.enroll("p2", samples([seed]))
        current(resident, gallery)
    np.testing.assert_array_equal(before.matrix, copy)
    np.testing.assert_array_equal(before.identity_ids, ids)
    with pytest.raises(ValueError, match="read-only"):
        before.matrix[0, 0] = 1


def test_a_settings_change_reads_no_vectors(
    gallery: Gallery, resident: Resident, reads: list[object]
) -> None:
    first = current(resident, gallery)
    gallery.change_settings(threshold=0.5)
    reads.clear()
    view = current(resident, gallery)
    assert reads == []
    assert view.matrix is first.matrix


def test_it_is_made_anew_when_much_is_dead_or_there_is_no_room(
    gallery: Gallery, resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = current(resident, gallery)
    monkeypatch.setattr("faceport.gallery.resident.LEAST_DEAD", 2)
    for seed in range(200, 203):
        gallery.enroll("p2", samples([seed]))
        view = current(resident, gallery)
    assert view.index is not first.index
    assert len(view.matrix) == len(view.alive) == 15
    assert held(view) == stored(gallery)
    assert LEAST_DEAD > 2


def test_an_older_snapshot_is_refused_a_later_view(gallery: Gallery, resident: Resident) -> None:
    with gallery._store.snapshot() as old:
        gallery.enroll("new", samples([99]))
        current(resident, gallery)
        assert resident.current(old) is None


def test_a_version_that_the_store_forgot_is_read_anew(
    gallery: Gallery,
    resident: Resident,
    reads: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current(resident, gallery)
    monkeypatch.setattr("faceport.gallery.stores.rows.KEPT_REMOVALS", 2)
    for name in ("p0", "p1", "p2"):
        gallery.delete(name)
    reads.clear()
    view = current(resident, gallery)
    assert reads == [None]
    assert held(view) == stored(gallery)


class Counted:
    """An exact index that is saved: counts how often it is built."""

    def __init__(self, builds: list[int]) -> None:
        self._index: Index = make_index("exact")
        self._builds = builds

    @property
    def rows(self) -> int:
        return self._index.rows

    def build(self, matrix: Float) -> None:
        self._builds.append(len(matrix))
        self._index.build(matrix)

    def extend(self, matrix: Float) -> None:
        self._index.extend(matrix)

    def search(self, queries: Float, k: int) -> tuple[Float, np.ndarray]:
        return self._index.search(queries, k)

    def save(self, folder: Path, stamp: str) -> None:
        (folder / "stamp").write_text(stamp)

    def load(self, folder: Path, stamp: str, matrix: Float) -> bool:
        path = folder / "stamp"
        fits = path.is_file() and path.read_text() == stamp
        if fits:
            self._index.build(matrix)
        return fits


@contextmanager
def fresh(gallery: Gallery, builds: list[int], folder: Path) -> Iterator[tuple[Reader, Resident]]:
    made = Resident("samples", gallery.location, lambda _: Counted(builds), str(folder))
    with gallery._store.snapshot() as reader:
        yield reader, made


def test_a_saved_index_is_built_once_and_again_when_it_is_stale(
    gallery: Gallery, tmp_path: Path
) -> None:
    builds: list[int] = []
    for _ in range(3):
        with fresh(gallery, builds, tmp_path / "index") as (reader, made):
            assert made.current(reader) is not None
    assert builds == [12]
    gallery.enroll("new", samples([99]))
    for _ in range(2):
        with fresh(gallery, builds, tmp_path / "index") as (reader, made):
            view = made.current(reader)
            assert view is not None
            scores, _ = view.index.search(embedding(99).vector[None], 1)
            assert scores[0, 0] == pytest.approx(1, abs=1e-6)
    assert builds == [12, 13]
