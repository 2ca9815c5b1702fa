"""A graph beside its store: three files, of which the last written makes the others count.

    hnsw-HASH.faiss   the graph, as faiss writes it; HASH is of its bytes
    hnsw-HASH.npy       (rows,) uint64 digests of its rows, in the order of its keys
    hnsw.json           HASH, hash of the digests, stamp, library and settings

A process killed while it writes leaves the old `hnsw.json` with its files, or the new one with its.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceport.atomic import atomic_file
from faceport.errors import GalleryError
from faceport.gallery.indexes.digests import Digests

FORMAT = 1
MANIFEST = "hnsw.json"


@dataclass(frozen=True, eq=False)
class Saved:
    """A graph's files, whole and of the library and settings asked for."""

    path: Path
    digests: Digests
    stamp: str


def write_graph(
    folder: Path, save: Callable[[str], object], digests: Digests, facts: Mapping[str, object]
) -> None:
    """Write a graph and remove the one before.

    Args:
        folder: made where it is not there.
        save: writes the graph to a path.
        digests: of the rows, by key.
        facts: stamp, library and settings.

    Raises:
        GalleryError: the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GalleryError(f"{folder} could not be made: {error.strerror}") from error
    partial = folder / "hnsw.partial"
    with atomic_file(partial, GalleryError) as path:
        save(str(path))
        name = f"hnsw-{_hash(path)[:32]}"
    partial.replace(folder / f"{name}.faiss")
    buffer = io.BytesIO()
    np.save(buffer, digests)
    with atomic_file(folder / f"{name}.npy", GalleryError) as path:
        path.write_bytes(buffer.getvalue())
        rows_hash = _hash(path)
    manifest = {**facts, "format": FORMAT, "graph": name, "rows_sha256": rows_hash}
    with atomic_file(folder / MANIFEST, GalleryError) as path:
        path.write_text(json.dumps(manifest, indent=2) + "\n")
    for old in folder.glob("hnsw-*"):
        if old.stem != name:
            old.unlink(missing_ok=True)


def read_graph(folder: Path, facts: Mapping[str, object]) -> Saved | None:
    """Find a graph's files; None where there are none, or they are damaged, or of other facts."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        name = str(manifest["graph"])
        wanted = {**facts, "format": FORMAT, "stamp": manifest["stamp"]}
        path, rows = folder / f"{name}.faiss", folder / f"{name}.npy"
        if {key: manifest.get(key) for key in wanted} != wanted or Path(name).name != name:
            return None
        if _hash(rows) != manifest["rows_sha256"] or not _hash(path).startswith(name[5:]):
            return None
        return Saved(path, np.load(rows, allow_pickle=False), str(manifest["stamp"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _hash(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            found.update(part)
    return found.hexdigest()
