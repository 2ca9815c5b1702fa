"""InsightFace's `.bin` files: LFW, CFP-FP, AgeDB-30 and others, in one file each.

Format: a pickle of `(pictures, same)` (deepinsight/insightface `recognition/_datasets_/pack_*`,
read by `eval/verification.py`, `load_bin`). Pictures 2i and 2i + 1 are pair i; each is an encoded
aligned crop. The ten folds are ten consecutive parts of almost equal size (the same file's
`KFold(n_splits=10, shuffle=False)`). The pickle is read as data, nothing in it is run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceport.benchmarks.accuracy.lists.pickle_data import read_pickle_data
from faceport.benchmarks.accuracy.lists.pickle_values import Array, Scalar
from faceport.benchmarks.accuracy.types import Labels, PairSet, Picture
from faceport.errors import InputError

FOLDS = 10


def read_insightface_bin(path: Path) -> PairSet:
    """Read a `.bin` file.

    Returns:
        The pairs in the file's order, in ten folds (one a pair where there are fewer than ten).
        A picture that is in the file several times is one picture, named after its first place.

    Raises:
        InputError: the file is no such pickle, holds anything but pictures and booleans, or is cut
            short or continued.
    """
    value = read_pickle_data(path)
    if not isinstance(value, tuple) or len(value) != 2:
        raise InputError(f"{path} has another content", expected="(pictures, same)")
    pictures, places = _pictures(path, value[0])
    same = _booleans(path, value[1])
    if len(places) != 2 * len(same) or len(same) == 0:
        raise InputError(
            f"{path} has not two pictures for each pair",
            received=f"{len(places)} pictures, {len(same)} pairs",
        )
    return PairSet(
        name=path.stem,
        pictures=pictures,
        left=places[0::2],
        right=places[1::2],
        same=same,
        folds=consecutive_folds(len(same), FOLDS),
    )


def consecutive_folds(size: int, folds: int) -> Labels:
    """Return the fold of each item: consecutive parts, the first `size % folds` one larger."""
    parts = np.array_split(np.arange(size), min(folds, size))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int64)


def _pictures(path: Path, items: object) -> tuple[tuple[Picture, ...], Labels]:
    if not isinstance(items, list | tuple):
        raise InputError(f"{path} has no list of pictures", received=type(items).__name__)
    index: dict[bytes, int] = {}
    pictures: list[Picture] = []
    places = np.empty(len(items), dtype=np.int64)
    for i, item in enumerate(items):
        data = _encoded(path, i, item)
        places[i] = index.setdefault(data, len(pictures))
        if places[i] == len(pictures):
            pictures.append(Picture(f"{path.stem}/{i:06d}", data, aligned=True))
    return tuple(pictures), places


def _encoded(path: Path, place: int, item: object) -> bytes:
    data = item
    if isinstance(item, Array):
        data = item.vector_bytes()
    if not isinstance(data, bytes) or not data:
        raise InputError(
            f"{path} item {place} is no encoded picture",
            received=type(item).__name__ if not isinstance(item, Array) else str(item),
            expected="bytes, or a vector of uint8, with a JPEG or PNG file in it",
        )
    return data


def _booleans(path: Path, items: object) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    values = items
    if isinstance(items, Array):
        values = list(items.vector_bytes() or b"")
    if not isinstance(values, list | tuple):
        raise InputError(f"{path} has no list of booleans", received=type(items).__name__)
    plain = [value.value if isinstance(value, Scalar) else value for value in values]
    for place, value in enumerate(plain):
        if not isinstance(value, int) or value not in (0, 1):
            raise InputError(
                f"{path} pair {place} does not say whether the two are one person",
                received=type(value).__name__,
                expected="true or false",
            )
    return np.array([bool(value) for value in plain], dtype=np.bool_)
