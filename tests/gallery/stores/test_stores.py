"""What every store that is written to must do: the same tests on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from face_stores import SPACE, TIME, add_person, new_sample, opened, unit

from faceport.errors import GalleryError
from faceport.gallery.stores.base import AuditRow, Changes, Store
from faceport.gallery.types import Space

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))]
Opener = Callable[[], Store]


@pytest.fixture(params=BOTH)
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same gallery, as often as it is called; all are closed at the end."""
    if request.param == "sqlite":
        location = str(tmp_path / "g.db")
    else:
        location = request.getfixturevalue("postgres_gallery")
    stores: list[Store] = []

    def opener() -> Store:
        stores.append(opened(location))
        return stores[-1]

    yield opener
    for store in stores:
        store.close()


@pytest.fixture
def store(open_again: Opener) -> Store:
    return open_again()


def everything(store: Store) -> dict[str, list[tuple[float, str]]]:
    with store.snapshot() as reader:
        return {
            row.name: [(s.norm, s.source) for s in reader.samples(row.id)]
            for row in reader.identities()
        }


def version_of(store: Store) -> int:
    with store.snapshot() as reader:
        return reader.version()


def test_what_was_written_is_read_by_another(open_again: Opener) -> None:
    with open_again().transaction() as writer:
        writer.set_space(SPACE)
        ids = add_person(writer, "ann", [1, 2], metadata='{"door": 3, "note": "愛"}')
    with open_again().snapshot() as reader:
        row = reader.identity("ann")
        assert row is not None
        assert (row.name, row.samples, row.created, row.changed) == ("ann", 2, TIME, TIME)
        assert json.loads(row.metadata) == {"door": 3, "note": "愛"}
        samples = reader.samples(row.id)
        assert [s.id for s in samples] == ids
        assert [s.source for s in samples] == ["1.jpg", "2.jpg"]
        assert [s.image_hash for s in samples] == [
            new_sample(1).image_hash,
            new_sample(2).image_hash,
        ]
        assert [s.added for s in samples] == [TIME] * 2
        np.testing.assert_array_equal(samples[1].vector, unit(2))
        assert samples[0].norm == pytest.approx(new_sample(1).norm)
        assert reader.space() == SPACE
        assert reader.sources([ids[1], 10_000]) == {ids[1]: "2.jpg"}
        assert reader.names() == {row.id: "ann"} == reader.names([row.id, 10_000])
        assert reader.has_image(new_sample(2).image_hash) == "ann"
        assert reader.has_image("") is None
        assert reader.has_image("0" * 64) is None
        assert reader.identity("Ann") is None
        assert reader.sample(10_000) is None


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", [1])
    before = everything(store)
    version = version_of(store)

    def fail() -> None:
        with store.transaction() as writer:
            add_person(writer, "bob", [2])
            writer.set_meta("key", "value")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert everything(store) == before
    with store.snapshot() as reader:
        assert reader.meta("key") is None
        assert reader.version() == version


def test_the_version_counts_what_was_written(open_again: Opener) -> None:
    first, second = open_again(), open_again()

    start = version_of(first)
    assert version_of(second) == start
    with first.transaction() as writer:
        writer.set_space(SPACE)
        ann = writer.add_identity("ann", "{}", TIME)
    assert version_of(first) == version_of(second) == start + 1
    with second.transaction() as writer:
        writer.touch_identity(ann, TIME)
    assert version_of(first) == version_of(second) == start + 2
    with second.transaction() as writer:
        assert writer.identity("ann") is not None
    assert version_of(first) == version_of(second) == start + 2


