"""A gallery into another embedder's space, with real models on real photographs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceport.errors import GalleryError
from faceport.gallery import Gallery, Sample
from faceport.gallery.enrolment import EnrolmentOptions, Person, enroll_people
from faceport.gallery.reembedding import Reembedded, ReembeddingOptions, Wanted, reembed
from faceport.runtime.pipeline import Pipeline

PLAIN = ReembeddingOptions()


@pytest.fixture(scope="module")
def old(detectors: dict[str, Path], recognisers: dict[str, Path]) -> Iterator[Pipeline]:
    with Pipeline.load(detectors["scrfd"], recognisers["flat"]) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def new(detectors: dict[str, Path], recognisers: dict[str, Path]) -> Iterator[Pipeline]:
    with Pipeline.load(detectors["scrfd"], recognisers["blocks"]) as pipeline:
        yield pipeline


@pytest.fixture
def train(photos: Path, tmp_path: Path) -> Path:
    shutil.copytree(photos / "identities" / "train", tmp_path / "train")
    return tmp_path / "train"


def people(folder: Path) -> list[Person]:
    return [Person(p.name, tuple(sorted(p.iterdir()))) for p in sorted(folder.iterdir())]


def filled(path: Path, pipeline: Pipeline, folder: Path, *, crops: bool) -> Gallery:
    gallery = Gallery(path)
    gallery.change_settings(keep_crops=crops, threshold=0.4)
    list(enroll_people(gallery, pipeline, people(folder), EnrolmentOptions()))
    return gallery


def wanted(gallery: Gallery) -> list[Wanted]:
    return [
        Wanted(s.id, identity.name, s.source, s.image_hash, s.has_crop)
        for identity in gallery.identities()
        for s in gallery.samples(identity.name)
    ]


def vectors(gallery: Gallery) -> dict[str, np.ndarray]:
    return {
        identity.name: np.stack([s.vector for s in gallery.samples(identity.name)])
        for identity in gallery.identities()
    }


@pytest.mark.parametrize("crops", [True, False])
def test_a_migrated_gallery_is_one_that_the_new_embedder_filled(
    tmp_path: Path, old: Pipeline, new: Pipeline, train: Path, crops: bool
) -> None:
    with (
        filled(tmp_path / "old.db", old, train, crops=crops) as gallery,
        filled(tmp_path / "new.db", new, train, crops=False) as expected,
    ):
        if crops:
            # The pictures are not needed then.
            shutil.rmtree(train)
        ticks = iter(range(100))
        made = reembed(gallery, new, wanted(gallery), PLAIN, on_sample=lambda: next(ticks))
        assert (next(ticks), made.from_crops, made.missing) == (9, 9 if crops else 0, ())
        gallery.replace_embeddings(made.embeddings)
        assert gallery.space == expected.space
        assert gallery.settings.threshold is None
        found, right = vectors(gallery), vectors(expected)
        for name in right:
            # A crop comes by way of another width, whose warp rounds otherwise.
            tolerance = 2e-3 if crops else 1e-5
            assert np.linalg.norm(found[name] - right[name], axis=1).max() < tolerance
        assert gallery.check() == []


def broken(gallery: Gallery, new: Pipeline, train: Path) -> Reembedded:
    """Take a picture away, change one, and show no face in a third."""
    (train / "obama" / "obama.jpg").unlink()
    shutil.copy(train / "biden" / "biden.jpg", train / "obama" / "obama2.jpg")
    return reembed(gallery, new, wanted(gallery), PLAIN)


def test_what_cant_be_embedded_is_listed_and_nothing_is_changed(
    tmp_path: Path, old: Pipeline, new: Pipeline, train: Path
) -> None:
    with filled(tmp_path / "g.db", old, train, crops=False) as gallery:
        before, version = vectors(gallery), gallery.stats().version
        made = broken(gallery, new, train)
        assert {Path(m.sample.source).name: m.reason.split(":")[0] for m in made.missing} == {
            "obama.jpg": str(made.missing[0].sample.source) + " could not be opened",
            "obama2.jpg": "the picture at its path is another than was enrolled",
        }
        assert len(made.embeddings) == 7
        assert gallery.stats().version == version
        with pytest.raises(GalleryError, match="changed while"):
            gallery.replace_embeddings(made.embeddings)
        assert all((vectors(gallery)[name] == before[name]).all() for name in before)
        assert gallery.settings.threshold == 0.4
        gallery.replace_embeddings(
            made.embeddings, drop=[one.sample.sample_id for one in made.missing]
        )
        assert {i.name: i.samples for i in gallery.identities()}["obama"] == 0
        assert gallery.check() == []


def test_a_sample_enrolled_meanwhile_stops_the_change(
    tmp_path: Path, old: Pipeline, new: Pipeline, train: Path, photos: Path
) -> None:
    with filled(tmp_path / "g.db", old, train, crops=False) as gallery:
        made = reembed(gallery, new, wanted(gallery), PLAIN)
        face = old(photos / "pairs" / "clapton-1.jpg")[0]
        with Gallery(tmp_path / "g.db") as other:
            other.enroll("clapton", [Sample(face.embedding, "clapton-1.jpg")])
        with pytest.raises(GalleryError, match="changed while"):
            gallery.replace_embeddings(made.embeddings)
        assert gallery.fingerprint == old.embedder.fingerprint
        # No hash was kept of that one: its path is taken on trust or not at all.
        options = replace(PLAIN, root=photos / "pairs")
        for trust, reason in ((False, "--trust-paths"), (True, "")):
            made = reembed(gallery, new, wanted(gallery), replace(options, trust_paths=trust))
            assert [reason in one.reason for one in made.missing] == ([True] if reason else [])
        gallery.replace_embeddings(made.embeddings)
        assert gallery.fingerprint == new.embedder.fingerprint


def test_an_interruption_leaves_the_gallery_as_it_was(
    tmp_path: Path, old: Pipeline, new: Pipeline, train: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(tmp_path / "g.db", old, train, crops=False) as gallery:
        before = vectors(gallery)
        made = reembed(gallery, new, wanted(gallery), PLAIN)
        ids = iter(made.embeddings)

        class Torn(dict):  # type: ignore[type-arg]
            def items(self):  # type: ignore[no-untyped-def]
                for number, item in enumerate(super().items()):
                    if number == 5:
                        raise KeyboardInterrupt
                    yield item

        with pytest.raises(KeyboardInterrupt):
            gallery.replace_embeddings(Torn(made.embeddings))
        assert next(ids)
        assert gallery.fingerprint == old.embedder.fingerprint
        assert all((vectors(gallery)[name] == before[name]).all() for name in before)
        assert gallery.settings.threshold == 0.4
        assert gallery.check() == []
