"""Ray's data set is the local one, with an actor killed and a run interrupted on the way.

Ray starts in seconds, so this is one test, of the command and in processes of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from faceport.datasets.info import part_path
from faceport.datasets.job import Job, ShardEmbedder
from faceport.datasets.ray_engine import MOST_DEATHS, ShardActor
from faceport.datasets.run import embed_shards, prepared
from faceport.errors import InputError

SHARDS = 12

pytestmark = pytest.mark.xdist_group("ray")


def started(folder: Path, source: Path, models: dict[str, str]) -> psutil.Popen:
    code = "from faceport.commands import main; main()"
    command = [sys.executable, "-c", code, "embed-dataset", str(source)]
    options = [item for name, value in models.items() for item in (f"--{name}", value)]
    more = ["--output", str(folder), "--shard-size", "4", "--engine", "ray", "--workers", "2"]
    return psutil.Popen(
        [*command, *options, *more, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_parts(run: psutil.Popen, folder: Path, count: int) -> None:
    end = time.monotonic() + 120
    while len(list(folder.glob("part-*"))) < count:
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


def test_ray_makes_the_same_data_set_whatever_is_killed(
    detectors: dict[str, Path], recognisers: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    source, folder = tmp_path / "photos", tmp_path / "ray"
    source.mkdir()
    names = sorted((photos / "pairs").glob("*.jp*g")) * 6
    for number, path in enumerate(names[: 4 * SHARDS]):
        (source / f"{number:02}{path.suffix}").symlink_to(path)
    models = {"detector": str(detectors["scrfd"]), "embedder": str(recognisers["flat"])}

    run = started(folder, source, models)
    wait_for_parts(run, folder, 1)
    family = run.children(recursive=True)
    daemons = [p for p in family if "raylet" in p.name() or "gcs_server" in p.name()]
    assert {p.environ().get("RAY_USAGE_STATS_ENABLED") for p in daemons} == {"0"}
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 130, output
    assert f"of {SHARDS} shards are in" in output
    assert gone(family)

    there = {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*")}
    assert 0 < len(there) < SHARDS
    run = started(folder, source, models)
    wait_for_parts(run, folder, len(there) + 1)
    actors = [p for p in run.children(recursive=True) if "ShardActor" in "".join(p.cmdline())]
    actors[0].kill()
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert f'"already_there": {len(there)}' in output
    assert {name: (folder / name).stat().st_mtime_ns for name in there} == there

    with prepared([str(source)], tmp_path / "local", models, shard_size=4) as local:
        assert len(list(embed_shards(local, "local", 2))) == SHARDS
    for number in range(SHARDS):
        expected = part_path(tmp_path / "local", number).read_bytes()
        assert part_path(folder, number).read_bytes() == expected
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith("part-")) == [
        "_dataset.json",
        "_plan.parquet",
    ]


def test_an_actor_counts_the_attempts_of_its_shard(archive: Path, tmp_path: Path) -> None:
    import numpy as np

    class Dies(ShardEmbedder):
        def embed(self, number: int) -> None:  # type: ignore[override]
            raise KeyboardInterrupt

    stub = {"detector": "stub", "embedder": "stub"}
    with prepared([str(archive)], tmp_path, stub, shard_size=4) as run:
        actor = ShardActor(run.job)
        batch = {"number": np.array([2])}
        actor._embedder = Dies(run.job)
        for _ in range(MOST_DEATHS):
            with pytest.raises(KeyboardInterrupt):
                actor(batch)
        actor._embedder = ShardEmbedder(run.job)
        (problem,) = actor(batch)["problem"]
        assert "3 workers died on shard 2" in problem
        assert actor({"number": np.array([1])})["pictures"] == [4]
    assert [path.name for path in tmp_path.glob(".attempt*")] == [".attempt-000002"]
    with prepared([str(archive)], tmp_path, stub, shard_size=4):
        assert list(tmp_path.glob(".attempt*")) == []


def test_an_unknown_engine_is_named(archive: Path, tmp_path: Path) -> None:
    stub = {"detector": "stub", "embedder": "stub"}
    with (
        prepared([str(archive)], tmp_path, stub) as run,
        pytest.raises(InputError, match="received dask; expected local, ray"),
    ):
        list(embed_shards(run, "dask", 1))  # type: ignore[arg-type]


def test_a_job_travels(archive: Path) -> None:
    import pickle

    job = Job(archive, {"detector": "stub"}, False, 8, "{}")
    assert pickle.loads(pickle.dumps(job)) == job
