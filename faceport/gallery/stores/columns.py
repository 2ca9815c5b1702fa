"""Columns of a snapshot: one .npy file each, mapped into memory when it is first looked at.

A column of texts is two files: `NAME.text.npy`, all of them in UTF-8 behind each other, and
`NAME.ends.npy`, where each begins and ends: (rows + 1,) int64.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import GalleryError

Array = NDArray[Any]


def write_column(folder: Path, name: str, values: Array) -> None:
    """Write an array."""
    np.save(folder / f"{name}.npy", values, allow_pickle=False)


def write_texts(folder: Path, name: str, texts: Iterable[str]) -> None:
    """Write texts."""
    data = [text.encode() for text in texts]
    ends = np.zeros(len(data) + 1, np.int64)
    np.cumsum([len(one) for one in data], out=ends[1:])
    write_column(folder, f"{name}.ends", ends)
    write_column(folder, f"{name}.text", np.frombuffer(b"".join(data), np.uint8))


def read_column(folder: Path, name: str, kind: type[np.generic], shape: tuple[int, ...]) -> Array:
    """Map an array; -1 in `shape` is any size.

    Raises:
        GalleryError: it is missing, cut, or of another type or shape.
    """
    path = folder / f"{name}.npy"
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise GalleryError(
            f"{path} can't be read: {error}", fix="write the snapshot again"
        ) from error
    fits = len(values.shape) == len(shape)
    fits = fits and all(w in (-1, n) for w, n in zip(shape, values.shape, strict=True))
    if not fits or values.dtype != np.dtype(kind):
        raise GalleryError(
            f"{path} is of another kind",
            received=f"{values.dtype} {values.shape}",
            expected=f"{np.dtype(kind)} {shape}",
            fix="write the snapshot again",
        )
    return np.asarray(values)


class Texts:
    """A column of texts, read one by one."""

    def __init__(self, folder: Path, name: str, rows: int) -> None:
        """Map it.

        Raises:
            GalleryError: it is missing, cut, or of another size.
        """
        self._name = name
        self._ends = read_column(folder, f"{name}.ends", np.int64, (rows + 1,))
        self._text = read_column(folder, f"{name}.text", np.uint8, (int(self._ends[-1]),))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int) -> str:
        data = bytes(self._text[self._ends[row] : self._ends[row + 1]])
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise GalleryError(
                f"row {row} of a snapshot's column {self._name} is damaged",
                fix="write the snapshot again",
            ) from error

    def all(self) -> list[str]:
        """Read all of them."""
        return [self[row] for row in range(len(self))]

    def find(self, text: str) -> int | None:
        """Return the first row with exactly this text, looking through all."""
        wanted = np.flatnonzero(np.diff(self._ends) == len(text.encode()))
        return next((int(row) for row in wanted if self[int(row)] == text), None)
