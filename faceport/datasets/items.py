"""The pictures of a source, one after the other, in an order that is the same every time.

A source is a folder (all that is in it, at any depth), a list of paths (`.txt`, one a line, from
the list's folder), a WebDataset `.tar`, a Parquet file with a column of bytes, a picture, or a
pattern (`shards/*.tar`). Folders and lists may hold any of these, but a folder's lists, hidden
files and links to folders are passed over. Nothing is decoded here, and no more names are in memory
than those of one folder.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from faceport.errors import InputError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

Kind: TypeAlias = Literal["file", "tar", "parquet"]


@dataclass(frozen=True)
class Item:
    """Where one picture is.

    Attributes:
        name: what the data set calls it: its path as given, the list's line, or
            `container#member` (`#row` in Parquet).
        kind: what it is in.
        path: of the file or the container, absolute.
        start: first byte in a tar, row in a Parquet file, else 0.
        size: bytes; -1 where the file is not there, 0 for a row of Parquet.
    """

    name: str
    kind: Kind
    path: Path
    start: int = 0
    size: int = 0


def items_of(sources: Sequence[str]) -> Iterator[Item]:
    """List the pictures of all sources.

    Raises:
        InputError: a source is not there, of no known kind, or damaged.
    """
    for source in sources:
        for path in _paths(source):
            yield from _items(path, str(path), inside=False)


def text_of(path: str | os.PathLike[str]) -> str:
    """Return a path as text that can be written as UTF-8; other bytes as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _paths(source: str) -> list[Path]:
    if os.path.lexists(source):
        return [Path(source)]
    found = [Path(path) for path in sorted(glob.glob(source))]
    if not found:
        raise InputError(f"{source} is not there", expected="a folder, a file, or a pattern")
    return found


def _items(path: Path, name: str, *, inside: bool) -> Iterator[Item]:
    """List one path; `inside` a folder, what is of no known kind is passed over."""
    if path.is_dir():
        # A link inside could lead back to where it is.
        if not (inside and path.is_symlink()):
            yield from _folder(path, name.rstrip("/"))
        return
    lister = LISTERS.get(path.suffix.lower())
    if lister is not None:
        yield from lister(path, name)
    elif not inside:
        raise InputError(
            f"{path} is of no known kind",
            expected=f"a folder, or a file {' '.join(sorted(LISTERS))}",
        )


def _folder(folder: Path, prefix: str) -> Iterator[Item]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{folder} can't be listed: {error.strerror}") from error
    for name in names:
        if not name.startswith(".") and Path(name).suffix.lower() != ".txt":
            yield from _items(folder / name, f"{prefix}/{name}", inside=True)


def _picture(path: Path, name: str) -> Iterator[Item]:
    try:
        size = path.stat().st_size
    except OSError:
        size = -1
    yield Item(text_of(name), "file", Path(os.path.abspath(path)), size=size)


def _list(path: Path, _: str) -> Iterator[Item]:
    try:
        with path.open("rb") as lines:
            for line in lines:
                name = os.fsdecode(line.rstrip(b"\r\n"))
                if name:
                    yield from _items(path.parent / name, name, inside=False)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error


def _tar(path: Path, name: str) -> Iterator[Item]:
    from faceport.datasets.tar_source import members

    for member, start, size in members(path):
        if Path(member).suffix.lower() in PICTURES:
            place = Path(os.path.abspath(path))
            yield Item(f"{text_of(name)}#{text_of(member)}", "tar", place, start, size)


def _parquet(path: Path, name: str) -> Iterator[Item]:
    from faceport.datasets.parquet_source import count_rows

    place, text = Path(os.path.abspath(path)), text_of(name)
    for row in range(count_rows(path)):
        yield Item(f"{text}#{row}", "parquet", place, row)


Lister = Callable[[Path, str], Iterator[Item]]

LISTERS: dict[str, Lister] = {
    **dict.fromkeys(PICTURES, _picture),
    ".txt": _list,
    ".tar": _tar,
    ".parquet": _parquet,
}
"""A file's suffix to what lists its pictures."""
