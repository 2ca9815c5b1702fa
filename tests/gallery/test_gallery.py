from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from face_gallery import DIM, embedding, sample, samples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from faceport.errors import FingerprintMismatchError, GalleryError, InputError
from faceport.gallery import Gallery, GalleryProtocol, Sample, Settings, ThresholdOrigin
from faceport.gallery.audit import read_log
from faceport.runtime.stub import StubEmbedder
from faceport.runtime.types import Embedding


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))]
)
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gallery]:
    in_postgres = request.param == "postgres"
    place = request.getfixturevalue("postgres_gallery") if in_postgres else tmp_path / "g.db"
    with Gallery(place) as gallery:
        yield gallery


def names(gallery: GalleryProtocol) -> list[str]:
    return [identity.name for identity in gallery.identities()]


def fused(seeds: list[int], norms: list[float] | None = None) -> np.ndarray:
    weights = np.array(norms or [1.0] * len(seeds))
    total = sum(
        weight * embedding(seed).vector.astype(np.float64)
        for seed, weight in zip(seeds, weights, strict=True)
    )
    return np.asarray(total / np.linalg.norm(total))


def test_finds_who_was_enrolled(gallery: Gallery) -> None:
    for seed in range(5):
        assert gallery.enroll(f"person {seed}", samples([seed, seed + 100])) == 2
    (answer,) = gallery.search([embedding(103)], threshold=0.5, top_k=2, against="samples")
    assert answer.name == "person 3"
    assert answer.matches[0].score == pytest.approx(1, abs=1e-6)
    assert answer.matches[0].known
    assert answer.matches[0].source == "103.jpg"
    assert len(answer.matches) == 2
    assert [i.samples for i in gallery.identities()] == [2] * 5
    assert [s.source for s in gallery.samples("person 3")] == ["3.jpg", "103.jpg"]


def test_templates_are_means_and_the_nearest_sample_is_named(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([1, 2, 3]))
    gallery.enroll("bob", samples([4]))
    (answer,) = gallery.search([embedding(2)])
    query = embedding(2).vector.astype(np.float64)
    assert answer.matches[0].score == pytest.approx(float(query @ fused([1, 2, 3])), abs=1e-6)
    assert answer.matches[0].source == "2.jpg"
    other = float(query @ embedding(4).vector)
    assert answer.margin == pytest.approx(answer.matches[0].score - other, abs=1e-6)
    assert answer.threshold == 0.35
    assert answer.name == "ann"


def test_templates_weighted_by_norms(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db", settings=Settings(fusion="norm")) as gallery:
        gallery.enroll("ann", [sample(1, norm=5.0), sample(2, norm=25.0)])
        template = gallery.vectors("templates").matrix[0]
        np.testing.assert_allclose(template, fused([1, 2], [5, 25]), atol=1e-6)
        gallery.change_settings(fusion="mean")
        template = gallery.vectors("templates").matrix[0]
        np.testing.assert_allclose(template, fused([1, 2]), atol=1e-6)
        assert gallery.check() == []


def test_an_answer_says_what_it_rests_on(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([1]))
    gallery.change_settings(threshold=0.9, min_norm=10.0)
    weak, strong = embedding(2, norm=9.0), embedding(1, norm=11.0)
    first, second = gallery.search([weak, strong])
    assert (first.low_quality, second.low_quality) == (True, False)
    assert (first.name, second.name) == ("unknown", "ann")
    assert not first.matches[0].known
    assert first.matches[0].score < 0.9
    assert first.threshold == 0.9
    assert first.margin is None
    assert gallery.search([weak], threshold=-1)[0].name == "ann"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_search_equals_brute_force(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    counts = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=8))
    top_k = data.draw(st.integers(1, 10))
    query = embedding(data.draw(st.integers(10_000, 20_000)))
    owned = {
        f"p{i}": [embedding(100 * i + j) for j in range(count)] for i, count in enumerate(counts)
    }
    with Gallery(tmp_path_factory.mktemp("g") / "g.db") as gallery:
        for name, items in owned.items():
            gallery.enroll(name, [Sample(item, "s") for item in items])
        (answer,) = gallery.search([query], threshold=0.0, top_k=top_k, against="samples")
    exact = {
        name: max(float(query.vector.astype(np.float64) @ e.vector) for e in items)
        for name, items in owned.items()
    }
    ranked = sorted(exact, key=exact.__getitem__, reverse=True)
    assert [m.name for m in answer.matches] == ranked[:top_k]
    assert [m.score for m in answer.matches] == pytest.approx(
        [exact[n] for n in ranked[:top_k]], abs=1e-5
    )
    margin = exact[ranked[0]] - exact[ranked[1]] if len(ranked) > 1 else None
    assert answer.margin == (None if margin is None else pytest.approx(margin, abs=1e-5))


