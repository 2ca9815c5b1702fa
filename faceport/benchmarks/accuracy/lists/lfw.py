"""LFW's `pairs.txt` and `pairsDevTest.txt`.

Format: http://vis-www.cs.umass.edu/lfw/README.txt (Huang et al., 2007). The first line has the
number of folds and of pairs of each kind in a fold, or, in the development lists, that of pairs
alone. Each fold has its pairs of one person (`NAME i j`), then its pairs of two (`NAME i NAME j`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from faceport.benchmarks.accuracy.lists.text import check_all_found, read_text
from faceport.benchmarks.accuracy.types import PairSet, Picture
from faceport.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
Key = tuple[str, int]


def read_lfw_pairs(path: Path, root: Path | None = None, *, aligned: bool = False) -> PairSet:
    """Read a list of LFW's form.

    Args:
        path: the list.
        root: folder with `NAME/NAME_0001.jpg` (or another suffix); the list's own if not given.
        aligned: whether the pictures are crops of the model's size.

    Returns:
        The pairs in the list's order, with its folds, and `labels` by name.

    Raises:
        InputError: a line is malformed, there are more or fewer than the header says, or pictures
            are not there.
    """
    folder = path.parent if root is None else root
    lines = [(n, line) for n, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty", expected="LFW's pairs.txt")
    folds, each = _header(path, lines[0][1])
    rows = [_row(path, number, line) for number, line in lines[1:]]
    _check_count(path, rows, folds, each)
    keys = list(dict.fromkeys(key for row in rows for key in row[1:]))
    first_line = {key: row[0] for row in reversed(rows) for key in row[1:]}
    index = {key: i for i, key in enumerate(keys)}
    people = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in keys))}
    same = [left[0] == right[0] for _, left, right in rows]
    _check_order(path, rows, same, each)
    return PairSet(
        name=path.stem,
        pictures=_pictures(path, folder, keys, first_line, aligned),
        left=np.array([index[row[1]] for row in rows], dtype=np.int64),
        right=np.array([index[row[2]] for row in rows], dtype=np.int64),
        same=np.array(same, dtype=np.bool_),
        folds=np.arange(len(rows), dtype=np.int64) // (2 * each),
        labels=np.array([people[name] for name, _ in keys], dtype=np.int64),
    )


def _header(path: Path, line: str) -> tuple[int, int]:
    parts = line.split()
    if len(parts) not in (1, 2) or not all(p.isascii() and p.isdigit() for p in parts):
        raise InputError(
            f"{path} line 1 is no header of LFW's",
            received=repr(line[:80]),
            expected="the number of folds and of pairs, or of pairs alone",
        )
    numbers = [int(part[:9]) for part in parts]
    folds, each = (numbers[0], numbers[1]) if len(numbers) == 2 else (1, numbers[0])
    if folds < 1 or each < 1:
        raise InputError(f"{path} line 1 has no pairs", received=repr(line[:80]))
    return folds, each


def _row(path: Path, number: int, line: str) -> tuple[int, Key, Key]:
    parts = [p.strip() for p in line.split("\t")] if "\t" in line else line.split()
    match parts:
        case [name, first, second]:
            other = name
        case [name, first, other, second]:
            pass
        case _:
            raise _malformed(path, number, line)
    if not (first.isascii() and second.isascii() and first.isdigit() and second.isdigit()):
        raise _malformed(path, number, line)
    if any(n in {"", ".", ".."} or "/" in n or "\\" in n or "\0" in n for n in (name, other)):
        raise _malformed(path, number, line)
    return number, (name, int(first[:9])), (other, int(second[:9]))


def _malformed(path: Path, number: int, line: str) -> InputError:
    return InputError(
        f"{path} line {number} is no pair",
        received=repr(line[:80]),
        expected="NAME i j, or NAME i NAME j",
    )


def _check_count(path: Path, rows: Sequence[object], folds: int, each: int) -> None:
    if len(rows) != 2 * folds * each:
        raise InputError(
            f"{path} has more or fewer pairs than its first line says",
            received=len(rows),
            expected=f"{folds} folds of {each} pairs of one person and {each} of two",
        )


def _check_order(
    path: Path, rows: Sequence[tuple[int, Key, Key]], same: Sequence[bool], each: int
) -> None:
    for i, (row, is_same) in enumerate(zip(rows, same, strict=True)):
        if is_same != (i // each % 2 == 0):
            raise InputError(
                f"{path} line {row[0]} is not of the kind that its place in the fold says",
                expected=f"in each fold {each} pairs of one person, then {each} of two",
            )


def _pictures(
    path: Path, root: Path, keys: Sequence[Key], lines: dict[Key, int], aligned: bool
) -> tuple[Picture, ...]:
    find = _finder(root)
    found = [(key, f"{key[0]}/{key[0]}_{key[1]:04d}", find(key)) for key in keys]
    missing = [(lines[key], name) for key, name, source in found if source is None]
    check_all_found(path, root, missing)
    return tuple(Picture(name, source, aligned) for _, name, source in found if source)


def _finder(root: Path) -> Callable[[Key], str | None]:
    """Look pictures up by name without a suffix; one listing of each person's folder."""
    listings: dict[str, dict[str, str]] = {}

    def listing(name: str) -> dict[str, str]:
        folder = root / name
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {p.stem: str(p) for p in reversed(files) if p.suffix.lower() in SUFFIXES}

    def find(key: Key) -> str | None:
        name, number = key
        if name not in listings:
            listings[name] = listing(name)
        return listings[name].get(f"{name}_{number:04d}")

    return find
