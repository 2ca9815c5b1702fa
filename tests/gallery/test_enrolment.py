"""Enrolment of real photographs with real models, and its order of events with a fake embedder."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from faceport.gallery import Gallery
from faceport.gallery import enrolment as module
from faceport.gallery.enrolment import EnrolmentOptions, Person, enroll_people
from faceport.images import Image
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.stub import StubDetector
from faceport.runtime.types import Detection, Embedding


class ColourEmbedder:
    """A face is its picture's colour: pictures of one colour are of one person."""

    fingerprint = "c" * 64
    dim = 4
    provider = "test/cpu"
    is_stub = False

    def __init__(self) -> None:
        self.seen = 0

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        self.seen += len(faces)
        return [self._embedding(image) for image, _ in faces]

    def _embedding(self, image: Image) -> Embedding:
        colour = image.pixels.reshape(-1, 3).mean(axis=0)
        # The picture's height tells pictures of one person apart.
        vector = np.array([*(colour > 127), image.height / 1000], np.float64)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return Embedding(unit, 9.0, self.fingerprint, self.provider)


COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def picture(path: Path, colour: str, height: int) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    PilImage.new("RGB", (8, height), COLOURS[colour]).save(path, "PNG")
    return path


@pytest.fixture
def embedder() -> ColourEmbedder:
    return ColourEmbedder()


@pytest.fixture
def pipeline(embedder: ColourEmbedder) -> Pipeline:
    return Pipeline.load(StubDetector(), embedder)


def person(folder: Path, name: str, *colours: str) -> Person:
    # No two people have a picture of the same size.
    least = 10 * (ord(name[0]) % 10 + 1)
    paths = [picture(folder / name / f"{i}.png", c, least + i) for i, c in enumerate(colours)]
    return Person(name, tuple(paths))


def test_pictures_of_another_person_are_named_or_left_out(
    tmp_path: Path, pipeline: Pipeline
) -> None:
    ann = person(tmp_path, "ann", "red", "red", "blue", "red")
    bob = person(tmp_path, "bob", "red", "blue")
    for leave_out in (False, True):
        with Gallery(tmp_path / f"{leave_out}.db") as gallery:
            options = EnrolmentOptions(leave_out=leave_out, threshold=0.5)
            first, second = enroll_people(gallery, pipeline, [ann, bob], options)
            counts = {i.name: i.samples for i in gallery.identities()}
        said = (
            [*first.left_out, *second.left_out] if leave_out else [*first.flagged, *second.flagged]
        )
        assert [(remark.path.parent.name, remark.path.name) for remark in said] == [
            ("ann", "2.png"),
            ("bob", "0.png"),
            ("bob", "1.png"),
        ]
        assert "not the face of the others" in said[0].reason
        assert "majority" in said[1].reason
        assert counts == ({"ann": 3} if leave_out else {"ann": 4, "bob": 2})
        assert (first.added, second.added) == ((3, 0) if leave_out else (4, 2))


def test_what_is_enrolled_votes_and_is_not_looked_at_again(
    tmp_path: Path, pipeline: Pipeline, embedder: ColourEmbedder
) -> None:
    options = EnrolmentOptions(leave_out=True, threshold=0.5)
    with Gallery(tmp_path / "g.db") as gallery:
        list(enroll_people(gallery, pipeline, [person(tmp_path, "ann", "red", "red")], options))
        assert embedder.seen == 2
        more = person(tmp_path, "ann", "red", "red", "blue")
        (again,) = enroll_people(gallery, pipeline, [more], options)
        assert embedder.seen == 3
    assert (again.added, again.already_there) == (0, 2)
    assert [remark.path.name for remark in again.left_out] == ["2.png"]


def test_an_interruption_keeps_what_was_reported(
    tmp_path: Path, pipeline: Pipeline, embedder: ColourEmbedder
) -> None:
    people = [
        person(tmp_path, name, *[colour] * 3) for name, colour in zip("abc", COLOURS, strict=True)
    ]

    def interrupt() -> None:
        if next(ticks) == 4:
            raise KeyboardInterrupt

    ticks = iter(range(100))
    reported: list[str] = []

    def enroll(gallery: Gallery) -> None:
        options = EnrolmentOptions()
        for one in enroll_people(gallery, pipeline, people, options, on_picture=interrupt):
            reported.append(one.name)

    with Gallery(tmp_path / "g.db") as gallery:
        with pytest.raises(KeyboardInterrupt):
            enroll(gallery)
        assert reported == ["a"]
        assert [(i.name, i.samples) for i in gallery.identities()] == [("a", 3)]
        seen = embedder.seen
        done = list(enroll_people(gallery, pipeline, people, EnrolmentOptions()))
        assert [(one.added, one.already_there) for one in done] == [(0, 3), (3, 0), (3, 0)]
        assert embedder.seen == seen + 6