@pytest.mark.parametrize(("kind", "loss"), [("float32", 1e-6), ("float16", 2e-4), ("int8", 1e-2)])
def test_shorter_numbers_find_the_same_people(tmp_path: Path, kind: str, loss: float) -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(60, 128))

    def face(person: int) -> Embedding:
        vector = centres[person] + 0.8 * rng.normal(size=128)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return Embedding(unit, 20.0, "f" * 64, "test/cpu")

    faces = {person: [face(person) for _ in range(3)] for person in range(60)}
    queries = [face(person) for person in range(60)]
    chosen = Settings(vector_type=kind)  # type: ignore[arg-type]
    with Gallery(tmp_path / "g.db", settings=chosen) as gallery:
        for person, some in faces.items():
            gallery.enroll(str(person), [Sample(each, "s") for each in some])
        answers = gallery.search(queries, against="samples")
        by_template = gallery.search(queries)
    held = np.array([[e.vector for e in some] for some in faces.values()], np.float64)
    wide = np.array([query.vector for query in queries], np.float64)
    nearest = np.einsum("qd,psd->qps", wide, held).max(axis=2)
    means = held.mean(axis=1)
    fused_scores = wide @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    for exact, found in ((nearest, answers), (fused_scores, by_template)):
        assert [a.matches[0].name for a in found] == [str(p) for p in exact.argmax(axis=1)]
        scores = np.array([answer.matches[0].score for answer in found])
        assert np.abs(scores - exact.max(axis=1)).max() < loss


def test_an_empty_gallery_knows_nobody(gallery: Gallery) -> None:
    (answer,) = gallery.search([embedding(1)], threshold=0.3)
    assert (answer.matches, answer.name, answer.margin) == ((), "unknown", None)
    assert gallery.search([], threshold=0.3) == []
    assert gallery.fingerprint is None
    assert gallery.vectors("samples").names == ()
    assert gallery.check() == []


@pytest.mark.parametrize(
    "other",
    [
        embedding(1, fingerprint="e" * 64),
        embedding(1, dim=DIM * 2),
        embedding(1, is_stub=True),
    ],
    ids=["fingerprint", "dim", "stub"],
)
def test_another_embedder_is_refused(gallery: Gallery, other: Embedding) -> None:
    gallery.enroll("ann", samples([0]))
    with pytest.raises(FingerprintMismatchError, match="another embedder"):
        gallery.enroll("bob", [Sample(other, "b")])
    for against in ("templates", "samples"):
        with pytest.raises(FingerprintMismatchError, match="another embedder"):
            gallery.search([other], threshold=0.3, against=against)  # type: ignore[arg-type]
    assert names(gallery) == ["ann"]


def test_an_enrolment_is_all_or_nothing(gallery: Gallery) -> None:
    mixed = [sample(0), Sample(embedding(1, fingerprint="e" * 64), "b")]
    with pytest.raises(FingerprintMismatchError):
        gallery.enroll("ann", mixed)
    with pytest.raises(InputError, match="at least 1"):
        gallery.enroll("ann", [])
    assert gallery.identities() == []
    assert gallery.fingerprint is None
    assert gallery.stats().version == 1


@pytest.mark.parametrize("name", ["", "  ", "unknown", "x" * 201, "a\0b", "\udcff"])
def test_unusable_names(gallery: Gallery, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        gallery.enroll(name, samples([0]))
    gallery.enroll("ann", samples([0]))
    with pytest.raises(InputError, match="name"):
        gallery.rename("ann", name)


def test_a_source_that_is_no_unicode_is_kept_with_escapes(gallery: Gallery) -> None:
    (sample,) = samples([0])
    gallery.enroll("ann", [replace(sample, source="photos/\udcff\0.jpg")])
    (stored,) = gallery.samples("ann")
    assert stored.source == "photos/\\udcff\\x00.jpg"


@pytest.mark.parametrize(
    "name", ["O'Brien\"; DROP TABLE identities;--", "../../x", "愛\nñ", "%_?*", "a\x01\u202eb"]
)
def test_odd_names_are_kept_as_they_are(gallery: Gallery, name: str) -> None:
    gallery.enroll(name, samples([0]))
    assert gallery.search([embedding(0)])[0].name == name
    assert gallery.identity(name).samples == 1
    gallery.rename(name, f"{name}2")
    gallery.rename(f"{name}2", name)
    gallery.delete(name)
    assert gallery.check() == []


@pytest.mark.parametrize("scale", [0.0, 0.5, np.nan])
def test_only_unit_vectors_enter(gallery: Gallery, scale: float) -> None:
    unit = embedding(0)
    with pytest.raises(InputError, match="unit vector"):
        gallery.enroll("ann", [Sample(replace(unit, vector=unit.vector * np.float32(scale)), "a")])
    for norm in (-1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="norm"):
            gallery.enroll("ann", [Sample(replace(unit, norm=norm), "a")])


def test_a_second_reader_sees_the_change(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0]))
    with Gallery(gallery.location, create=False) as other:
        assert other.search([embedding(1)], threshold=0.9)[0].matches[0].name == "ann"
        gallery.enroll("bob", samples([1]))
        assert other.search([embedding(1)], threshold=0.9)[0].matches[0].name == "bob"
        gallery.delete("bob")
        assert other.search([embedding(1)], threshold=0.9)[0].matches[0].name == "ann"


