"""Writes a snapshot: a folder of mapped columns for devices that only match.

snapshot.json           format, version, space, settings, sizes, and each file's length and hash
identities.*.npy        ids (ascending), samples; texts: name, metadata, created, changed;
                        by_name: their positions in the order of names
samples.*.npy           ids, identity_ids, vectors (rows, D) float32, norms; texts: source,
                        image_hash, added; ordered by identity, then id
templates.*.npy         identity_ids, vectors, norms
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from faceport.atomic import atomic_folder
from faceport.errors import GalleryError
from faceport.gallery.stores.base import IdentityRow, Reader
from faceport.gallery.stores.columns import write_column, write_texts
from faceport.gallery.types import Against, Float

FORMAT = 1
MANIFEST = "snapshot.json"
NO_IDS = np.empty(0, np.int64)


def write_rows(reader: Reader, folder: Path, meta_keys: Iterable[str]) -> None:
    """Write what a reader sees as a snapshot; atomic: `folder` holds the old one or the new.

    Crops and the audit log are left out.

    Args:
        reader: of any store.
        folder: made, or replaced where it holds a snapshot.
        meta_keys: of the texts kept beside the rows that a gallery needs.

    Raises:
        GalleryError: the folder can't be written, or is something else than a snapshot.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and _holds_something(folder):
        raise GalleryError(f"{folder} is there and no snapshot", fix="choose another folder")
    with atomic_folder(folder, GalleryError) as partial:
        identities = sorted(reader.identities(), key=lambda row: row.id)
        _write_identities(partial, identities)
        _write_samples(partial, reader, identities)
        dim = 0 if (space := reader.space()) is None else space.dim
        for against in ("samples", "templates"):
            _write_vectors(partial, reader, against, dim)
        files = {p.name: [p.stat().st_size, file_hash(p)] for p in sorted(partial.iterdir())}
        manifest = {
            "format": FORMAT,
            "version": reader.version(),
            "space": None if space is None else asdict(space),
            "meta": {key: reader.meta(key) for key in meta_keys},
            "identities": len(identities),
            "samples": reader.count("samples"),
            "templates": reader.count("templates"),
            "files": files,
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            found.update(part)
    return found.hexdigest()


def _holds_something(folder: Path) -> bool:
    return not folder.is_dir() or any(folder.iterdir())


def _write_identities(folder: Path, rows: list[IdentityRow]) -> None:
    write_column(folder, "identities.ids", np.array([row.id for row in rows], np.int64))
    write_column(folder, "identities.samples", np.array([row.samples for row in rows], np.int64))
    order = sorted(range(len(rows)), key=lambda i: rows[i].name)
    write_column(folder, "identities.by_name", np.array(order, np.int64))
    for text in ("name", "metadata", "created", "changed"):
        write_texts(folder, f"identities.{text}", (getattr(row, text) for row in rows))


def _write_samples(folder: Path, reader: Reader, identities: list[IdentityRow]) -> None:
    texts: dict[str, list[str]] = {"source": [], "image_hash": [], "added": []}
    for identity in identities:
        for row in reader.samples(identity.id):
            for name, values in texts.items():
                values.append(getattr(row, name))
    for name, values in texts.items():
        write_texts(folder, f"samples.{name}", values)


def _write_vectors(folder: Path, reader: Reader, against: Against, dim: int) -> None:
    # By blocks, so that a million rows (2 GB at 512) need not be in memory.
    blocks = reader.vectors(against)
    owners, ids, norms = [NO_IDS], [NO_IDS], [np.empty(0, np.float32)]
    shape, done = (reader.count(against), dim), 0
    with _matrix_file(folder / f"{against}.vectors.npy", shape) as append:
        for block in blocks:
            append(block.matrix)
            owners.append(block.identity_ids)
            ids.append(block.sample_ids)
            norms.append(block.norms)
            done += len(block.matrix)
    if done != shape[0]:
        raise GalleryError(
            f"the store's {against} changed or are damaged", received=done, expected=shape[0]
        )
    write_column(folder, f"{against}.identity_ids", np.concatenate(owners))
    write_column(folder, f"{against}.norms", np.concatenate(norms))
    if against == "samples":
        write_column(folder, "samples.ids", np.concatenate(ids))


@contextmanager
def _matrix_file(path: Path, shape: tuple[int, int]) -> Iterator[Callable[[Float], object]]:
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield lambda rows: file.write(np.ascontiguousarray(rows, "<f4").data)
