"""The rows of a data set of faces.

One row a face. A picture without a face is one row with its source only, and a picture that could
not be read one row with its source and `error`, so that every picture of the source has a row.

| column | type | |
|---|---|---|
| `source` | string | the picture; see `Item.name` |
| `face` | int32 | 0 for the best score of the picture; null where there is no face |
| `x1`, `y1`, `x2`, `y2` | float32 | box, pixels of the upright picture |
| `landmarks` | list of 10 float32 | x1 y1 … x5 y5 in pixels; null where the detector gives none |
| `score` | float32 | the detector's, 0 to 1 |
| `norm` | float32 | the embedding's length before normalisation |
| `embedding` | list of `dim` float32 | unit length |
| `error` | string | why the picture could not be read; null elsewhere |

The schema's metadata has `faceport`: the fingerprint, `dim`, `is_stub` and the settings, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from faceport.atomic import atomic_file
from faceport.datasets.arrow import import_arrow, import_parquet
from faceport.errors import DatasetError
from faceport.runtime.pipeline import Result
from faceport.runtime.types import Face

METADATA = b"faceport"
ROW_GROUP = 16_384
BOX = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Counted:
    """What became of some pictures."""

    pictures: int
    faces: int
    empty: int
    failed: int


@dataclass
class Rows:
    """Collects rows, one list a column."""

    columns: dict[str, list[Any]] = field(
        default_factory=lambda: {
            name: []
            for name in ("source", "face", *BOX, "landmarks", "score", "norm", "embedding", "error")
        }
    )

    def add(self, source: str, result: Result) -> None:
        """Add the rows of one picture."""
        error = None if result.error is None else str(result.error)
        if not result.faces:
            self._add(source=source, error=error)
        for number, face in enumerate(result.faces):
            self._add(source=source, face=number, **_values(face))

    def table(self, schema: Any) -> Any:
        """Return all rows as an Arrow table."""
        return import_arrow().table(self.columns, schema=schema)

    def _add(self, **values: Any) -> None:
        for name, column in self.columns.items():
            column.append(values.get(name))


def schema_of(dim: int, metadata: str) -> Any:
    """Return the Arrow schema of the parts; `metadata` is the JSON that goes with it."""
    arrow = import_arrow()
    small = arrow.float32()
    return arrow.schema(
        [
            arrow.field("source", arrow.string(), nullable=False),
            ("face", arrow.int32()),
            *((name, small) for name in BOX),
            ("landmarks", arrow.list_(small, 10)),
            ("score", small),
            ("norm", small),
            ("embedding", arrow.list_(small, dim)),
            ("error", arrow.string()),
        ],
        metadata={METADATA: metadata.encode()},
    )


def write_part(target: Path, schema: Any, named: Iterable[tuple[str, Result]]) -> Counted:
    """Write the rows of a shard's pictures; the file is there whole or not at all.

    Raises:
        DatasetError: it can't be written.
    """
    rows = Rows()
    pictures = faces = empty = failed = 0
    for source, result in named:
        rows.add(source, result)
        pictures, faces = pictures + 1, faces + len(result.faces)
        failed += result.error is not None
        empty += result.error is None and not result.faces
    with atomic_file(target, DatasetError) as partial:
        import_parquet().write_table(
            rows.table(schema),
            partial,
            row_group_size=ROW_GROUP,
            compression="zstd",
            # Vectors hardly repeat; a dictionary of them costs time and saves nothing.
            use_dictionary=["source"],
        )
    return Counted(pictures, faces, empty, failed)


def _values(face: Face) -> dict[str, Any]:
    found, embedding = face.detection, face.embedding
    marks = found.landmarks
    return {
        **dict(zip(BOX, np.asarray(found.bbox, np.float32).tolist(), strict=True)),
        "landmarks": None if marks is None else np.asarray(marks, np.float32).ravel(),
        "score": float(found.score),
        "norm": float(embedding.norm),
        "embedding": np.asarray(embedding.vector, np.float32),
    }
