"""Small text files of a benchmark, read whole with a limit, and pictures they name, found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceport.errors import InputError

LIMIT = 1 << 28
"""256 MiB: IJB-C's list of 15.7 million pairs is of this size; more is no list of pairs."""

SHOWN = 3


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text, without a byte order mark.

    Raises:
        InputError: it can't be read, is too large, or is not UTF-8.
    """
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise InputError(
                f"{path} is too large", received=size, expected=f"at most {LIMIT} bytes"
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} could not be read", received=error.strerror) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8", received=f"byte {error.start}") from error


def check_all_found(path: Path, root: Path, missing: Sequence[tuple[int, str]]) -> None:
    """Raise where pictures that a list names are not there.

    Args:
        path: of the list.
        root: the folder they were looked for in.
        missing: line number and name of each.

    Raises:
        InputError: there are some; it names the first.
    """
    if not missing:
        return
    first = "; ".join(f"line {line}: {name}" for line, name in missing[:SHOWN])
    raise InputError(
        f"{path} names {len(missing)} pictures that are not in {root}",
        received=first,
        fix="give their folder with --root",
    )
