"""The figures of throughput, on runs whose times are known, and on the stub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from faceport.benchmarks.throughput import Spent, main, pictures_of, throughputs
from faceport.errors import InputError


def test_shares_are_of_what_the_cores_allow() -> None:
    spent = {
        # 10 pictures of 0.1 CPU-seconds: two cores allow 20 a second.
        "alone": [Spent(1.0, 1.0, 1.0)] * 3,
        "perfect": [Spent(0.5, 1.0, 0.0)] * 3,
        "wasteful": [Spent(1.0, 2.0, 0.0)] * 3,
        # Another process had half of the machine.
        "disturbed": [Spent(1.0, 1.0, 0.0)] * 3,
        "unknown": [Spent(1.0, 1.0, None)] * 3,
    }
    found = {one.way: one for one in throughputs(spent, "alone", 10, 2)}
    assert [one.rate for one in found.values()] == [10, 20, 10, 10, 10]
    assert found["wasteful"].cpu_ms == pytest.approx(200)
    assert [one.share for one in found.values()] == [0.5, 1.0, 0.5, 0.5, 0.5]
    assert [one.share_of_free for one in found.values()] == [0.5, 1.0, 0.5, 1.0, None]


def test_pictures_are_repeated(photos: Path, tmp_path: Path) -> None:
    found = pictures_of(photos, 60)
    assert len(found) == 60
    assert len(set(found)) == 26
    assert found[0] == found[26]
    with pytest.raises(InputError, match="no pictures"):
        pictures_of(tmp_path, 3)


def test_every_way_is_measured(photos: Path) -> None:
    arguments = ["--detector", "stub", "--embedder", "stub", "--pictures", "4", "--rounds", "1"]
    folder = str(photos / "pairs")
    done = CliRunner().invoke(main, [folder, *arguments, "--workers", "2", "--json"])
    assert done.exit_code == 0, done.output
    ways = json.loads(done.stdout)
    assert [way["way"] for way in ways] == [
        *("process_each, 1 thread", "process_each", "stream, 1 workers", "stream, 2 workers")
    ]
    assert all(way["rate"] > 0 and way["cpu_ms"] > 0 for way in ways)
    done = CliRunner().invoke(main, [folder, *arguments, "--workers", "1"])
    assert "limit" in done.stdout
    done = CliRunner().invoke(main, [folder, *arguments[:2], "--embedder", "/nowhere"])
    assert done.exit_code == 1