def test_an_identity_of_many_pictures_is_written_in_parts(
    tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    ann = person(tmp_path, "ann", "red", "red", "red", "blue", "red")
    with Gallery(tmp_path / "g.db") as gallery:

        def count() -> None:
            counts.append(sum(i.samples for i in gallery.identities()))

        counts: list[int] = []
        (one,) = enroll_people(gallery, pipeline, [ann], EnrolmentOptions(), on_picture=count)
        assert counts == [0, 2, 2, 4, 4]
        assert one.added == 5
        assert [remark.path.name for remark in one.flagged] == ["3.png"]
        counts.clear()
        bob = person(tmp_path, "bob", "green", "green", "green")
        options = EnrolmentOptions(leave_out=True)
        list(enroll_people(gallery, pipeline, [bob], options, on_picture=count))
        assert counts == [5, 5, 5]


def test_one_picture_of_two_people_and_people_without_pictures(
    tmp_path: Path, pipeline: Pipeline
) -> None:
    ann = person(tmp_path, "ann", "red")
    eve = Person("eve", (tmp_path / "eve.png", tmp_path / "gone.png"), {"team": "x"})
    shutil.copy(ann.pictures[0], eve.pictures[0])
    people = [Person("nobody", ()), ann, Person("nothing", ()), eve, Person("last", ())]
    for workers in (1, 2):
        with Gallery(tmp_path / f"{workers}.db") as gallery:
            options = EnrolmentOptions(workers=workers)
            for added in (1, 0):
                done = list(enroll_people(gallery, pipeline, people, options))
                assert [one.name for one in done] == [one.name for one in people]
                assert done[1].added == added
                # The first time too, when the reader was there before Ann was written.
                kinds = [remark.kind for remark in done[3].left_out]
                assert kinds == ["elsewhere", "error"]
                assert "'ann'" in done[3].left_out[0].reason
                assert "gone.png" in done[3].left_out[1].reason


def test_metadata_hashes_and_crops_are_kept(tmp_path: Path, pipeline: Pipeline) -> None:
    ann = person(tmp_path, "ann", "red", "red")
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.change_settings(keep_crops=True)
        people = [Person("ann", ann.pictures, {"team": "blue"})]
        list(enroll_people(gallery, pipeline, people, EnrolmentOptions()))
        assert gallery.identity("ann").metadata == {"team": "blue"}
        (again,) = enroll_people(
            gallery, pipeline, [Person("ann", ann.pictures, {"team": "red"})], EnrolmentOptions()
        )
        assert again.already_there == 2
        assert gallery.identity("ann").metadata == {"team": "red"}
        for path, sample in zip(ann.pictures, gallery.samples("ann"), strict=True):
            assert sample.source == str(path)
            assert sample.image_hash == hashlib.sha256(path.read_bytes()).hexdigest()
            crop = gallery.crop(sample.id)
            assert crop is not None
            with PilImage.open(io.BytesIO(crop)) as kept, PilImage.open(path) as original:
                np.testing.assert_array_equal(np.asarray(kept), np.asarray(original))


def test_real_faces_of_another_person_are_found(
    photos: Path, detectors: dict[str, Path], recognisers: dict[str, Path], tmp_path: Path
) -> None:
    train = photos / "identities" / "train"
    people = [
        Person(folder.name, tuple(sorted(folder.iterdir()))) for folder in sorted(train.iterdir())
    ]
    obama = next(one for one in people if one.name == "obama")
    biden = next(one for one in people if one.name == "biden")
    group = photos / "groups" / "friends_6_faces.jpg"
    mixed = Person("mixed", (*obama.pictures, biden.pictures[0], group))
    with (
        Pipeline.load(detectors["scrfd"], recognisers["flat"], workers=2) as pipeline,
        Gallery(tmp_path / "g.db") as gallery,
    ):
        options = EnrolmentOptions(leave_out=True, workers=2)
        (one,) = enroll_people(gallery, pipeline, [mixed], options)
        assert one.added == 2
        assert {remark.path: remark.kind for remark in one.left_out} == {
            biden.pictures[0]: "consensus",
            group: "face",
        }
        gallery.delete("mixed")
        done = list(enroll_people(gallery, pipeline, people, options))
        assert sum(one.added for one in done) == 9
        assert [one.left_out for one in done] == [()] * 5