def test_changes_say_who_changed_and_who_is_gone(open_again: Opener) -> None:
    one, other = open_again(), open_again()
    with one.transaction() as writer:
        writer.set_space(SPACE)
        people = [writer.add_identity(f"p{i}", "{}", TIME) for i in range(6)]
        samples = [writer.add_samples(number, [new_sample(number)])[0] for number in people]
    steps: list[Callable[[], None]] = []
    for step in range(5):
        with other.transaction() as writer:
            steps = [
                lambda: writer.rename_identity(people[0], "x", TIME),
                lambda: writer.delete_identity(people[1]),
                lambda: writer.move_samples(people[2], people[3]),
                lambda: writer.delete_sample(samples[4]),
                lambda: writer.set_template(people[5], unit(9), 1.0),
            ]
            steps[step]()
    last = version_of(one)
    with one.snapshot() as reader:
        found = [reader.changes(since) for since in range(last - 5, last + 1)]
    a, b, c, d, e, f = people
    assert found == [
        Changes(last, (a, c, d, e, f), (b,)),
        Changes(last, (c, d, e, f), (b,)),
        Changes(last, (c, d, e, f), ()),
        Changes(last, (e, f), ()),
        Changes(last, (f,), ()),
        Changes(last, (), ()),
    ]


def test_a_version_from_the_future_tells_nothing(store: Store) -> None:
    with store.snapshot() as reader:
        assert reader.changes(reader.version() + 1) is None


def test_ids_are_never_used_again(store: Store) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        (sample,) = add_person(writer, "ann", [1])
        ann = writer.identity("ann")
    assert ann is not None
    with store.transaction() as writer:
        writer.delete_identity(ann.id)
        (again,) = add_person(writer, "ann", [1])
        row = writer.identity("ann")
    assert row is not None
    assert row.id > ann.id
    assert again > sample


def test_deleting_an_identity_leaves_nothing(store: Store) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        (sample,) = add_person(writer, "ann", [1], crop=b"png")
        add_person(writer, "bob", [2], crop=b"png 2")
    with store.transaction() as writer:
        row = writer.identity("ann")
        assert row is not None
        assert writer.crop(sample) == b"png"
        writer.delete_identity(row.id)
    with store.snapshot() as reader:
        assert reader.sample(sample) is None
        assert reader.crop(sample) is None
        assert reader.names([row.id]) == {}
        assert (reader.count("samples"), reader.count("templates")) == (1, 1)
        stats = reader.stats()
    assert (stats.identities, stats.samples, stats.crops) == (1, 1, 1)
    assert stats.bytes > 0
    assert store.check() == []


def test_vectors_are_all_vectors_in_order(store: Store) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        for person in range(7):
            add_person(writer, f"p{person}", range(10 * person, 10 * person + person))
    with store.snapshot() as reader:
        people = sorted(reader.names())
        for against in ("samples", "templates"):
            (rows,) = reader.vectors(against)
            order = list(zip(rows.identity_ids.tolist(), rows.sample_ids.tolist(), strict=True))
            assert order == sorted(order)
            assert len(order) == reader.count(against) == {"samples": 21, "templates": 6}[against]
            assert rows.matrix.dtype == np.float32
        (some,) = reader.vectors("samples", people[3:5])
        owned = {person: [unit(10 * i + j) for j in range(i)] for i, person in enumerate(people)}
        np.testing.assert_array_equal(some.matrix, [*owned[people[3]], *owned[people[4]]])
        assert list(reader.vectors("samples", people[:1])) == []
        assert list(reader.vectors("samples", [])) == []


def test_a_snapshot_does_not_see_what_comes_after(open_again: Opener) -> None:
    one, other = open_again(), open_again()
    with one.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", [1])
    version = version_of(one)
    with one.snapshot() as reader:
        assert reader.version() == version
        with other.transaction() as writer:
            add_person(writer, "bob", [2])
        assert list(reader.names().values()) == ["ann"]
        assert reader.count("samples") == 1
        assert reader.changes(version) == Changes(version, (), ())
    assert sorted(everything(one)) == ["ann", "bob"]


def test_writers_take_turns(open_again: Opener) -> None:
    """Each adds to a number that it read: none of the additions is lost."""
    with open_again().transaction() as writer:
        writer.set_meta("number", "0")
    version = version_of(open_again())
    stores = [open_again() for _ in range(3)]

    def work(store: Store) -> None:
        for _ in range(10):
            with store.transaction() as writer:
                writer.set_meta("number", str(int(writer.meta("number") or "0") + 1))

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores[0].snapshot() as reader:
        assert reader.meta("number") == "30"
    assert version_of(stores[0]) == version + 30


