"""The same commands on a gallery in PostgreSQL, and a migration there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from faceport.commands import run
from faceport.gallery import Gallery
from faceport.gallery.enrolment import EnrolmentOptions, Person, enroll_people
from faceport.gallery.reembedding import ReembeddingOptions, Wanted, reembed
from faceport.images import Image
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.stub import StubDetector
from faceport.runtime.types import Detection, Embedding

pytestmark = pytest.mark.xdist_group("postgres")


class MeanEmbedder:
    """The mean colour of the upper half, and with `dim` 4 how tall the picture is."""

    provider = "test/cpu"
    is_stub = False

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.fingerprint = f"{dim:064x}"

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        made = []
        for image, _ in faces:
            mean = image.pixels[: image.height // 2].reshape(-1, 3).mean(axis=0)
            vector = np.array([*mean, image.height][: self.dim], np.float64)
            unit = (vector / np.linalg.norm(vector)).astype(np.float32)
            made.append(Embedding(unit, 5.0, self.fingerprint, self.provider))
        return made


@pytest.fixture
def people(tmp_path: Path) -> list[Person]:
    rng = np.random.default_rng(0)
    made = []
    for person in range(30):
        paths = []
        colour = rng.uniform(20, 235, 3)
        for number in range(2):
            path = tmp_path / f"{person}-{number}.png"
            pixels = np.full((20 + number, 10, 3), colour + number, np.uint8)
            PilImage.fromarray(pixels).save(path)
            paths.append(path)
        made.append(Person(f"p{person} 'x'", tuple(paths), {"number": person}))
    return made


def templates(gallery: Gallery) -> dict[str, Any]:
    found = gallery.vectors("templates")
    return {found.names[i]: row for i, row in zip(found.owner, found.matrix, strict=True)}


def test_look_after_a_gallery_on_a_server(
    postgres_gallery: str,
    people: list[Person],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def cli(*args: object) -> Any:
        capsys.readouterr()
        assert run(["gallery", *map(str, args), "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    old = Pipeline.load(StubDetector(), MeanEmbedder(3))
    options = EnrolmentOptions(leave_out=True, workers=2)
    with Gallery(postgres_gallery) as gallery:
        gallery.change_settings(keep_crops=True)
        done = list(enroll_people(gallery, old, people, options))
        assert {(one.added, one.already_there) for one in done} == {(2, 0)}
        again = list(enroll_people(gallery, old, people, options))
        assert {(one.added, one.already_there) for one in again} == {(0, 2)}
    assert len(cli("list", postgres_gallery)["identities"]) == 30
    assert cli("calibrate", postgres_gallery, "--far", 0.05)["stored"] is True
    assert cli("duplicates", postgres_gallery, "--limit", 3)["threshold"] > 0.35
    cli("merge", postgres_gallery, "p1 'x'", "p0 'x'", "--yes")
    cli("rename", postgres_gallery, "p0 'x'", "Ann")
    cli("delete", postgres_gallery, "p2 'x'", "--yes")
    for target in (tmp_path / "people.parquet", tmp_path / "people"):
        assert cli("export", postgres_gallery, "--output", target)["samples"] == 58
        copy = tmp_path / f"{target.name}.db"
        assert cli("import", copy, target)["added"] == 58
        assert cli("import", postgres_gallery, target)["already_there"] == 58
        with Gallery(copy) as here, Gallery(postgres_gallery) as there:
            assert here.identities()[0].metadata == there.identities()[0].metadata
            found, expected = templates(here), templates(there)
            assert found.keys() == expected.keys()
            for name, vector in found.items():
                np.testing.assert_allclose(vector, expected[name], atol=1e-6)
    assert cli("check", postgres_gallery)["problems"] == []


def test_a_migration_on_a_server(postgres_gallery: str, people: list[Person]) -> None:
    old, new = (Pipeline.load(StubDetector(), MeanEmbedder(dim)) for dim in (3, 4))
    with Gallery(postgres_gallery) as gallery:
        gallery.change_settings(threshold=0.9)
        list(enroll_people(gallery, old, people, EnrolmentOptions()))
        samples = [
            Wanted(s.id, identity.name, s.source, s.image_hash, s.has_crop)
            for identity in gallery.identities()
            for s in gallery.samples(identity.name)
        ]
        people[3].pictures[0].unlink()
        made = reembed(gallery, new, samples, ReembeddingOptions(workers=2))
        assert [one.sample.source for one in made.missing] == [str(people[3].pictures[0])]
        gallery.replace_embeddings(
            made.embeddings, drop=[one.sample.sample_id for one in made.missing]
        )
        assert gallery.space is not None
        assert gallery.space.dim == 4
        assert gallery.settings.threshold is None
        (expected,) = new(people[5].pictures[1])
        (answer,) = gallery.search([expected.embedding], against="samples")
        assert answer.name == people[5].name
        assert answer.matches[0].score == pytest.approx(1, abs=1e-6)
        assert gallery.check() == []
