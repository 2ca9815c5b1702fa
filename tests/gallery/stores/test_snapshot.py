"""A gallery written as a folder of mapped columns, and what is made of a damaged one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from face_vectors import Float, face_vectors, near

from faceport.errors import FingerprintMismatchError, GalleryError
from faceport.gallery.gallery import Gallery
from faceport.gallery.snapshots import write_snapshot
from faceport.gallery.stores.snapshot import SnapshotStore
from faceport.gallery.types import Sample
from faceport.runtime.types import Embedding

NAMES = ["Zoë", "a\nb", "Ада", "o'hara; DROP TABLE", "../x", "日本", "z" * 200, "b"]


def embedding(vector: Float, norm: float = 20.0) -> Embedding:
    return Embedding(vector, norm, "f" * 64, "test")


@pytest.fixture(scope="module")
def vectors() -> Float:
    return face_vectors(len(NAMES), 4)


@pytest.fixture(scope="module")
def origin(vectors: Float, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "g.db"
    with Gallery(path) as gallery:
        gallery.change_settings(threshold=0.42, fusion="norm")
        for i, name in enumerate(NAMES):
            samples = [
                Sample(embedding(v, 10.0 + i), f"{name}/{j}.jpg", f"{i}{j}" * 32)
                for j, v in enumerate(vectors[4 * i : 4 * i + 4])
            ]
            gallery.enroll(name, samples, metadata={"badge": i, "ü": ["x"]})
        gallery.delete("b")
        gallery.remove_sample(gallery.samples("Ада")[1].id)
    return path


@pytest.fixture
def folder(origin: Path, tmp_path: Path) -> Path:
    with Gallery(origin) as gallery:
        write_snapshot(gallery, tmp_path / "snapshot")
    return tmp_path / "snapshot"


@pytest.mark.parametrize("against", ["samples", "templates"])
@pytest.mark.parametrize("index", ["exact", "int8", "bits", "hnsw"])
def test_a_snapshot_answers_as_its_gallery(
    origin: Path, folder: Path, vectors: Float, against: str, index: str
) -> None:
    queries = [embedding(v) for v in near(vectors)]
    with Gallery(origin) as gallery, Gallery(folder, create=False, index=index) as snapshot:
        expected = gallery.search(queries, top_k=3, against=against)  # type: ignore[arg-type]
        found = snapshot.search(queries, top_k=3, against=against)  # type: ignore[arg-type]
    assert found == expected
    assert {answer.threshold for answer in found} == {0.42}


def test_everything_enrolled_can_be_read(origin: Path, folder: Path) -> None:
    with Gallery(origin) as gallery, Gallery(folder) as snapshot:
        assert snapshot.identities() == gallery.identities()
        assert snapshot.space == gallery.space
        assert snapshot.settings == gallery.settings
        for name in NAMES[:-1]:
            assert snapshot.identity(name) == gallery.identity(name)
            for one, other in zip(snapshot.samples(name), gallery.samples(name), strict=True):
                np.testing.assert_array_equal(one.vector, other.vector)
                assert replace(one, vector=other.vector) == replace(other, vector=other.vector) or (
                    (one.id, one.norm, one.source, one.image_hash, one.added)
                    == (other.id, other.norm, other.source, other.image_hash, other.added)
                )
                assert snapshot.has_image(one.image_hash) == name
                assert snapshot.crop(one.id) is None
        for against in ("samples", "templates"):
            one_set, other_set = snapshot.vectors(against), gallery.vectors(against)
            np.testing.assert_array_equal(one_set.matrix, other_set.matrix)
            np.testing.assert_array_equal(one_set.sample_ids, other_set.sample_ids)
            assert one_set.names == other_set.names
        assert snapshot.stats().samples == gallery.stats().samples


def test_an_unknown_name_or_hash_is_not_found(folder: Path) -> None:
    with Gallery(folder) as snapshot:
        assert snapshot.has_image("9" * 64) is None
        assert snapshot.has_image("") is None
        for name in ("b", "", "zz"):
            with pytest.raises(GalleryError):
                snapshot.identity(name)


def test_a_snapshot_is_only_read(folder: Path, vectors: Float) -> None:
    with Gallery(folder) as snapshot:
        assert snapshot.read_only
        changes: list[Callable[[], object]] = [
            lambda: snapshot.enroll("x", [Sample(embedding(vectors[0]), "x")]),
            lambda: snapshot.delete("Zoë"),
            lambda: snapshot.rename("Zoë", "y"),
            lambda: snapshot.change_settings(threshold=0.5),
        ]
        for change in changes:
            with pytest.raises(GalleryError, match=r"only read|read-only"):
                change()


def test_a_snapshot_refuses_another_embedder(folder: Path, vectors: Float) -> None:
    other = Embedding(vectors[0], 1.0, "e" * 64, "test")
    with Gallery(folder) as snapshot, pytest.raises(FingerprintMismatchError):
        snapshot.search([other])


def test_the_vectors_are_mapped_and_not_copied(folder: Path) -> None:
    store = SnapshotStore(folder)
    with store.snapshot() as reader:
        whole = reader.mapped("samples").matrix
        assert not whole.flags.writeable
        assert isinstance(whole.base, np.memmap)
        blocks = list(reader.vectors("samples"))
    assert all(np.shares_memory(block.matrix, whole) for block in blocks)


def test_an_empty_gallery_makes_an_empty_snapshot(tmp_path: Path, vectors: Float) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        write_snapshot(gallery, tmp_path / "s")
    with Gallery(tmp_path / "s") as snapshot:
        assert snapshot.identities() == []
        assert snapshot.search([embedding(vectors[0])])[0].matches == ()
        assert snapshot.check() == []


def test_a_snapshot_is_replaced_as_a_whole(origin: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copy(origin, tmp_path / "copy.db")
    with Gallery(folder) as before, Gallery(tmp_path / "copy.db") as gallery:
        names = [one.name for one in before.identities()]
        gallery.delete("Zoë")
        write_snapshot(gallery, folder)
        assert [one.name for one in before.identities()] == names
    with Gallery(folder) as after:
        assert "Zoë" not in [one.name for one in after.identities()]
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_a_folder_of_something_else_is_left_alone(origin: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    with Gallery(origin) as gallery, pytest.raises(GalleryError, match="no snapshot"):
        write_snapshot(gallery, tmp_path)
    assert (tmp_path / "photo.jpg").read_text() == "mine"


def test_a_write_that_fails_leaves_the_old_one(
    origin: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("faceport.gallery.stores.snapshot_writer.write_texts", full)
    with Gallery(origin) as gallery, pytest.raises(GalleryError, match="No space left"):
        write_snapshot(gallery, folder)
    with Gallery(folder) as snapshot:
        assert snapshot.check() == []
        assert len(snapshot.identities()) == len(NAMES) - 1


def test_a_sound_snapshot_has_no_problems(folder: Path) -> None:
    with Gallery(folder) as snapshot:
        assert snapshot.check() == []


def test_every_changed_file_is_found(folder: Path) -> None:
    for path in folder.glob("*.npy"):
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert [p.kind for p in SnapshotStore(folder).check()] == ["database"]
        path.write_bytes(before)


def test_every_cut_or_missing_file_is_refused(folder: Path) -> None:
    for path in folder.iterdir():
        before = path.read_bytes()
        path.write_bytes(before[:-1] if path.suffix == ".npy" else before[: len(before) // 2])
        with pytest.raises(GalleryError):
            SnapshotStore(folder)
        path.unlink()
        with pytest.raises(GalleryError):
            SnapshotStore(folder)
        path.write_bytes(before)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"files": {"../../etc/passwd": [1, "0"]}},
        {"files": None},
        {"files": {}, "samples": 5, "identities": 7},
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder: Path, change: dict[str, object]) -> None:
    path = folder / "snapshot.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(GalleryError):
        Gallery(folder).vectors("samples")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no snapshot"):
        Gallery(tmp_path)


def test_a_snapshot_takes_no_key(folder: Path) -> None:
    with pytest.raises(GalleryError, match="not sealed"):
        Gallery(folder, key=b"k" * 32)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("files", ["samples.ids.npy"]),
        ("files", {"samples.ids.npy": 5}),
        ("files", {"../x.npy": [5, "0"]}),
        ("meta", 5),
        ("space", [1]),
        ("space", {"fingerprint": "x"}),
        ("version", "x"),
        ("samples", -1),
    ],
)
def test_a_manifest_of_other_kinds_of_values_is_refused(
    folder: Path, key: str, value: object
) -> None:
    manifest = json.loads((folder / "snapshot.json").read_text())
    (folder / "snapshot.json").write_text(json.dumps({**manifest, key: value}))
    with pytest.raises(GalleryError, match=r"snapshot\.json is damaged|no snapshot of"):
        SnapshotStore(folder)