@pytest.mark.parametrize("vector_type", ["float32", "float16", "int8"])
def test_what_is_there_already_is_not_added_again(tmp_path: Path, vector_type: str) -> None:
    chosen = Settings(vector_type=vector_type)  # type: ignore[arg-type]
    with Gallery(tmp_path / "g.db", settings=chosen) as gallery:
        assert gallery.enroll("ann", samples([0])) == 1
        assert gallery.enroll("ann", samples([0, 1, 1])) == 1
        assert gallery.enroll("bob", samples([0])) == 1
        assert [i.samples for i in gallery.identities()] == [2, 1]
        version = gallery.stats().version
        assert gallery.enroll("ann", samples([1, 0])) == 0
        assert gallery.stats().version == version


def test_a_picture_is_added_once(gallery: Gallery) -> None:
    picture = "a" * 64
    assert gallery.has_image(picture) is None
    assert gallery.enroll("ann", [replace(sample(0), image_hash=picture)]) == 1
    assert gallery.enroll("ann", [replace(sample(1), image_hash=picture)]) == 0
    assert gallery.has_image(picture) == "ann"
    assert gallery.has_image("") is None
    assert gallery.enroll("bob", [replace(sample(1), image_hash=picture)]) == 1


def test_an_embedder_is_refused_before_it_works(gallery: Gallery) -> None:
    gallery.check_embedder(StubEmbedder())
    gallery.enroll("ann", samples([0]))
    with pytest.raises(FingerprintMismatchError, match="stub"):
        gallery.check_embedder(StubEmbedder())


def test_delete(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0]))
    gallery.enroll("bob", samples([1]))
    gallery.delete("ann")
    assert [m.name for m in gallery.search([embedding(0)], top_k=5)[0].matches] == ["bob"]
    with pytest.raises(GalleryError, match="nobody"):
        gallery.delete("ann")


def test_rename(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0]), metadata={"door": 3})
    gallery.enroll("bob", samples([1]))
    assert gallery.search([embedding(0)])[0].name == "ann"
    gallery.rename("ann", "Ann")
    assert gallery.search([embedding(0)])[0].name == "Ann"
    assert gallery.identity("Ann").metadata == {"door": 3}
    with pytest.raises(GalleryError, match="already"):
        gallery.rename("Ann", "bob")
    with pytest.raises(GalleryError, match="nobody"):
        gallery.rename("ann", "carl")
    gallery.rename("bob", "bob")
    assert names(gallery) == ["Ann", "bob"]


def test_merge(gallery: Gallery) -> None:
    gallery.enroll("ann", [sample(0), sample(1, hashed=True)], metadata={"a": 1, "both": "ann"})
    gallery.enroll("anna", [sample(0), sample(2)], metadata={"b": [2], "both": "anna"})
    gallery.enroll("anna", [replace(sample(3), image_hash=sample(1, hashed=True).image_hash)])
    gallery.merge("anna", "ann")
    assert [s.source for s in gallery.samples("ann")] == ["0.jpg", "1.jpg", "2.jpg"]
    assert gallery.identity("ann").metadata == {"a": 1, "b": [2], "both": "ann"}
    assert names(gallery) == ["ann"]
    np.testing.assert_allclose(gallery.vectors("templates").matrix[0], fused([0, 1, 2]), atol=1e-6)
    with pytest.raises(InputError, match="itself"):
        gallery.merge("ann", "ann")
    with pytest.raises(GalleryError, match="nobody"):
        gallery.merge("anna", "ann")
    assert gallery.check() == []


