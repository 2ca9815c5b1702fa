"""A gallery as one Parquet file: a row for each sample, identity by identity.

    name string · metadata string (a JSON object) · source string · image_hash string
    added string · norm float · vector fixed_size_list<float>[D] · crop binary, null where none

The schema's metadata has a key `faceport-gallery`: JSON of format, version, space, settings,
redacted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceport.atomic import atomic_file
from faceport.errors import GalleryError, MissingDependencyError
from faceport.gallery.exchange.content import FORMAT, Content
from faceport.gallery.exchange.header import header_of, no_export, read_json, space_and_settings
from faceport.gallery.types import Space

if TYPE_CHECKING:
    import pyarrow as pa

HEADER_KEY = FORMAT.encode()
TEXTS = ("name", "metadata", "source", "image_hash", "added")


def write_parquet(content: Content, target: Path) -> None:
    """Write a content as one file.

    Raises:
        GalleryError: the target is something else, or could not be written.
        MissingDependencyError: pyarrow is not installed.
    """
    pq = _pyarrow()
    if target.exists():
        _header(target, _schema(target))
    table = _table(content)
    with atomic_file(target, GalleryError) as path:
        pq.write_table(table, path, compression="zstd")


def read_parquet(source: Path) -> Content:
    """Read a file; what its texts and numbers mean is checked by `check_content`.

    Raises:
        GalleryError: it is no such file, of another version, or damaged.
        MissingDependencyError: pyarrow is not installed.
    """
    pq = _pyarrow()
    schema = _schema(source)
    values = _header(source, schema)
    space, settings = space_and_settings(source, values)
    _check_columns(source, schema, space)
    try:
        table = pq.read_table(source)
    except _arrow_errors() as error:
        raise _damaged(source, str(error)) from error
    try:
        columns = {name: table.column(name).to_pylist() for name in TEXTS}
    except UnicodeDecodeError as error:
        raise _damaged(source, f"a text that is not UTF-8: {error}") from error
    if any(table.column(name).null_count for name in (*TEXTS, "norm", "vector")):
        raise _damaged(source, "a column with nulls")
    names, owner, first = _identities(columns["name"])
    return Content(
        space=space,
        settings=settings,
        names=names,
        metadata=_metadata(source, [columns["metadata"][row] for row in first]),
        owner=owner,
        vectors=_vectors(table, space.dim),
        norms=table.column("norm").to_numpy().astype(np.float32),
        sources=tuple(columns["source"]),
        image_hashes=tuple(columns["image_hash"]),
        added=tuple(columns["added"]),
        crops=tuple(table.column("crop").to_pylist()),
        redacted=values.get("redacted") is True,
    )


def _table(content: Content) -> pa.Table:
    import pyarrow as pa

    metadata = [json.dumps(dict(one), ensure_ascii=False) for one in content.metadata]
    owner = content.owner.tolist()
    flat = pa.array(np.ascontiguousarray(content.vectors, np.float32).reshape(-1))
    columns = {
        "name": pa.array([content.names[i] for i in owner], pa.string()),
        "metadata": pa.array([metadata[i] for i in owner], pa.string()),
        "source": pa.array(content.sources, pa.string()),
        "image_hash": pa.array(content.image_hashes, pa.string()),
        "added": pa.array(content.added, pa.string()),
        "norm": pa.array(content.norms.astype(np.float32)),
        "vector": pa.FixedSizeListArray.from_arrays(flat, content.space.dim),
        "crop": pa.array(content.crops, pa.binary()),
    }
    header = json.dumps(header_of(content)).encode()
    return pa.table(columns).replace_schema_metadata({HEADER_KEY: header})


def _schema(path: Path) -> pa.Schema:
    pq = _pyarrow()
    try:
        return pq.read_schema(path)
    except _arrow_errors() as error:
        raise no_export(path, str(error).splitlines()[0]) from error


def _header(path: Path, schema: pa.Schema) -> Mapping[str, Any]:
    text = (schema.metadata or {}).get(HEADER_KEY)
    if text is None:
        raise no_export(path, "a Parquet file of something else")
    return read_json(path, text)


def _check_columns(path: Path, schema: pa.Schema, space: Space) -> None:
    import pyarrow as pa

    if len(set(schema.names)) != len(schema.names):
        raise _damaged(path, f"columns {', '.join(schema.names)}", "each once")
    expected = {name: pa.string() for name in TEXTS}
    expected |= {"norm": pa.float32(), "crop": pa.binary()}
    for name, kind in expected.items():
        found = schema.field(name).type if name in schema.names else None
        if found != kind:
            raise _damaged(path, f"column {name} of {found}", str(kind))
    found = schema.field("vector").type if "vector" in schema.names else None
    if found != pa.list_(pa.float32(), space.dim):
        raise _damaged(path, f"column vector of {found}", f"{space.dim} floats")


def _identities(
    column: list[str],
) -> tuple[tuple[str, ...], NDArray[np.int64], list[int]]:
    """Return the names, each row's place in them, and each one's first row."""
    places: dict[str, int] = {}
    first = []
    for row, name in enumerate(column):
        if name not in places:
            places[name] = len(places)
            first.append(row)
    return tuple(places), np.array([places[name] for name in column], np.int64), first


def _metadata(path: Path, texts: list[str]) -> tuple[Mapping[str, Any], ...]:
    try:
        return tuple(json.loads(text) for text in texts)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"metadata: {error}", "JSON objects") from error


def _vectors(table: pa.Table, dim: int) -> NDArray[np.float32]:
    column = table.column("vector").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(table), dim)


def _arrow_errors() -> tuple[type[BaseException], ...]:
    import pyarrow as pa

    return (pa.ArrowException, OSError, ValueError)


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "datasets") from error
    return pq


def _damaged(path: Path, received: str, expected: str | None = None) -> GalleryError:
    return GalleryError(
        f"{path} is damaged", received=received, expected=expected, fix="export the gallery again"
    )
