"""The whole path on real weights and photographs: right names, and no mix-up at one threshold."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from faceport import Gallery, Pipeline, Sample
from faceport.commands.options import DEFAULT_THRESHOLD
from faceport.runtime.types import Embedding, Face

# The people of each test picture, from left to right; None is a face of nobody enrolled.
EXPECTED: dict[str, list[str | None]] = {
    "alex_lacamoire1.jpg": ["alex_lacamoire"],
    "johnsnow_test1.jpg": ["kit_harington"],
    "kit_with_rose.jpg": ["rose_leslie", "kit_harington"],
    "obama1.jpg": ["obama"],
    "obama_and_biden.jpg": ["biden", "obama"],
}
# The people of the pairs; adaface_1 and adaface_2 are one person, adaface_3 is another.
PAIRS = {
    "adaface_1.jpeg": "adaface-a",
    "adaface_2.jpeg": "adaface-a",
    "adaface_3.jpeg": "adaface-b",
    "adams.jpg": "adams",
    "carell.jpg": "carell",
    "clapton-1.jpg": "clapton",
    "clapton-2.jpg": "clapton",
    "lennon-1.jpg": "lennon",
    "lennon-2.jpg": "lennon",
}


@pytest.fixture(scope="module", params=["flat", "blocks"])
def pipeline(
    request: pytest.FixtureRequest, detectors: dict[str, Path], recognisers: dict[str, Path]
) -> Iterator[Pipeline]:
    with Pipeline.load(detectors["scrfd"], recognisers[request.param]) as pipeline:
        yield pipeline


def from_left(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: float(face.detection.bbox[0]))


def only_face(pipeline: Pipeline, path: Path) -> Embedding:
    (face,) = pipeline(path)
    return face.embedding


def people_of(pipeline: Pipeline, photos: Path) -> list[tuple[str, Embedding]]:
    """Every face of `identities` and `pairs` whose owner is known."""
    known = []
    for path in sorted((photos / "identities" / "train").glob("*/*")):
        known.append((path.parent.name, only_face(pipeline, path)))
    for name, people in EXPECTED.items():
        faces = from_left(pipeline(photos / "identities" / "test" / name))[: len(people)]
        known += [(who or "", face.embedding) for who, face in zip(people, faces, strict=True)]
    for name, person in PAIRS.items():
        known.append((person, only_face(pipeline, photos / "pairs" / name)))
    two = from_left(pipeline(photos / "pairs" / "longoria-cooper.jpg"))
    assert len(two) == 2
    known += [("longoria", two[0].embedding), ("cooper", two[1].embedding)]
    return known


def test_right_names_and_unknown_people_unknown_at_one_threshold(
    pipeline: Pipeline, photos: Path, tmp_path: Path
) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        for folder in sorted((photos / "identities" / "train").iterdir()):
            paths = sorted(folder.iterdir())
            samples = [Sample(only_face(pipeline, path), path.name) for path in paths]
            gallery.enroll(folder.name, samples)
        for name, people in EXPECTED.items():
            faces = from_left(pipeline(photos / "identities" / "test" / name))
            found = gallery.search([f.embedding for f in faces], threshold=DEFAULT_THRESHOLD)
            names = [None if answer.name == "unknown" else answer.name for answer in found]
            assert names[: len(people)] == people, name
            assert set(names[len(people) :]) <= {None}, name
        strangers = [
            f for name in (*PAIRS, "longoria-cooper.jpg") for f in pipeline(photos / "pairs" / name)
        ]
        found = gallery.search([f.embedding for f in strangers], threshold=DEFAULT_THRESHOLD)
        assert len(found) == len(PAIRS) + 2
        assert {answer.name for answer in found} == {"unknown"}


def test_every_same_person_cosine_is_above_every_different_person_cosine(
    pipeline: Pipeline, photos: Path
) -> None:
    known = people_of(pipeline, photos)
    same, different = [], []
    for (a, first), (b, second) in combinations(known, 2):
        cosine = float(first.vector.astype(np.float64) @ second.vector)
        (same if a == b else different).append(cosine)
    assert len(same) >= 20
    assert len(different) >= 300
    assert min(same) > max(different)
    assert min(same) > DEFAULT_THRESHOLD > max(different)


@pytest.mark.parametrize("flip", [False, True])
def test_both_backends_give_the_same_vectors(
    detectors: dict[str, Path], recognisers: dict[str, Path], photos: Path, flip: bool
) -> None:
    photo = photos / "groups" / "friends_6_faces.jpg"
    answers = []
    for backend in ("onnxruntime", "torchscript"):
        with Pipeline.load(detectors["scrfd"], recognisers["flat"], backend=backend) as pipeline:
            answers.append(pipeline(photo, flip=flip))
    first, second = answers
    assert len(first) == len(second) == 6
    for one, other in zip(first, second, strict=True):
        assert one.embedding.vector == pytest.approx(other.embedding.vector, abs=1e-5)
        assert one.embedding.norm == pytest.approx(other.embedding.norm, rel=1e-4)
        assert one.embedding.provider != other.embedding.provider


def test_batches_across_pictures_give_what_single_pictures_give(
    pipeline: Pipeline, photos: Path
) -> None:
    paths = [*sorted((photos / "pairs").iterdir()), photos / "groups" / "friends_6_faces.jpg"]
    together = pipeline.process(paths)
    for path, faces in zip(paths, together, strict=True):
        alone = pipeline(path)
        assert len(alone) == len(faces) >= 1
        for one, other in zip(alone, faces, strict=True):
            assert one.embedding.vector == pytest.approx(other.embedding.vector, abs=1e-5)
