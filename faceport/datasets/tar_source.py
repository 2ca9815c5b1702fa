"""Pictures in a WebDataset tar: found once by its headers, then read by their places."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from faceport.errors import InputError


def members(path: Path) -> Iterator[tuple[str, int, int]]:
    """List the regular files of a tar: name, first byte, size in bytes.

    Raises:
        InputError: it can't be read, is cut off, or is compressed (its places can't be jumped to).
    """
    try:
        end = path.stat().st_size
        with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as archive:
            for member in archive:
                if not member.isreg():
                    continue
                if member.offset_data + member.size > end:
                    raise _damaged(path, "it ends in the middle of a file")
                yield member.name, member.offset_data, member.size
                # The archive would keep every header that it has seen.
                archive.members = []  # type: ignore[attr-defined]
    except (OSError, tarfile.TarError) as error:
        raise _damaged(path, error) from error


def read_member(path: Path, start: int, size: int) -> bytes:
    """Return the bytes of a member.

    Raises:
        OSError: they can't be read, or there are fewer.
    """
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(size)
    if len(data) != size:
        raise OSError(f"{len(data)} of {size} bytes are there")
    return data


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(
        f"{path} is not a readable tar: {reason}",
        expected="a whole, uncompressed tar",
        fix="unpack a .tar.gz with gunzip; fetch a damaged one again, or leave it out",
    )