def test_remove_sample(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0, 1]))
    first, second = gallery.samples("ann")
    gallery.remove_sample(first.id)
    np.testing.assert_allclose(gallery.vectors("templates").matrix[0], fused([1]), atol=1e-6)
    gallery.remove_sample(second.id)
    assert gallery.identity("ann").samples == 0
    assert gallery.search([embedding(1)])[0].matches == ()
    with pytest.raises(GalleryError, match="no such sample"):
        gallery.remove_sample(second.id)
    gallery.enroll("ann", samples([2]))
    assert gallery.samples("ann")[0].id > second.id
    assert gallery.check() == []


def test_samples_that_cancel_out_still_have_a_template(gallery: Gallery) -> None:
    one = embedding(1)
    opposite = replace(one, vector=-one.vector, norm=21.0)
    gallery.enroll("ann", [Sample(one, "a"), Sample(opposite, "b")])
    np.testing.assert_array_equal(gallery.vectors("templates").matrix[0], opposite.vector)
    assert gallery.check() == []


def test_metadata(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0]))
    assert gallery.identity("ann").metadata == {}
    wide = {"text": "愛\n'\"", "list": [1, 2.5, None, True], "deep": {"a": {"b": []}}}
    gallery.set_metadata("ann", wide)  # type: ignore[arg-type]
    assert gallery.identity("ann").metadata == wide
    gallery.enroll("ann", samples([1]))
    assert gallery.identity("ann").metadata == wide
    gallery.enroll("ann", samples([1]), metadata={})
    assert gallery.identity("ann").metadata == {}
    for bad in ({"a": np.float32(1)}, {"a": float("nan")}, {1: "a"}):
        with pytest.raises(InputError, match="metadata"):
            gallery.set_metadata("ann", bad)  # type: ignore[arg-type]


def test_crops_are_kept_only_where_that_was_asked_for(gallery: Gallery) -> None:
    gallery.enroll("ann", [replace(sample(0), crop=b"png 0")])
    gallery.change_settings(keep_crops=True)
    gallery.enroll("ann", [replace(sample(1), crop=b"png 1")])
    first, second = gallery.samples("ann")
    assert (first.has_crop, second.has_crop) == (False, True)
    assert gallery.crop(first.id) is None
    assert gallery.crop(second.id) == b"png 1"
    gallery.remove_sample(second.id)
    assert gallery.crop(second.id) is None


def test_settings_are_kept_in_the_gallery(tmp_path: Path) -> None:
    origin = ThresholdOrigin(1e-4, 1_000_000)
    chosen = Settings("norm", "float16", 0.4, origin, 12.0, keep_crops=True)
    with Gallery(tmp_path / "g.db", settings=chosen) as gallery:
        assert gallery.settings == chosen
        gallery.enroll("ann", samples([0]))
    with Gallery(tmp_path / "g.db", settings=Settings(vector_type="int8")) as gallery:
        assert gallery.settings == chosen
        assert gallery.threshold() == 0.4
        assert gallery.change_settings(threshold=0.5).threshold_origin is None
        assert gallery.threshold(0.1) == 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 2},
        {"threshold": np.nan},
        {"min_norm": -1},
        {"fusion": "median"},
        {"vector_type": "float64"},
        {"keep_crops": "yes"},
        {"colour": "red"},
        {"threshold_origin": 3},
    ],
)
def test_settings_that_are_not_usable(gallery: Gallery, change: dict[str, object]) -> None:
    before = gallery.settings
    with pytest.raises(InputError, match="setting"):
        gallery.change_settings(**change)
    assert gallery.settings == before


def test_another_embedder_takes_over(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0, 1]))
    gallery.enroll("bob", samples([2]))
    ids = [s.id for name in ("ann", "bob") for s in gallery.samples(name)]
    new = {i: embedding(50 + i, dim=8, fingerprint="e" * 64) for i in ids}
    with pytest.raises(GalleryError, match="changed while"):
        gallery.replace_embeddings({i: new[i] for i in ids[:2]})
    assert gallery.search([embedding(2)])[0].name == "bob"
    gallery.replace_embeddings({i: new[i] for i in ids[:2]}, drop=ids[2:])
    assert gallery.search([new[ids[1]]], against="samples")[0].name == "ann"
    assert gallery.identity("bob").samples == 0
    assert gallery.space is not None
    assert gallery.space.dim == 8
    assert gallery.check() == []


def test_search_limits(gallery: Gallery) -> None:
    for bad in ({"threshold": 1.5}, {"threshold": np.nan}, {"top_k": 0}, {"against": "faces"}):
        with pytest.raises(InputError, match="limits"):
            gallery.search([embedding(0)], **bad)  # type: ignore[arg-type]


