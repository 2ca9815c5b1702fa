"""Shards on a Ray cluster, or on a Ray started here: Ray Data over a pool of actors.

What travels is shard numbers. Pictures are read, and files written, by the actors, so on several
machines the source, the bundles and the output are in a place that all of them see under one path.
Ray restarts an actor that died and gives it its shard again. Nothing is reported to Ray's makers,
and no dashboard is started.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faceport.datasets.job import Done, Job, ShardEmbedder
from faceport.datasets.local_engine import MOST_DEATHS, died_too_often
from faceport.datasets.rows import Counted
from faceport.errors import DatasetError, FaceportError, MissingDependencyError

ATTEMPT = ".attempt-{:06}"
"""A file with a byte for every time that a shard was begun; gone when the shard is done."""

STORE_BYTES = 128 * 1024 * 1024
"""Of Ray's shared memory, which would be a third of the machine's: only counts pass through it."""

SILENCE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
"""Environment for Ray: nothing sent out, no lines of its own, no warning of GPUs."""


class ShardActor:
    """One member of the pool; loads the models once."""

    def __init__(self, job: Job) -> None:
        self._folder = job.folder
        self._embedder = ShardEmbedder(job)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Embed a batch's shards; an error is part of the answer, so that nobody retries it."""
        answers: list[dict[str, Any]] = []
        for number in batch["number"].tolist():
            try:
                attempt = self._begin(number)
                done = self._embedder.embed(number)
                attempt.unlink(missing_ok=True)
                answers.append({"number": number, **vars(done.counted), "problem": ""})
            except FaceportError as error:
                nothing = dict.fromkeys(Counted.__dataclass_fields__, 0)
                answers.append({"number": number, **nothing, "problem": str(error)})
        return {name: [answer[name] for answer in answers] for name in answers[0]}

    def _begin(self, number: int) -> Path:
        """Count this attempt: Ray itself restarts actors and retries their shards without end."""
        attempt = self._folder / ATTEMPT.format(number)
        try:
            with attempt.open("ab") as file:
                if file.tell() >= MOST_DEATHS:
                    raise died_too_often(number)
                file.write(b".")
        except OSError as error:
            raise DatasetError(f"{attempt} can't be written: {error.strerror}") from error
        return attempt


def run_ray(
    job: Job, numbers: Sequence[int], workers: int, *, address: str | None = None
) -> Generator[Done, None, None]:
    """Embed shards, and give each as it is done, in no fixed order.

    Args:
        job: what the shards have in common.
        numbers: of the shards.
        workers: actors, of one core each.
        address: of a running cluster (`auto`, `host:port`); None starts one for this run.

    Raises:
        MissingDependencyError: Ray is not installed.
        DatasetError: Ray failed, or an actor met an error that is not one picture's.
    """
    # Ray reads its environment when it is imported.
    os.environ.update(SILENCE)
    if address is None:
        # Its ports are open to the network, and whoever gets in may run code.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    ray = _import_ray()
    try:
        with _connected(ray, workers, address):
            for row in _answers(ray, job, numbers, workers):
                if row["problem"]:
                    raise DatasetError(row["problem"])
                counts = {name: int(row[name]) for name in Counted.__dataclass_fields__}
                yield Done(int(row["number"]), Counted(**counts))
    except (ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
        fix = "the same command goes on from the shards that are done"
        if isinstance(error, ConnectionError):
            fix = "if the cluster asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        raise DatasetError(f"Ray failed: {error}", fix=fix) from error


def _answers(ray: Any, job: Job, numbers: Sequence[int], workers: int) -> Iterator[dict[str, Any]]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = [{"number": number} for number in numbers]
    # A block a shard: what is retried is one shard, and each is told as soon as it is done.
    shards = ray.data.from_items(rows, override_num_blocks=len(rows))
    done = shards.map_batches(
        ShardActor,
        fn_constructor_args=(job,),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
    )
    yield from done.iter_rows()


@contextmanager
def _connected(ray: Any, workers: int, address: str | None) -> Iterator[None]:
    """Connect to a cluster or start one; leave nothing of it behind."""
    handler = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    folder = None
    if address is None:
        # Short: the paths of Ray's sockets may not be long.
        folder = tempfile.mkdtemp(prefix="fp-ray-", dir="/tmp")
        options |= {"num_cpus": workers, "include_dashboard": False, "_temp_dir": folder}
        options |= {"object_store_memory": STORE_BYTES}
    try:
        with _silent():
            ray.init(address=address or "local", **options)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        # Ray puts one of its own in, which leaves without cleaning up.
        signal.signal(signal.SIGTERM, handler)
        yield
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, handler)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep lines from stderr that Ray's native code writes there by itself; errors are raised."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError("ray[data]", "ray") from error
    return ray
