"""`faceport embed-dataset`: what it prints, and what is left where it is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from faceport.commands import run

STUB = ["--detector", "stub", "--embedder", "stub"]


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """A hundred and fifty pictures under other names."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(sorted((photos / "pairs").glob("*.jp*g")) * 20):
        if number < 150:
            (folder / f"{number:03}{path.suffix}").symlink_to(path)
    return folder


def embed_dataset(*args: object) -> int:
    return run(["embed-dataset", *(str(arg) for arg in args)])


def test_it_says_what_it_made_and_what_was_there(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list.txt"
    names = [str(path) for path in sorted((photos / "pairs").glob("*.jp*g"))[:5]]
    listed.write_text("\n".join([*names, "missing.jpg"]))
    output = tmp_path / "faces"
    command = [listed, *STUB, "--output", output, "--shard-size", 4, "--workers", 1]
    assert embed_dataset(*command, "--json") == 0
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert (said["pictures"], said["faces"], said["empty"], said["failed"]) == (6, 5, 0, 1)
    assert (said["shards"], said["already_there"], said["is_stub"]) == (2, 0, True)
    assert "the stub embedder makes vectors from pixels" in captured.err
    rows = pq.ParquetDataset(output).read(["source", "error"]).to_pylist()
    assert [row["source"] for row in rows] == [*names, "missing.jpg"]
    assert "could not be opened" in rows[-1]["error"]
    assert embed_dataset(*command) == 0
    assert "already there" in capsys.readouterr().out
    assert embed_dataset(*command, "--flip") == 1
    assert "received flip=True; expected flip=False" in capsys.readouterr().err


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    command = [tmp_path / "empty", *STUB, "--output", tmp_path / "out"]
    assert embed_dataset(*command, "--ray-address", "auto") == 2
    assert embed_dataset(*command, "--engine", "dask") == 2
    assert embed_dataset(*command) == 1
    assert "the source has no pictures" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_run_leaves_no_process_and_goes_on(
    folder: Path, tmp_path: Path, how: signal.Signals
) -> None:
    output = tmp_path / "faces"
    command = [str(folder), *STUB, "--output", str(output), "--shard-size", "3", "--workers", "2"]
    code = "from faceport.commands import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "embed-dataset", *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(output.glob("part-*")):
        assert process.poll() is None
        time.sleep(0.005)
    workers = psutil.Process(process.pid).children(recursive=True)
    if how == signal.SIGINT:
        # As a terminal does it: to everybody.
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    there = len(list(output.glob("part-*")))
    assert 0 < there < 50
    if how != signal.SIGKILL:
        assert f"{there} of 50 shards are in" in said
    assert embed_dataset(*command) == 0
    names = pq.ParquetDataset(output).read(["source"]).column("source").to_pylist()
    assert names == [str(path) for path in sorted(folder.iterdir())]
    assert [path.name for path in output.iterdir() if path.name.startswith(".")] == []
