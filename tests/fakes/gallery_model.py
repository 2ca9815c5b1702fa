"""What a gallery must hold after a list of operations, in plain dicts; no store is asked.

A sample is a number; its vector is drawn from it, its source and image hash name it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faceport.gallery import Gallery
    from faceport.gallery.types import Sample, StoredSample

DIM = 24
FINGERPRINT = "f" * 64
ODD_NAMES = (
    "O'Brien\"; DROP TABLE identities;--",
    "../../x",
    "愛\nñ",
    "-rf *",
    "%s {0} \\n",
    "𝔘 \r\t",
)

Operation = Mapping[str, Any]
"""JSON: `do` and its arguments."""


@dataclass(frozen=True)
class Person:
    samples: frozenset[int]
    metadata: Mapping[str, Any] = field(default_factory=dict)


State = Mapping[str, Person]


def vector(number: int, fingerprint: str = FINGERPRINT) -> NDArray[np.float32]:
    """The vector that an embedder gives for a sample."""
    drawn = np.random.default_rng([number, ord(fingerprint[0])]).normal(size=DIM)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def sample(number: int, fingerprint: str = FINGERPRINT) -> Sample:
    from faceport.gallery.types import Sample
    from faceport.runtime.types import Embedding

    embedding = Embedding(vector(number, fingerprint), 10.0 + number % 7, fingerprint, "test/cpu")
    return Sample(embedding, f"dir/{number}.jpg", hashlib.sha256(b"%d" % number).hexdigest())


def after(state: State, operation: Operation) -> State:
    """Apply an operation to the model."""
    people = dict(state)
    name = operation.get("name", "")
    match operation["do"]:
        case "enroll":
            old = people.get(name, Person(frozenset()))
            people[name] = Person(old.samples | set(operation["samples"]), old.metadata)
        case "delete":
            del people[name]
        case "rename":
            people[operation["to"]] = people.pop(name)
        case "merge":
            into, source = people[operation["to"]], people.pop(name)
            both = {**source.metadata, **into.metadata}
            people[operation["to"]] = Person(into.samples | source.samples, both)
        case "metadata":
            people[name] = Person(people[name].samples, operation["metadata"])
    return people


def perform(gallery: Gallery, operation: Operation) -> None:
    """Apply an operation to a gallery."""
    name = operation.get("name", "")
    match operation["do"]:
        case "enroll":
            gallery.enroll(name, [sample(number) for number in operation["samples"]])
        case "delete":
            gallery.delete(name)
        case "rename":
            gallery.rename(name, operation["to"])
        case "merge":
            gallery.merge(name, operation["to"])
        case "metadata":
            gallery.set_metadata(name, operation["metadata"])
        case "migrate":
            migrate(gallery, operation["fingerprint"])
        case "search":
            gallery.search([sample(1).embedding])


def migrate(gallery: Gallery, fingerprint: str) -> None:
    """Give all samples the vectors of another embedder."""
    samples = [s for person in gallery.identities() for s in gallery.samples(person.name)]
    gallery.replace_embeddings({s.id: sample(number_of(s), fingerprint).embedding for s in samples})


def number_of(stored: StoredSample) -> int:
    return int(stored.source.removeprefix("dir/").removesuffix(".jpg"))


class Plan:
    """Draws operations that make sense one after the other; no sample comes twice."""

    def __init__(self, seed: int, state: State | None = None, prefix: str = "p") -> None:
        self.rng = np.random.default_rng(seed)
        self.state: State = dict(state or {})
        self.prefix = prefix
        self.first = int(self.rng.integers(1 << 40))
        self.drawn = 0

    def draw(self, count: int) -> list[Operation]:
        return [self._draw() for _ in range(count)]

    def _draw(self) -> Operation:
        kinds = ["enroll"] * 4 + ["merge", "delete", "rename", "metadata"]
        kind = str(self.rng.choice(kinds)) if len(self.state) > 3 else "enroll"
        self.drawn += 1
        number = self.first + 10 * self.drawn
        names = sorted(self.state)
        name = str(self.rng.choice(names)) if names else ""
        operation: dict[str, Any] = {"do": kind, "name": name}
        if kind == "enroll":
            if not names or self.rng.random() < 0.6:
                operation["name"] = self._new_name(number)
            operation["samples"] = list(range(number, number + int(self.rng.integers(1, 6))))
        elif kind == "merge":
            operation["to"] = str(self.rng.choice([other for other in names if other != name]))
        elif kind == "rename":
            operation["to"] = self._new_name(number)
        elif kind == "metadata":
            operation["metadata"] = {"note": "x" * int(self.rng.integers(40)), "n": number}
        self.state = after(self.state, operation)
        return operation

    def _new_name(self, number: int) -> str:
        odd = ODD_NAMES[number // 10 % len(ODD_NAMES)] if self.rng.random() < 0.3 else ""
        return f"{self.prefix}{number}{odd}"


def read(gallery: Gallery, *, hashes: bool = True) -> State:
    """Read all that a gallery holds, checking each sample against its number."""
    people, fingerprint = {}, gallery.fingerprint or FINGERPRINT
    for identity in gallery.identities():
        stored = gallery.samples(identity.name)
        for s in stored:
            expected = sample(number_of(s), fingerprint)
            np.testing.assert_allclose(s.vector, expected.embedding.vector, atol=1e-6)
            assert s.norm == float(expected.embedding.norm)
            assert s.image_hash == (expected.image_hash if hashes else "")
        numbers = frozenset(map(number_of, stored))
        assert len(stored) == len(numbers) == identity.samples, identity
        people[identity.name] = Person(numbers, dict(identity.metadata))
    return people


def check_templates(gallery: Gallery, state: State) -> None:
    """Compare the templates with the float64 mean of the samples' vectors."""
    found, fingerprint = gallery.vectors("templates"), gallery.fingerprint or FINGERPRINT
    assert sorted(found.names) == sorted(state)
    for row, owner in zip(found.matrix, found.owner, strict=True):
        members = sorted(state[found.names[owner]].samples)
        mean = np.sum([vector(n, fingerprint).astype(np.float64) for n in members], axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-5)


def replay(state: State, operations: Sequence[Operation]) -> State:
    for operation in operations:
        state = after(state, operation)
    return state
