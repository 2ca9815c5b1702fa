"""Pairs from a CSV: `a,b,same` and, if wanted, `fold`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceport.benchmarks.accuracy.lists.text import check_all_found, read_text
from faceport.benchmarks.accuracy.types import PairSet, Picture
from faceport.errors import InputError

COLUMNS = ("a", "b", "same")
SAME = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True)
class _Row:
    line: int
    left: str
    right: str
    same: bool
    fold: int


def read_pairs_csv(path: Path, root: Path | None = None, *, aligned: bool = False) -> PairSet:
    """Read pairs from a CSV in UTF-8.

    Args:
        path: a file whose first line names the columns `a`, `b` (paths of pictures), `same` (0, 1,
            true or false) and, if wanted, `fold` (a number from 0 up); others are passed over.
        root: where the paths start; the CSV's own folder if not given.
        aligned: whether the pictures are crops of the model's size.

    Raises:
        InputError: the header lacks a column, a line is malformed, or pictures are not there.
    """
    folder = path.parent if root is None else root
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path} has no pairs", expected="lines below the header a,b,same")
    names = list(dict.fromkeys(name for row in rows for name in (row.left, row.right)))
    first_line = {name: row.line for row in reversed(rows) for name in (row.left, row.right)}
    missing = [(first_line[name], name) for name in names if not (folder / name).is_file()]
    check_all_found(path, folder, missing)
    index = {name: i for i, name in enumerate(names)}
    return PairSet(
        name=path.stem,
        pictures=tuple(Picture(name, str(folder / name), aligned) for name in names),
        left=np.array([index[row.left] for row in rows], dtype=np.int64),
        right=np.array([index[row.right] for row in rows], dtype=np.int64),
        same=np.array([row.same for row in rows], dtype=np.bool_),
        folds=np.array([row.fold for row in rows], dtype=np.int64),
    )


def _rows(path: Path) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        columns = _columns(path, header)
        for values in reader:
            if values:
                yield _row(path, reader.line_num, values, columns, len(header))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num} is no CSV", received=error) from error


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    if any(header.count(name) != 1 for name in COLUMNS) or header.count("fold") > 1:
        raise InputError(
            f"{path} line 1 does not name the columns",
            received=repr(",".join(header)[:80]),
            expected="a,b,same or a,b,same,fold",
        )
    return {name: header.index(name) for name in (*COLUMNS, "fold") if name in header}


def _row(path: Path, line: int, values: list[str], columns: dict[str, int], width: int) -> _Row:
    if len(values) != width:
        raise InputError(
            f"{path} line {line} is incomplete", received=f"{len(values)} values", expected=width
        )
    cell = {name: values[column].strip() for name, column in columns.items()}
    if not cell["a"] or not cell["b"] or "\0" in cell["a"] + cell["b"]:
        raise InputError(f"{path} line {line} names no picture", expected="two paths")
    same = SAME.get(cell["same"].lower())
    if same is None:
        raise InputError(
            f"{path} line {line} does not say whether the two are one person",
            received=repr(cell["same"][:40]),
            expected="0, 1, true or false",
        )
    fold = cell.get("fold", "0")
    if not (fold.isascii() and fold.isdigit() and len(fold) < 10):
        raise InputError(
            f"{path} line {line} has no fold", received=repr(fold[:40]), expected="a number, 0 up"
        )
    return _Row(line, cell["a"], cell["b"], same, int(fold))
