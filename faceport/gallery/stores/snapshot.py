"""A read-only store for devices that only match: a folder of memory-mapped columns.

Opened in milliseconds whatever its size: nothing is read but the manifest, and the rest when it is
asked for. `snapshot_writer.py` says what is in the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from faceport.codec import decode
from faceport.errors import GalleryError, SpecError
from faceport.gallery.stores.base import Writer
from faceport.gallery.stores.snapshot_reader import SnapshotReader
from faceport.gallery.stores.snapshot_writer import FORMAT, MANIFEST, file_hash
from faceport.gallery.types import Float, Problem, Space


class SnapshotStore:
    """A snapshot's folder, never written to: see `base.Store`."""

    read_only = True

    def __init__(self, folder: str | Path) -> None:
        """Open it: its manifest is read, and its files' lengths are compared.

        Raises:
            GalleryError: it is missing, no snapshot, of another format, or a file is cut.
        """
        self._folder = Path(folder)
        self._manifest = _manifest(self._folder)
        problems = list(self._wrong_sizes())
        if problems:
            raise GalleryError(problems[0].detail, fix="write the snapshot again")
        self._reader = SnapshotReader(self._folder, self._manifest)

    @property
    def location(self) -> str:
        """Where it is."""
        return str(self._folder)

    @contextmanager
    def snapshot(self) -> Iterator[SnapshotReader]:
        """Give the one view there is."""
        yield self._reader

    def transaction(self) -> AbstractContextManager[Writer]:
        """Refuse.

        Raises:
            GalleryError: always.
        """
        raise GalleryError(
            f"{self._folder} is a snapshot, which is only read",
            fix="change the gallery that it was written from, and write it again",
        )

    def as_stored(self, vectors: Float) -> Float:
        """Return them as they are: rows are float32."""
        return vectors

    def check(self) -> list[Problem]:
        """Compare every file's length and hash with the manifest."""
        problems = list(self._wrong_sizes())
        for name, (_, digest) in self._manifest["files"].items():
            path = self._folder / name
            if not problems and file_hash(path) != digest:
                problems.append(Problem("database", f"{path} has been changed"))
        return problems

    def close(self) -> None:
        """Let go of the mapped files."""
        self._reader = SnapshotReader(self._folder, self._manifest)

    def _wrong_sizes(self) -> Iterator[Problem]:
        for name, (size, _) in self._manifest["files"].items():
            path = self._folder / name
            found = path.stat().st_size if path.is_file() else None
            if found != size:
                yield Problem("database", f"{path} has {found} bytes, written were {size}")


def open_store(
    location: str,
    *,
    create: bool = True,  # noqa: ARG001
    key: bytes | None = None,
) -> SnapshotStore:
    """Open a snapshot; there is nothing to create, and none is sealed.

    Raises:
        GalleryError: as `SnapshotStore`; or a key is given.
    """
    if key is not None:
        raise GalleryError(
            f"{location} is a snapshot, which is not sealed",
            received="a key",
            fix="open it without one: no --key-file, and FACEPORT_GALLERY_KEY not set",
        )
    return SnapshotStore(location)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        found = manifest["format"]
        whole = found != FORMAT or _is_whole(manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GalleryError(
            f"{folder} is a folder, and no snapshot of a gallery",
            received=f"{MANIFEST}: {getattr(error, 'strerror', None) or repr(error)}",
            fix="give a gallery's file, or write the snapshot again: `faceport gallery snapshot`",
        ) from error
    if found != FORMAT:
        raise GalleryError(
            f"{path} is of another format",
            received=found,
            expected=FORMAT,
            fix="use the faceport version that wrote it, or write it again",
        )
    if not whole:
        raise GalleryError(f"{path} is damaged", fix="write the snapshot again")
    return dict(manifest)


def _is_whole(manifest: Mapping[str, Any]) -> bool:
    """Whether all that is read of a manifest is there and of its kind."""
    numbers = [manifest[name] for name in ("version", "identities", "samples", "templates")]
    files, meta, space = manifest["files"], manifest["meta"], manifest["space"]
    if not isinstance(files, dict) or not isinstance(meta, dict):
        return False
    try:
        if space is not None:
            decode(Space, space, "space")
    except SpecError:
        return False
    for name, (size, digest) in files.items():
        if Path(name).name != name or not isinstance(digest, str):
            return False
        numbers.append(size)
    return all(type(number) is int and number >= 0 for number in numbers)
