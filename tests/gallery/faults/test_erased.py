"""What is deleted is in no byte of the gallery's files; with a key nothing is there in clear."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from gallery_model import DIM, perform, sample, vector

from faceport.gallery import Gallery
from faceport.gallery.indexes.digests import row_digests
from faceport.gallery.stores.vectors import vector_codec
from faceport.gallery.templates import fuse
from faceport.gallery.types import Sample, VectorType

KEY = bytes(range(32))
NAME = "Zacharias Unmistakable"
SOURCE = "holiday/where-zacharias-stood.jpg"
NOTE = "likes-quinces-and-medlars"
CROP = b"\x89PNG" + hashlib.sha256(b"crop").digest() * 40
HASH = hashlib.sha256(b"picture").hexdigest()
TYPES: list[VectorType] = ["float32", "float16", "int8"]


def fill(gallery: Gallery) -> None:
    for number in range(100, 130):
        perform(gallery, {"do": "enroll", "name": f"p{number}", "samples": [number]})
    faces = [Sample(sample(n).embedding, SOURCE, HASH if n == 1 else "", CROP) for n in (1, 2, 3)]
    gallery.enroll(NAME, faces, metadata={"note": NOTE})
    for number in range(130, 160):
        perform(gallery, {"do": "enroll", "name": f"p{number}", "samples": [number]})


def needles(vector_type: VectorType = "float32") -> dict[str, bytes]:
    codec = vector_codec(vector_type)
    vectors = np.stack([vector(n) for n in (1, 2, 3)])
    blobs = codec.encode(vectors)
    template, _ = fuse(codec.decode(blobs, DIM), np.ones(3, np.float32), "mean")
    return {
        **{f"vector {n}": blob for n, blob in enumerate(blobs, 1)},
        "template": codec.encode(template[None])[0],
        "name": NAME.encode(),
        "source": SOURCE.encode(),
        "metadata": NOTE.encode(),
        "crop": CROP[4:],
        "image hash": HASH.encode(),
    }


def found(folder: Path, what: dict[str, bytes]) -> set[str]:
    data = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {name for name, needle in what.items() if any(needle in d for d in data.values())}


@pytest.mark.parametrize("vector_type", TYPES)
def test_a_deleted_person_is_in_no_file(tmp_path: Path, vector_type: VectorType) -> None:
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        gallery.change_settings(keep_crops=True, vector_type=vector_type)
        fill(gallery)
        gallery.search([sample(1).embedding])
        what = needles(vector_type)
        assert found(tmp_path, what) == set(what)
        gallery.delete(NAME)
        # While the gallery is open, too: not only after the last one closed it.
        assert found(tmp_path, what) == set()
        assert gallery.search([sample(1).embedding])[0].name == "unknown"
    assert found(tmp_path, what) == set()


def test_a_removed_sample_is_in_no_file(tmp_path: Path) -> None:
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        fill(gallery)
        gallery.remove_sample(gallery.samples(NAME)[0].id)
        assert found(tmp_path, needles()) == {
            "vector 2", "vector 3", "name", "source", "metadata"
        }  # fmt: skip


def test_what_is_replaced_is_in_no_file_after_closing(tmp_path: Path) -> None:
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        fill(gallery)
        gallery.rename(NAME, "somebody else")
        gallery.set_metadata("somebody else", {})
    assert not found(tmp_path, needles()) & {"name", "metadata"}


def test_a_reader_of_the_old_state_delays_it_only(tmp_path: Path) -> None:
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        fill(gallery)
        with Gallery.open(str(tmp_path / "g.db")) as other:
            other.search([sample(1).embedding])
            gallery.delete(NAME)
            assert other.search([sample(1).embedding])[0].name == "unknown"
        perform(gallery, {"do": "enroll", "name": "new", "samples": [500]})
        assert found(tmp_path, needles()) == set()


def test_nothing_is_in_clear_with_a_key(tmp_path: Path) -> None:
    with Gallery.open(str(tmp_path / "g.db"), key=KEY) as gallery:
        gallery.change_settings(keep_crops=True, audit=True)
        fill(gallery)
        gallery.search([sample(1).embedding])
        gallery.rename(NAME, NAME + "!")
        assert found(tmp_path, needles()) == set()
        assert gallery.crop(gallery.samples(NAME + "!")[0].id) == CROP
    assert found(tmp_path, needles()) == set()


def test_a_saved_index_goes_with_a_deleted_person(tmp_path: Path) -> None:
    # The graph's codes depend on all rows; beside it is each row's digest.
    digest = {"digest": row_digests(vector(1)[None]).tobytes()}
    index = tmp_path / "g.db.index"
    with Gallery.open(str(tmp_path / "g.db"), index="hnsw") as gallery:
        fill(gallery)
        gallery.search([sample(1).embedding], against="samples")
        assert found(index, digest) == {"digest"}
        gallery.delete(NAME)
        assert not [file for file in index.rglob("*") if file.is_file()]
    with Gallery.open(str(tmp_path / "g.db"), index="hnsw") as gallery:
        gallery.search([sample(1).embedding], against="samples")
    assert [file for file in index.rglob("*") if file.is_file()]
    assert found(tmp_path, digest) == set()


def test_no_index_is_saved_with_a_key(tmp_path: Path) -> None:
    with Gallery.open(str(tmp_path / "g.db"), key=KEY, index="hnsw") as gallery:
        fill(gallery)
        assert gallery.search([sample(1).embedding], against="samples")[0].name == NAME
    assert [file.name for file in tmp_path.iterdir()] == ["g.db"]
