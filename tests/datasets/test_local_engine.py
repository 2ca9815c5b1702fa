"""Workers that die lose no shard and double none."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from faceport.datasets.info import PLAN, part_path
from faceport.datasets.job import ShardEmbedder
from faceport.datasets.local_engine import run_local
from faceport.datasets.run import Run, prepared
from faceport.errors import DatasetError

STUB = {"detector": "stub", "embedder": "stub"}
SHARDS = 7


def parts(folder: Path) -> list[bytes]:
    return [part_path(folder, number).read_bytes() for number in range(SHARDS)]


def ready(archive: Path, folder: Path, models: dict[str, Any] = STUB) -> Run:
    with prepared([str(archive)], folder, models, shard_size=2) as run:
        return run


@pytest.fixture(scope="module")
def expected(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The parts as one process makes them."""
    folder = tmp_path_factory.mktemp("expected")
    run = ready(archive, folder)
    embedder = ShardEmbedder(run.job)
    assert sum(embedder.embed(n).counted.pictures for n in run.missing) == 14
    return parts(folder)


def test_a_killed_worker_is_replaced(archive: Path, tmp_path: Path, expected: list[bytes]) -> None:
    run = ready(archive, tmp_path)
    done, killed = [], []
    for one in run_local(run.job, run.missing, 2):
        done.append(one.number)
        if len(killed) < 2:
            # One that was killed may be listed for a moment more.
            pid = next(c.pid for c in multiprocessing.active_children() if c.pid not in killed)
            os.kill(pid or 0, signal.SIGKILL)
            killed.append(pid)
    assert sorted(done) == list(range(SHARDS))
    assert len(set(killed)) == 2
    assert parts(tmp_path) == expected
    assert multiprocessing.active_children() == []


def test_a_run_that_is_closed_leaves_no_worker(archive: Path, tmp_path: Path) -> None:
    run = ready(archive, tmp_path)
    shards = run_local(run.job, run.missing, 2)
    next(shards)
    assert len(multiprocessing.active_children()) == 2
    shards.close()
    assert multiprocessing.active_children() == []


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def test_a_shard_that_kills_its_workers_ends_the_run(archive: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    run = ready(archive, tmp_path)
    job = replace(run.job, models={"detector": Deadly()})
    with pytest.raises(DatasetError, match="3 workers died on shard 4"):
        list(run_local(job, [4], 1))


def test_an_error_that_is_no_picture_s_ends_the_run(archive: Path, tmp_path: Path) -> None:
    run = ready(archive, tmp_path)
    (tmp_path / PLAN).unlink()
    with pytest.raises(DatasetError, match=r"_plan.parquet can't be read"):
        list(run_local(run.job, run.missing, 1))
    assert multiprocessing.active_children() == []
