"""Readers and writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from faceport.gallery.indexes.turns import Turns


def test_readers_read_together() -> None:
    turns, barrier = Turns(), Barrier(3, timeout=5)

    def read() -> None:
        with turns.reading():
            barrier.wait()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(read) for _ in range(3)]:
            done.result()


def test_a_writer_is_alone() -> None:
    turns = Turns()
    inside: list[str] = []
    most: list[tuple[str, ...]] = []

    def enter(kind: str) -> None:
        with turns.writing() if kind == "writer" else turns.reading():
            inside.append(kind)
            most.append(tuple(inside))
            sum(range(2000))
            inside.remove(kind)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enter, ["writer", "reader", "reader", "writer"] * 100))
    assert all(seen == ("writer",) for seen in most if "writer" in seen)
    assert len(most) == 400


def test_an_error_inside_lets_others_in() -> None:
    turns = Turns()
    for block in (turns.reading, turns.writing):
        with pytest.raises(ValueError, match="inside"), block():
            raise ValueError("inside")
    with turns.writing():
        pass