def test_changes_are_written_down_where_that_was_asked_for(gallery: Gallery) -> None:
    gallery.enroll("ann", samples([0]))
    gallery.change_settings(audit=True)
    gallery.enroll("bob", samples([1]))
    gallery.enroll("bob", samples([1]))
    gallery.merge("bob", "ann")
    gallery.delete("ann")
    with gallery._store.snapshot() as reader:
        log = read_log(reader)
    assert [entry.action for entry in log] == ["settings", "enroll", "merge", "delete"]
    assert log[1].details == {"name": "bob", "samples": 1}


def test_threads_see_either_the_old_or_the_new(gallery: Gallery) -> None:
    """Both samples of an identity come and go together: no search may see one of them."""
    gallery.enroll("rest", samples([9]))
    done, seen = threading.Event(), []

    def look() -> None:
        while not done.is_set():
            answers = gallery.search(
                [embedding(0), embedding(1)], threshold=0.99, against="samples"
            )
            seen.append([answer.name for answer in answers])

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        gallery.enroll("ann", samples([0, 1]))
        gallery.delete("ann")
    done.set()
    for thread in threads:
        thread.join()
    assert {tuple(pair) for pair in seen} <= {("ann", "ann"), ("unknown", "unknown")}
    assert seen


class Model(RuleBasedStateMachine):
    """A gallery against a dictionary, with a second process' view of it."""

    people = st.sampled_from(["ann", "bob", "c'c\"", "d\nd", "愛"])
    seeds = st.integers(0, 12)

    @initialize(kind=st.sampled_from(["float32", "float16", "int8"]))
    def begin(self, kind: str) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "g.db"
        chosen = Settings(vector_type=kind)  # type: ignore[arg-type]
        self.gallery, self.other = Gallery(path, settings=chosen), Gallery(path)
        self.known: dict[str, list[int]] = {}

    @rule(name=people, seeds=st.lists(seeds, min_size=1, max_size=3))
    def enroll(self, name: str, seeds: list[int]) -> None:
        before = self.known.setdefault(name, [])
        new = [seed for seed in dict.fromkeys(seeds) if seed not in before]
        assert self.gallery.enroll(name, samples(seeds)) == len(new)
        before += new

    @rule(name=people)
    def delete(self, name: str) -> None:
        if name in self.known:
            self.gallery.delete(name)
            del self.known[name]

    @rule(old=people, new=people)
    def rename(self, old: str, new: str) -> None:
        if old in self.known and new not in self.known:
            self.gallery.rename(old, new)
            self.known[new] = self.known.pop(old)

    @rule(source=people, into=people)
    def merge(self, source: str, into: str) -> None:
        if source != into and {source, into} <= self.known.keys():
            self.gallery.merge(source, into)
            moved = self.known.pop(source)
            self.known[into] += [seed for seed in moved if seed not in self.known[into]]

    @rule(name=people)
    def remove_a_sample(self, name: str) -> None:
        if self.known.get(name):
            first = self.gallery.samples(name)[0]
            self.gallery.remove_sample(first.id)
            self.known[name].remove(int(first.source.removesuffix(".jpg")))

    @rule(query=st.integers(100, 110), top_k=st.integers(1, 6))
    def search(self, query: int, top_k: int) -> None:
        wide = embedding(query).vector.astype(np.float64)
        for gallery in (self.gallery, self.other):
            (found,) = gallery.search([embedding(query)], top_k=top_k, against="samples")
            exact = {
                name: max(float(wide @ embedding(seed).vector) for seed in seeds)
                for name, seeds in self.known.items()
                if seeds
            }
            assert len(found.matches) == min(top_k, len(exact))
            for match, score in zip(
                found.matches, sorted(exact.values(), reverse=True), strict=False
            ):
                assert match.score == pytest.approx(exact[match.name], abs=2e-2)
                assert match.score == pytest.approx(score, abs=2e-2)

    @invariant()
    def is_what_the_dictionary_says(self) -> None:
        if hasattr(self, "known"):
            held = {
                i.name: sorted(int(s.source[:-4]) for s in self.other.samples(i.name))
                for i in self.other.identities()
            }
            assert held == {name: sorted(seeds) for name, seeds in self.known.items()}

    def teardown(self) -> None:
        if hasattr(self, "known"):
            assert self.gallery.check() == []
            self.gallery.close()
            self.other.close()
            self.folder.cleanup()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


def test_settings_are_json_that_others_can_read(gallery: Gallery) -> None:
    gallery.change_settings(threshold=0.25)
    with gallery._store.snapshot() as reader:
        text = reader.meta("settings")
    assert text is not None
    assert json.loads(text)["threshold"] == 0.25
