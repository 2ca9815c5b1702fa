"""A source into a data set of faces: plan, shards, resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from faceport.atomic import alone_in
from faceport.codec import encode
from faceport.datasets.arrow import import_arrow
from faceport.datasets.info import (
    INFO,
    DatasetInfo,
    canonical,
    check_same,
    missing_shards,
    read_info,
    write_info,
)
from faceport.datasets.items import items_of
from faceport.datasets.job import Done, Job, load
from faceport.datasets.local_engine import run_local
from faceport.datasets.plan import Plan, write_plan
from faceport.datasets.ray_engine import run_ray
from faceport.errors import DatasetError, InputError
from faceport.runtime.pipeline import Pipeline

EngineName: TypeAlias = Literal["local", "ray"]
Engine: TypeAlias = Callable[[Job, Sequence[int], int], Generator[Done, None, None]]
"""Embeds the shards of these numbers with so many workers, and gives each as it is done."""

SHARD_SIZE = 1000
"""Pictures a shard: about 40 s of one core, and 5 MB with three faces a picture."""


@dataclass(frozen=True)
class Run:
    """A data set that is ready to be worked on.

    Attributes:
        info: what is in its `_dataset.json`.
        job: what the shards have in common.
        missing: numbers of the shards that are not done.
    """

    info: DatasetInfo
    job: Job
    missing: tuple[int, ...]


@contextmanager
def prepared(
    sources: Sequence[str],
    folder: Path,
    models: Mapping[str, Any],
    *,
    flip: bool = False,
    shard_size: int = SHARD_SIZE,
) -> Iterator[Run]:
    """Plan a data set, or go on with one, and keep others from writing it meanwhile.

    Args:
        sources: folders, lists, tars, Parquet files, patterns; see `items`.
        folder: of the data set; made if it is not there.
        models: arguments of `Pipeline.load`, by name.
        flip: embed the mirror image too and fuse the two.
        shard_size: pictures a shard.

    Raises:
        InputError: the sources have no pictures, or one can't be listed.
        DatasetError: the folder is in use, is no data set, was made with other settings or of
            other pictures, or can't be written.
        FaceportError: the models do not load.
    """
    import_arrow()
    _check_apart(sources, folder)
    with load(models) as pipeline:
        info = DatasetInfo(
            pipeline.embedder.fingerprint,
            pipeline.embedder.dim,
            pipeline.embedder.is_stub,
            _settings(pipeline, models, flip),
            tuple(sources),
            shard_size=shard_size,
        )
    with _locked(folder):
        info = _planned(folder, info)
        _sweep(folder)
        job = Job(folder.absolute(), models, flip, info.dim, _metadata(info))
        yield Run(info, job, tuple(missing_shards(folder, info)))


def _check_apart(sources: Sequence[str], folder: Path) -> None:
    """Refuse a folder inside a source: the next run would take its files for pictures."""
    for source in map(Path, sources):
        if not source.is_dir() or not folder.resolve().is_relative_to(source.resolve()):
            continue
        # Hidden folders are passed over.
        if not any(p.startswith(".") for p in folder.resolve().relative_to(source.resolve()).parts):
            raise InputError(
                "the data set would lie among its own pictures",
                received=f"--output {folder}, source {source}",
                fix="choose an --output outside of the source",
            )


def _planned(folder: Path, info: DatasetInfo) -> DatasetInfo:
    """List the pictures, see that they are those of the data set that is there, write both down."""
    there = _what_is_there(folder)

    def check(plan: Plan) -> None:
        if there is not None:
            check_same(folder, there, replace(info, **vars(plan)))

    plan = write_plan(folder, items_of(info.source), info.shard_size, check)
    info = replace(info, **vars(plan))
    if there is None:
        write_info(folder, info)
    return info


def _metadata(info: DatasetInfo) -> str:
    facts = {"fingerprint": info.fingerprint, "dim": info.dim, "is_stub": info.is_stub}
    return canonical({**facts, "settings": json.loads(info.settings)})


def embed_shards(
    run: Run, engine: EngineName, workers: int, *, ray_address: str | None = None
) -> Generator[Done, None, None]:
    """Embed the shards that are missing, and give each as it is done.

    Raises:
        MissingDependencyError: the engine is not installed.
        DatasetError: the engine failed; what is done stays.
    """
    if not run.missing:
        return
    engines: dict[str, Engine] = {
        "local": run_local,
        "ray": partial(run_ray, address=ray_address),
    }
    if engine not in engines:
        raise InputError("there is no such engine", received=engine, expected=", ".join(engines))
    count = min(workers, len(run.missing))
    with closing(engines[engine](run.job, run.missing, count)) as shards:
        yield from shards
    left = missing_shards(run.job.folder, run.info)
    if left:
        raise DatasetError(f"{len(left)} shards are not there", fix="give the same command again")


def _settings(pipeline: Pipeline, models: Mapping[str, Any], flip: bool) -> str:
    """Return what decides about the rows besides the embedder.

    The engine that runs a model is not among it: parity covers that.
    """
    detector = pipeline.detector
    spec, limits = getattr(detector, "spec", None), getattr(detector, "limits", None)
    names = ("precision", "detector_precision")
    return canonical(
        {
            "detector": "stub" if spec is None else spec.fingerprint,
            "limits": None if limits is None else encode(limits),
            "flip": flip,
            "max_pixels": pipeline.max_pixels,
            "reduced_decoding": bool(models.get("reduced_decoding")),
            **{name: models.get(name) for name in names},
        }
    )


def _what_is_there(folder: Path) -> DatasetInfo | None:
    if (folder / INFO).exists():
        return read_info(folder)
    # A plan without `_dataset.json` is a first run that was killed before it began.
    others = [p.name for p in folder.iterdir() if not p.name.startswith((".", "_plan"))]
    if others:
        raise DatasetError(
            f"{folder} is no data set of faces, and not empty",
            received=sorted(others)[0],
            fix="choose a new folder for --output",
        )
    return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder} can't be made: {error.strerror}") from error
    with alone_in(folder, DatasetError):
        yield


def _sweep(folder: Path) -> None:
    """Remove what killed workers left: files they were writing, and counts of their attempts."""
    for pattern in (".part-*", "._*", ".attempt-*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
