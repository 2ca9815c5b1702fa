"""Several processes at one gallery: nothing lost, and a reader sees one moment, never a mix."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from gallery_killer import finish, start
from gallery_model import (
    Plan,
    State,
    after,
    check_templates,
    perform,
    read,
    sample,
    vector,
)

from faceport.gallery import Gallery
from faceport.gallery.types import VectorSet


def test_two_processes_enrolling_at_once(tmp_path: Path) -> None:
    location = str(tmp_path / "g.db")
    plans = [Plan(seed, prefix=f"w{seed} ") for seed in (1, 2, 3)]
    operations = [plan.draw(60) for plan in plans]
    for number, own in enumerate(operations):
        # One person to whom all of them give faces.
        for i in range(6):
            faces = [number * 1000 + i, 7]
            own.insert(10 * i, {"do": "enroll", "name": "shared", "samples": faces})
    workers = [start(tmp_path, location, own) for own in operations]
    outcomes = [finish(worker) for worker in workers]
    assert [o.errors for o in outcomes] == [()] * 3
    assert [o.acknowledged for o in outcomes] == [66] * 3
    expected: State = {}
    for own in operations:
        for operation in own:
            expected = after(expected, operation)
    with Gallery.open(location) as gallery:
        assert gallery.check() == []
        found = read(gallery)
        check_templates(gallery, found)
    assert found == expected


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    location = str(tmp_path / "g.db")
    operations = Plan(7).draw(250)
    states: list[State] = [{}]
    for operation in operations:
        states.append(after(states[-1], operation))
    numbers = {vector(n).tobytes(): n for n in _all_numbers(states)}
    with Gallery.open(location) as gallery:
        worker = start(tmp_path, location, operations)
        seen = reads = 0
        while worker.poll() is None:
            seen = _moment(states, gallery.vectors("samples"), numbers, seen)
            seen = _moment_of_templates(states, gallery.vectors("templates"), seen)
            reads += 1
        assert finish(worker).acknowledged == len(operations)
        assert _moment(states, gallery.vectors("samples"), numbers, seen) >= seen
        assert read(gallery) == states[-1]
    assert reads > 20


def test_threads_of_one_gallery(tmp_path: Path) -> None:
    """One thread writes, three read through the same object."""
    operations = Plan(8).draw(80)
    states: list[State] = [{}]
    for operation in operations:
        states.append(after(states[-1], operation))
    numbers = {vector(n).tobytes(): n for n in _all_numbers(states)}
    done = threading.Event()
    failures: list[BaseException] = []

    with Gallery.open(str(tmp_path / "g.db")) as gallery:

        def look() -> None:
            seen = 0
            try:
                while not done.is_set():
                    seen = _moment(states, gallery.vectors("samples"), numbers, seen)
                    gallery.search([sample(1).embedding], top_k=3)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for operation in operations:
                perform(gallery, operation)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert read(gallery) == states[-1]


def _all_numbers(states: list[State]) -> set[int]:
    return {n for state in states for person in state.values() for n in person.samples}


def _moment(states: list[State], found: VectorSet, numbers: dict[bytes, int], earliest: int) -> int:
    """Return the first state from `earliest` on that holds exactly these samples."""
    people: dict[str, set[int]] = {name: set() for name in found.names}
    for row, owner in zip(found.matrix, found.owner, strict=True):
        people[found.names[owner]].add(numbers[row.tobytes()])
    for i in range(earliest, len(states)):
        if {name: set(person.samples) for name, person in states[i].items()} == people:
            return i
    raise AssertionError(f"no state from {earliest} on holds {people}")


def _moment_of_templates(states: list[State], found: VectorSet, earliest: int) -> int:
    for i in range(earliest, len(states)):
        if set(states[i]) == set(found.names) and _templates_fit(states[i], found):
            return i
    raise AssertionError(f"no state from {earliest} on has these templates: {found.names}")


def _templates_fit(state: State, found: VectorSet) -> bool:
    sums = [
        np.sum([vector(n).astype(np.float64) for n in state[found.names[owner]].samples], axis=0)
        for owner in found.owner
    ]
    units = [total / np.linalg.norm(total) for total in sums]
    return all(np.allclose(a, b, atol=1e-5) for a, b in zip(units, found.matrix, strict=True))


def test_processes_that_make_the_same_gallery(tmp_path: Path) -> None:
    location = str(tmp_path / "g.db")
    workers = [
        start(tmp_path, location, [{"do": "enroll", "name": f"p{i}", "samples": [i]}])
        for i in range(4)
    ]
    assert [finish(worker).errors for worker in workers] == [()] * 4
    with Gallery.open(location) as gallery:
        assert sorted(read(gallery)) == ["p0", "p1", "p2", "p3"]
        assert gallery.check() == []


@pytest.mark.parametrize("statement", ["rename", "merge"])
def test_two_that_want_the_same_name(tmp_path: Path, statement: str) -> None:
    """The second to come is refused, whatever it saw before."""
    from faceport.errors import FaceportError

    with Gallery.open(str(tmp_path / "g.db")) as first, Gallery.open(str(tmp_path / "g.db")) as two:
        for number, name in enumerate(("ann", "bob", "eve")):
            perform(first, {"do": "enroll", "name": name, "samples": [number]})
        assert len(two.identities()) == 3
        perform(
            first, {"do": statement, "name": "ann", "to": "zoe" if statement == "rename" else "eve"}
        )
        with pytest.raises(FaceportError):
            perform(two, {"do": statement, "name": "ann", "to": "bob"})
        assert two.check() == []
        assert read(two) == read(first)