@pytest.mark.parametrize(
    "name", ["O'Brien\"; DROP TABLE identities;--", "../../x", "愛\nñ", "%s {0} $1", "𝔘\r\t", "A"]
)
def test_odd_names_and_sources_are_kept_as_they_are(store: Store, name: str) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        number = writer.add_identity("x", "{}", TIME)
        writer.rename_identity(number, name, TIME)
        writer.add_samples(number, [new_sample(1, source=name)])
        writer.set_meta(name, name)
    with store.snapshot() as reader:
        assert reader.names() == {number: name}
        row = reader.identity(name)
        assert row is not None
        assert [s.source for s in reader.samples(row.id)] == [name]
        assert reader.meta(name) == name


def test_names_are_ordered_by_code_points(store: Store) -> None:
    names = ["b", "B", "a", "é", "Z", "愛", "_", "a b", "ab"]
    with store.transaction() as writer:
        for name in names:
            writer.add_identity(name, "{}", TIME)
    with store.snapshot() as reader:
        assert [row.name for row in reader.identities()] == sorted(names)


def test_a_name_is_taken_once(store: Store) -> None:
    with store.transaction() as writer:
        writer.add_identity("ann", "{}", TIME)

    def again() -> None:
        with store.transaction() as writer:
            writer.add_identity("bob", "{}", TIME)
            writer.add_identity("ann", "{}", TIME)

    with pytest.raises(GalleryError):
        again()
    assert list(everything(store)) == ["ann"]


def test_float16_is_kept_as_it_says(open_again: Opener) -> None:
    store = open_again()
    with store.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", [1, 2])
        writer.set_vector_type("float16")
        add_person(writer, "bob", [3])
    expected = np.stack([unit(1), unit(2), unit(3)]).astype(np.float16).astype(np.float32)
    for again in (store, open_again()):
        with again.snapshot() as reader:
            assert reader.vector_type() == "float16"
            (rows,) = reader.vectors("samples")
            np.testing.assert_array_equal(rows.matrix, expected)
        np.testing.assert_array_equal(again.as_stored(np.stack([unit(1)])), expected[:1])
        np.testing.assert_array_equal(again.as_stored(expected), expected)
    assert store.check() == []


def test_another_space_removes_the_vectors_until_they_are_given_anew(store: Store) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        (sample,) = add_person(writer, "ann", [1])
        row = writer.identity("ann")
    assert row is not None
    version, other = version_of(store), Space("e" * 64, 40)
    with store.transaction() as writer:
        writer.set_space(other)
        assert writer.count("templates") == 0
        writer.set_vector(sample, unit(5, 40), 3.0)
        writer.set_template(row.id, unit(5, 40), 3.0)
    with store.snapshot() as reader:
        assert reader.space() == other
        for against in ("samples", "templates"):
            (rows,) = reader.vectors(against)
            np.testing.assert_array_equal(rows.matrix, [unit(5, 40)])
        assert reader.changes(version) == Changes(version + 1, (row.id,), ())
    assert store.check() == []


def test_the_audit_log_is_kept_in_order(store: Store) -> None:
    rows = [
        AuditRow(n, TIME, "enroll", f'{{"name": "p{n}", "score": 0.1e-7}}', "c" * 64)
        for n in (1, 2, 3)
    ]
    with store.transaction() as writer:
        for row in rows:
            writer.append_audit(row)
    with store.snapshot() as reader:
        assert reader.audit() == rows
        assert reader.audit(2) == rows[1:]
        assert reader.stats().audit_rows == 3


def test_moved_samples_keep_their_ids(store: Store) -> None:
    with store.transaction() as writer:
        writer.set_space(SPACE)
        moved = add_person(writer, "ann", [1, 2])
        kept = add_person(writer, "bob", [3])
        ann, bob = writer.identity("ann"), writer.identity("bob")
        assert ann is not None
        assert bob is not None
        writer.move_samples(ann.id, bob.id)
        writer.delete_identity(ann.id)
    with store.snapshot() as reader:
        assert [s.id for s in reader.samples(bob.id)] == sorted([*moved, *kept])
