"""A gallery behaves the same whatever keeps its rows: the same tests on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gallery_model import ODD_NAMES, Plan, check_templates, perform, read, sample, vector

from faceport.errors import FingerprintMismatchError, GalleryError, InputError
from faceport.gallery import Gallery
from faceport.gallery.types import Against, Sample, Settings, VectorType
from faceport.runtime.types import Embedding

postgres = pytest.mark.xdist_group("postgres")
Opener = Callable[..., Gallery]
PNG = b"\x89PNG a face"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=postgres)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "g.db")
    return str(request.getfixturevalue("postgres_gallery"))


@pytest.fixture
def opener(location: str) -> Iterator[Opener]:
    galleries: list[Gallery] = []

    def opened(**choices: object) -> Gallery:
        galleries.append(Gallery.open(location, **choices))  # type: ignore[arg-type]
        return galleries[-1]

    yield opened
    for gallery in galleries:
        gallery.close()


@pytest.fixture
def gallery(opener: Opener) -> Gallery:
    return opener()


def near(seed: int, noise: float = 0.2) -> Embedding:
    """A face of the person whose sample has this number."""
    like = vector(seed).astype(np.float64) + noise * vector(seed + 1_000_000)
    unit = (like / np.linalg.norm(like)).astype(np.float32)
    return Embedding(unit, 12.0, sample(seed).embedding.fingerprint, "test/cpu")


@pytest.mark.parametrize("against", ["templates", "samples"])
@pytest.mark.parametrize("vector_type", ["float32", "float16"])
def test_search_equals_brute_force(
    opener: Opener, against: Against, vector_type: VectorType
) -> None:
    gallery = opener(settings=Settings(vector_type=vector_type))
    people = {f"p{i}": [10 * i + j for j in range(1 + i % 4)] for i in range(12)}
    for name, numbers in people.items():
        gallery.enroll(name, [sample(number) for number in numbers])
    queries = [near(31), near(80), near(5_000_000)]
    found = gallery.search(queries, threshold=0.4, top_k=4, against=against)

    def score(query: Embedding, numbers: list[int]) -> float:
        members = [vector(number).astype(np.float64) for number in numbers]
        mean = np.mean(members, axis=0)
        rows = members if against == "samples" else [mean / np.linalg.norm(mean)]
        return max(float(query.vector @ row) for row in rows)

    tolerance = 1e-5 if vector_type == "float32" else 1e-3
    for query, answer in zip(queries, found, strict=True):
        scores = {name: score(query, numbers) for name, numbers in people.items()}
        ranked = sorted(scores, key=scores.__getitem__, reverse=True)
        assert [m.name for m in answer.matches] == ranked[:4]
        assert [m.score for m in answer.matches] == pytest.approx(
            [scores[name] for name in ranked[:4]], abs=tolerance
        )
        assert answer.margin == pytest.approx(
            scores[ranked[0]] - scores[ranked[1]], abs=2 * tolerance
        )
        nearest = max(people[ranked[0]], key=lambda n: float(query.vector @ vector(n)))
        assert answer.matches[0].source == sample(nearest).source
        assert answer.name == (ranked[0] if scores[ranked[0]] >= 0.4 else "unknown")
    assert found[0].name == "p3"
    assert found[2].name == "unknown"


@pytest.mark.parametrize("seed", range(3))
def test_what_a_model_says_is_there(opener: Opener, seed: int) -> None:
    """Enrol, merge, delete, rename at random; another gallery object reads it after each."""
    plan = Plan(seed)
    gallery, other = opener(), opener()
    for operation in plan.draw(30):
        perform(gallery, operation)
        if operation["do"] in ("merge", "delete"):
            # Kept current change by change, not read anew.
            assert set(other.vectors("samples").names) <= set(gallery.vectors("samples").names)
    for each in (gallery, other, opener()):
        assert read(each) == plan.state
        check_templates(each, plan.state)
        assert each.check() == []


def test_odd_names(opener: Opener) -> None:
    gallery = opener()
    for number, name in enumerate(ODD_NAMES):
        gallery.enroll(name, [sample(number)])
    assert [i.name for i in opener().identities()] == sorted(ODD_NAMES)
    answers = gallery.search([sample(n).embedding for n in range(len(ODD_NAMES))])
    assert [answer.name for answer in answers] == list(ODD_NAMES)
    for number, name in enumerate(ODD_NAMES):
        assert gallery.has_image(sample(number).image_hash) == name
        gallery.rename(name, f"x{name}")
        gallery.delete(f"x{name}")
    assert gallery.identities() == []


def test_nothing_is_enrolled_twice(opener: Opener) -> None:
    gallery = opener()
    assert gallery.enroll("ann", [sample(1), sample(2), sample(1)]) == 2
    version = gallery.stats().version
    assert opener().enroll("ann", [sample(2), sample(1)]) == 0
    one = sample(1)
    other_vector = Sample(sample(3).embedding, "again.jpg", one.image_hash)
    same_vector = Sample(one.embedding, "again.jpg", "0" * 64)
    assert gallery.enroll("ann", [other_vector, same_vector]) == 0
    assert gallery.stats().version == version
    assert gallery.enroll("bob", [sample(1)]) == 1


def test_nothing_is_enrolled_twice_as_float16(opener: Opener) -> None:
    gallery = opener(settings=Settings(vector_type="float16"))
    samples = [Sample(sample(n).embedding, "a.jpg") for n in range(5)]
    assert gallery.enroll("ann", samples) == 5
    assert gallery.enroll("ann", samples) == 0


def test_crops_metadata_and_settings_are_kept(opener: Opener) -> None:
    settings = Settings(fusion="norm", threshold=0.4, min_norm=11.0, keep_crops=True)
    gallery = opener(settings=settings)
    one = sample(1)
    metadata = {"door": [1, 2], "note": "愛 'x'", "deep": {"a": None, "b": 1.5}}
    gallery.enroll("ann", [Sample(one.embedding, "1.jpg", one.image_hash, PNG)], metadata=metadata)
    again = opener()
    (kept,) = again.samples("ann")
    assert kept.has_crop
    assert again.crop(kept.id) == PNG
    assert again.identity("ann").metadata == metadata
    assert again.settings == settings
    again.change_settings(fusion="mean", threshold=0.3)
    assert gallery.settings.threshold == 0.3
    again.remove_sample(kept.id)
    assert again.crop(kept.id) is None
    assert gallery.identity("ann").samples == 0
    assert gallery.search([one.embedding])[0].matches == ()


def test_another_embedder_is_refused_and_nothing_changes(opener: Opener) -> None:
    gallery = opener()
    gallery.enroll("ann", [sample(1)])
    foreign = sample(2, "e" * 64)
    with pytest.raises(FingerprintMismatchError):
        gallery.enroll("bob", [foreign])
    with pytest.raises(FingerprintMismatchError):
        opener().search([foreign.embedding])
    assert [i.name for i in gallery.identities()] == ["ann"]


def test_all_samples_get_the_vectors_of_another_embedder(opener: Opener) -> None:
    gallery, other = opener(), opener()
    for number in range(4):
        gallery.enroll(f"p{number}", [sample(number), sample(number + 10)])
    assert other.vectors("samples").matrix.shape[0] == 8
    perform(gallery, {"do": "migrate", "fingerprint": "e" * 64})
    assert gallery.fingerprint == "e" * 64
    (answer,) = other.search([sample(12, "e" * 64).embedding], against="samples")
    assert (answer.name, answer.matches[0].source) == ("p2", "dir/12.jpg")
    assert gallery.check() == []


def test_an_unknown_name_is_told(gallery: Gallery) -> None:
    gallery.enroll("ann", [sample(1)])
    for operation in (
        lambda: gallery.delete("bob"),
        lambda: gallery.rename("bob", "eve"),
        lambda: gallery.merge("bob", "ann"),
        lambda: gallery.identity("bob"),
        lambda: gallery.samples("bob"),
        lambda: gallery.remove_sample(10_000),
    ):
        with pytest.raises(GalleryError):
            operation()
    with pytest.raises(InputError):
        gallery.merge("ann", "ann")


def test_two_who_enroll_at_once_lose_nothing(opener: Opener) -> None:
    """Into the same identity: its template is made of the samples of both."""
    galleries = [opener() for _ in range(3)]
    problems: list[Exception] = []

    def work(part: int) -> None:
        try:
            for step in range(8):
                galleries[part].enroll("ann", [sample(100 * part + step)])
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    numbers = [100 * part + step for part in range(3) for step in range(8)]
    assert opener().identity("ann").samples == len(numbers)
    mean = np.mean([vector(number).astype(np.float64) for number in numbers], axis=0)
    (template,) = opener().vectors("templates").matrix
    np.testing.assert_allclose(template, mean / np.linalg.norm(mean), atol=1e-6)
    assert opener().check() == []


def test_a_reader_sees_the_old_or_the_new_never_a_mix(opener: Opener) -> None:
    """Two identities always have the same number of samples, in each state that was committed."""
    writer, reader = opener(), opener()
    writer.enroll("a", [sample(1)])
    writer.enroll("b", [sample(2)])
    done = threading.Event()
    seen: list[set[str]] = []

    def look() -> None:
        while not done.is_set():
            found = reader.vectors("samples")
            seen.append({found.names[owner] for owner in found.owner})

    thread = threading.Thread(target=look)
    thread.start()
    for step in range(15):
        old, new = ("b", "c") if step % 2 == 0 else ("c", "b")
        writer.rename(old, new)
    done.set()
    thread.join()
    assert seen
    assert all(names in ({"a", "b"}, {"a", "c"}) for names in seen)


@postgres
def test_the_servers_search_answers_as_memory_does(postgres_gallery: str) -> None:
    with (
        Gallery.open(postgres_gallery) as memory,
        Gallery.open(postgres_gallery, index="store") as server,
    ):
        for i in range(30):
            memory.enroll(f"p{i}", [sample(10 * i + j) for j in range(3)])
        queries = [near(31), near(290), near(999)]
        for against in ("templates", "samples"):
            ours = memory.search(queries, top_k=5, against=against)
            theirs = server.search(queries, top_k=5, against=against)
            for one, other in zip(ours, theirs, strict=True):
                assert [(m.name, m.source) for m in one.matches] == [
                    (m.name, m.source) for m in other.matches
                ]
                assert [m.score for m in one.matches] == pytest.approx(
                    [m.score for m in other.matches], abs=1e-6
                )
