"""What a worker does: load the models once, then one shard after the other.

Both engines run this same code, in one thread a process and with one thread a model run, so that a
shard's file does not depend on who made it: batches are those of the shard's own pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceport.datasets.info import part_path
from faceport.datasets.pictures import pictures
from faceport.datasets.plan import read_shard
from faceport.datasets.rows import Counted, schema_of, write_part
from faceport.runtime.pipeline import Pipeline

SIDE_BY_SIDE = 2
"""Any number above 1 tells a session that others run beside it: it then takes one thread."""


@dataclass(frozen=True)
class Job:
    """What all shards of a data set have in common; travels to the workers.

    Attributes:
        folder: of the data set, absolute.
        models: arguments of `Pipeline.load`, by name.
        flip: embed the mirror image too.
        dim: length of the vectors.
        metadata: JSON for the schema.
    """

    folder: Path
    models: Mapping[str, Any]
    flip: bool
    dim: int
    metadata: str


@dataclass(frozen=True)
class Done:
    """One shard that is in its place."""

    number: int
    counted: Counted


class ShardEmbedder:
    """Embeds shards; the models are loaded with the first one."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pipeline: Pipeline | None = None

    def embed(self, number: int) -> Done:
        """Embed a shard and put its file in place.

        Raises:
            DatasetError: the plan can't be read, or the file not written.
            FaceportError: the models do not load.
        """
        job = self._job
        if self._pipeline is None:
            self._pipeline = load(job.models)
        items = read_shard(job.folder, number)
        results = self._pipeline.process_each(pictures(items), flip=job.flip)
        named = zip((item.name for item in items), results, strict=True)
        target = part_path(job.folder, number)
        return Done(number, write_part(target, schema_of(job.dim, job.metadata), named))


def load(models: Mapping[str, Any]) -> Pipeline:
    """Load the models as every worker does; raises as `Pipeline.load` does."""
    return Pipeline.load(**models, workers=SIDE_BY_SIDE)
